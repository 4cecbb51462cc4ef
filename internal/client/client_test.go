package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait; nothing waits that long unless it is broken.
const patience = 20 * time.Second

// asked is a request as the server saw it.
type asked struct{ Line, Token, Body string }

// server answers with one handler after the other, and remembers what it was
// asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	asked    []asked
	handlers []http.HandlerFunc
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, asked{r.Method + " " + r.URL.RequestURI(), r.Header.Get("Authorization"), string(body)})
	handle := s.handlers[0]
	if len(s.handlers) > 1 {
		s.handlers = s.handlers[1:]
	}
	s.mu.Unlock()
	handle(w, r)
}

func serve(t *testing.T, handlers ...http.HandlerFunc) (*server, *Client) {
	t.Helper()
	s := &server{handlers: handlers}
	s.Server = httptest.NewServer(s)
	c, err := New(Options{Server: s.URL, Token: "secret", Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		s.Close()
	})
	return s, c
}

// answers gives the handler that answers a document.
func answers(status int, document any, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if status >= 400 {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(document)
	}
}

// breaks ends the connection without an answer.
func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func (s *server) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, a := range s.asked {
		lines = append(lines, a.Line)
	}
	return lines
}

func TestPages(t *testing.T) {
	s, c := serve(t,
		answers(200, api.Commands{Commands: []api.Command{{Name: "a"}, {Name: "b"}}, Next: "b"}),
		answers(200, api.Commands{Commands: []api.Command{{Name: "ü"}}}))
	var names []string
	for command, err := range c.Commands(t.Context(), ListQuery{Prefix: "x y", Disabled: "false"}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, command.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "ü"}, names); diff != "" {
		t.Error(diff)
	}
	want := []string{"GET /api/v1/commands?disabled=false&prefix=x+y", "GET /api/v1/commands?after=b&disabled=false&prefix=x+y"}
	if diff := cmp.Diff(want, s.lines()); diff != "" {
		t.Error(diff)
	}
	if s.asked[0].Token != "Bearer secret" {
		t.Errorf("token %q", s.asked[0].Token)
	}
}

// Names may hold any text; none of it becomes a part of the path.
func TestPaths(t *testing.T) {
	s, c := serve(t, answers(200, api.Command{}))
	if _, err := c.Activate(t.Context(), "a/../b?c ü", 3); err != nil {
		t.Fatal(err)
	}
	want := []asked{{"POST /api/v1/commands/a%2F..%2Fb%3Fc%20%C3%BC/activate", "Bearer secret", `{"version":3}`}}
	if diff := cmp.Diff(want, s.asked); diff != "" {
		t.Error(diff)
	}
}

// What failed is tried again if it can be, and only then.
func TestAttempts(t *testing.T) {
	unavailable := answers(503, api.Problem{Error: "away", Code: "AVAP5005"}, "Retry-After", "0")
	done := answers(200, api.Command{Name: "price"})
	for _, test := range []struct {
		name     string
		handlers []http.HandlerFunc
		asks     int
		call     func(context.Context, *Client) error
		want     string
	}{
		{"broken twice", []http.HandlerFunc{breaks, breaks, done}, 3, activate, ""},
		{"away once", []http.HandlerFunc{unavailable, done}, 2, activate, ""},
		{"away", []http.HandlerFunc{unavailable}, 3, activate, "away [AVAP5005]"},
		{"refused", []http.HandlerFunc{answers(409, api.Problem{Error: "no", Code: "AVAP5016"}), done}, 1, activate, "no [AVAP5016]"},
		{"away for long", []http.HandlerFunc{answers(503, api.Problem{Error: "away"}, "Retry-After", "60"), done}, 1, activate, "away"},
		{"not to be repeated", []http.HandlerFunc{unavailable, done}, 1, func(ctx context.Context, c *Client) error {
			_, err := c.Rollback(ctx, "price")
			return err
		}, "away [AVAP5005]"},
		{"not to be repeated, broken", []http.HandlerFunc{breaks, done}, 1, func(ctx context.Context, c *Client) error {
			_, err := c.Execute(ctx, "price", 0, nil, []byte("{}"))
			return err
		}, "EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := serve(t, test.handlers...)
			err := test.call(t.Context(), c)
			if got := len(s.lines()); got != test.asks {
				t.Errorf("asked %d times, want %d", got, test.asks)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func activate(ctx context.Context, c *Client) error {
	_, err := c.Activate(ctx, "price", 1)
	return err
}

// A server that takes connections and never answers costs the timeout.
func TestTimeout(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	// Within the time the change has to be sent.
	c, err := New(Options{Server: "http://" + listener.Addr().String(), Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	err = activate(t.Context(), c)
	e, ok := errors.AsType[*UnreachableError](err)
	if !ok || !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), ": none came within 1000 ms") {
		t.Fatalf("got %v", err)
	}
	if !e.Sent {
		t.Error("the change was asked for, and may have been made")
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("took %s", took)
	}
}

// What is no problem document is still an error with a next step.
func TestForeignAnswers(t *testing.T) {
	for _, handler := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<h1>Bad gateway</h1>", http.StatusBadGateway)
		},
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		answers(404, map[string]string{"message": "not here"}),
	} {
		_, c := serve(t, handler)
		err := activate(t.Context(), c)
		e, ok := errors.AsType[*Error](err)
		if !ok || !strings.Contains(e.Error(), "no problem document") || e.NextStep == "" {
			t.Errorf("got %v", err)
		}
	}
	page := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }
	_, c := serve(t, page, page, page)
	for _, ask := range []func() error{
		func() error { return activate(t.Context(), c) },
		func() error { _, err := c.Execute(t.Context(), "price", 0, nil, []byte("{}")); return err },
		func() error { _, err := c.Download(t.Context(), "price", 0, ""); return err },
	} {
		err := ask()
		if _, ok := errors.AsType[*StrangeError](err); !ok || !strings.Contains(err.Error(), "not as an AVAP server does") {
			t.Errorf("got %v", err)
		}
	}
}

// What was not sent was not done.
func TestNothingListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c, err := New(Options{Server: "http://" + listener.Addr().String(), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if e, ok := errors.AsType[*UnreachableError](activate(t.Context(), c)); !ok || e.Sent {
		t.Errorf("got %v, %v", e, ok)
	}
}

// What comes is compared with its digest, and what is there is not sent again.
func TestDownload(t *testing.T) {
	module := []byte("\x00asm module")
	sum := sha256.Sum256(module)
	digest := hex.EncodeToString(sum[:])
	gives := func(content []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"`+digest+`"`)
			w.Header().Set(api.HeaderVersion, "3")
			if r.Header.Get("If-None-Match") == `"`+digest+`"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(content)
		}
	}
	s, c := serve(t, gives(module), gives(module), gives([]byte("\x00asm tampered")))
	got, err := c.Download(t.Context(), "price", 0, "")
	if diff := cmp.Diff(&Module{3, digest, module}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	got, err = c.Download(t.Context(), "price", 3, digest)
	if diff := cmp.Diff(&Module{3, digest, nil}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err = c.Download(t.Context(), "price", 3, ""); err == nil || !strings.Contains(err.Error(), "has the digest") {
		t.Errorf("got %v", err)
	}
	want := []string{"GET /api/v1/commands/price", "GET /api/v1/commands/price/versions/3", "GET /api/v1/commands/price/versions/3"}
	if diff := cmp.Diff(want, s.lines()); diff != "" {
		t.Error(diff)
	}
}

// A status that a script chose is no refusal.
func TestScriptedStatus(t *testing.T) {
	_, c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set(api.HeaderVersion, "1")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"success":true}`)
	})
	document, err := c.Execute(t.Context(), "price", 1, nil, []byte("{}"))
	if err != nil || string(document) != `{"success":true}` {
		t.Errorf("%s %v", document, err)
	}
}

func TestCertificates(t *testing.T) {
	s := httptest.NewUnstartedServer(answers(200, api.Command{Name: "price"}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // one client refuses the certificate
	s.StartTLS()
	defer s.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for _, test := range []struct {
		cas []byte
		ok  bool
	}{{certificate, true}, {nil, false}} {
		c, err := New(Options{Server: s.URL, CAs: test.cas, Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		if err := activate(t.Context(), c); (err == nil) != test.ok {
			t.Errorf("with its certificate %v: %v", test.ok, err)
		}
		c.Close()
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{
		{Server: ""},
		{Server: "127.0.0.1:8888"},
		{Server: "ftp://host"},
		{Server: "http://"},
		{Server: "http://user:secret@host"},
		{Server: "http://host?x=1"},
		{Server: "http://host", CAs: []byte("no certificate")},
	} {
		if _, err := New(o); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

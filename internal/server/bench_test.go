package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/tracing"
)

// constantEngine answers at once, so that what is left is the server's part.
type constantEngine struct{ answer engine.Answer }

func (e *constantEngine) Run(context.Context, *engine.Request) (*engine.Answer, error) {
	return &e.answer, nil
}

func (*constantEngine) Check(context.Context, string, *engine.Source) (diag.List, error) {
	return nil, nil
}

// path is a way of a request through the whole server, over a connection that
// is kept and whose client side allocates nothing.
type path struct {
	name    string
	engine  func(t testing.TB) Engine
	request []byte
	// allocations is the most that a request may make.
	allocations float64
}

const (
	greetScript = "addParam(name, who)\naddVar(greeting, \"Hello\")\ntext = greeting + \", \" + str(who)\naddVar(count, 3)\naddResult(text)"
	greetApp    = "addParam(name, who)\naddVar(greeting, \"Hello\")\ntext = greeting + \", \" + str(who)\naddVar(count, 3)\n" +
		"function greet(){\n    addResult(text)\n}\nregisterEndpoint(\"/greet\", \"POST\", [], \"greets\", greet, text)"
)

func paths(t testing.TB) []path {
	adhoc, err := json.Marshal(map[string]any{"script": greetScript, "name": "Ana", "variables": map[string]any{"level": 3}})
	if err != nil {
		t.Fatal(err)
	}
	return []path{
		{"server alone", theConstantEngine, post("/api/v1/execute?q=1", `{"script":"addVar(x, 1)\naddResult(x)","variables":{"a":1,"b":"text"},"id":7}`), 4},
		{"ad-hoc script", newEngine, post("/api/v1/execute", string(adhoc)), 3},
		{"endpoint of an app", newEngine, post("/greet", string(adhoc)), 3},
		{"registered command", newEngine, post("/api/v1/commands/greet/execute", `{"name":"Ana","variables":{"level":3}}`), 2},
	}
}

func post(path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func theConstantEngine(testing.TB) Engine {
	return &constantEngine{engine.Answer{Status: http.StatusOK, Script: "digest", JSON: []byte(`{"success":true,"result":{},"variables":{},"logs":[]}`)}}
}

func newEngine(t testing.TB) Engine {
	e, err := engine.New(EngineConfig(config.Default()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// open starts a server without log lines and gives what makes a request.
func (p *path) open(t testing.TB, tracer *tracing.Tracer, log *audit.Log) (ask func()) {
	_, dial := p.serve(t, tracer, log)
	c := dial()
	return func() {
		if err := c.ask(); err != nil {
			t.Fatal(err)
		}
	}
}

// serve starts a server without log lines and gives what makes a connection to it.
func (p *path) serve(t testing.TB, tracer *tracing.Tracer, log *audit.Log) (s *Server, dial func() *asker) {
	e := p.engine(t)
	options := Options{Config: config.Default(), Engine: e, Tracer: tracer, Audit: log, Log: slog.New(slog.DiscardHandler)}
	if ours, ok := e.(*engine.Engine); ok {
		options.Apps = apps.New(apps.Config{Engine: ours, Dir: t.TempDir(), Reserved: ReservedSegments()})
		if _, err := options.Apps.Fix(t.Context(), "greet", &engine.Source{Text: greetApp}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(options.Apps.Close)
		options.Commands = withCommand(t, ours, "greet", greetScript)
	}
	s = New(options)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, func() *asker {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return &asker{conn: conn, reader: bufio.NewReader(conn), request: p.request}
	}
}

// asker makes a request again and again, and allocates nothing.
type asker struct {
	conn    net.Conn
	reader  *bufio.Reader
	request []byte
}

func (a *asker) ask() error {
	if _, err := a.conn.Write(a.request); err != nil {
		return err
	}
	return skipResponse(a.reader)
}

// withCommand gives a registry with one command.
func withCommand(t testing.TB, e *engine.Engine, name, source string) *registry.Registry {
	t.Helper()
	key := newKey(t)
	sqlite, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), store.FileName), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	commands, err := registry.New(t.Context(), registry.Config{Primary: sqlite, Engine: e, Signer: &key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		commands.Stop()
		if err := sqlite.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, findings, err := commands.Build(t.Context(), name, source, registry.UploadOptions{Activate: true}); err != nil || findings.HasErrors() {
		t.Fatal(err, findings)
	}
	return commands
}

// BenchmarkRequest measures requests and counts what they allocate.
func BenchmarkRequest(b *testing.B) {
	for _, p := range paths(b) {
		for _, audited := range []string{"", "/audited"} {
			b.Run(p.name+audited, func(b *testing.B) {
				var log *audit.Log
				if audited != "" {
					log = newAudit(b)
				}
				ask := p.open(b, nil, log)
				ask()
				b.ReportAllocs()
				for b.Loop() {
					ask()
				}
			})
		}
		b.Run(p.name+"/parallel", func(b *testing.B) { p.inParallel(b) })
	}
}

// inParallel measures requests over as many connections as there are processors,
// which is what -cpu says.
func (p *path) inParallel(b *testing.B) {
	_, dial := p.serve(b, nil, nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		a := dial()
		for pb.Next() {
			if err := a.ask(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// What a request allocates is bounded: the collector's work comes from there.
func TestAllocationsPerRequest(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs the short tests, makes pools forget")
	}
	for _, p := range paths(t) {
		t.Run(p.name, func(t *testing.T) {
			// What the log's writer allocates for a whole block is no request's.
			resting := newAuditWith(t, func(c *audit.Config) { c.AtRisk = time.Hour })
			for name, log := range map[string]*audit.Log{"no audit log": nil, "audit log": resting} {
				server, dial := p.serve(t, nil, log)
				a := dial()
				warm(t, server, a) // what comes before machine code is there is no warm request's
				got := testing.AllocsPerRun(2000, func() {
					if err := a.ask(); err != nil {
						t.Fatal(err)
					}
				})
				if got > p.allocations {
					t.Errorf("%s: %v allocations per request, want at most %v", name, got, p.allocations)
				}
			}
		})
	}
}

// The room of a large answer does not wait for the next one.
func TestRoomOfAnswersIsBounded(t *testing.T) {
	for size, kept := range map[int]bool{100: true, keptAnswer + 1: false} {
		n := &note{answer: engine.Answer{JSON: make([]byte, size)}}
		if n.forget(); (cap(n.answer.JSON) > 0) != kept || len(n.answer.JSON) > 0 {
			t.Errorf("of %d bytes %d are kept", size, cap(n.answer.JSON))
		}
	}
}

// skipResponse reads an answer, and allocates nothing.
func skipResponse(reader *bufio.Reader) error {
	length, first := 0, true
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return fmt.Errorf("answered %s", line)
		}
		first = false
		if len(line) == 2 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, digit := range bytes.TrimSpace(value) {
				length = 10*length + int(digit-'0')
			}
		}
	}
	_, err := reader.Discard(length)
	return err
}

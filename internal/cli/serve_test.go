//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/engine"
)

// patience bounds every wait; nothing waits that long unless it is broken.
const patience = 20 * time.Second

var address = regexp.MustCompile(`^listening on (https?://127\.0\.0\.1:[1-9][0-9]*)\n$`)

// instance is `avap serve` in this process.
type instance struct {
	t      *testing.T
	url    string
	code   chan int
	stderr *lockedBuffer
	engine *engine.Engine
}

type lockedBuffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written *sync.Cond
	// late tells that nobody should wait any longer.
	late bool
}

func newLockedBuffer() *lockedBuffer {
	l := new(lockedBuffer)
	l.written = sync.NewCond(&l.mu)
	return l
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written.Broadcast()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServe starts a server that waits for its audit log for as long as the disk of
// a busy machine may need.
func startServe(t *testing.T, args ...string) *instance {
	t.Helper()
	reader, writer := io.Pipe()
	s := &instance{t: t, code: make(chan int, 1), stderr: newLockedBuffer()}
	go func() {
		s.code <- Main(context.Background(), Process{
			Args:  append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir(), "--audit-wait-ms", "60000"}, args...),
			Stdin: strings.NewReader(""), Stdout: writer, Stderr: s.stderr,
			onServe: func(e *engine.Engine) { s.engine = e },
		})
		writer.Close()
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatalf("no address: %v, %s", err, s.stderr)
	}
	m := address.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("printed %q", line)
	}
	s.url = m[1]
	return s
}

// execute posts a script and gives the status; 0 when there was no answer.
func (s *instance) execute(script string) <-chan int {
	status := make(chan int, 1)
	go func() {
		response, err := http.Post(s.url+"/api/v1/execute", "application/json", strings.NewReader(`{"script":"`+script+`"}`))
		if err != nil {
			status <- 0
			return
		}
		response.Body.Close()
		status <- response.StatusCode
	}()
	return status
}

func (s *instance) signal() {
	s.t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
}

func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}

// awaitReady waits until readiness is as wanted; false includes that nobody
// listens any more.
func (s *instance) awaitReady(want bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		response, err := http.Get(s.url + "/readyz")
		ready := err == nil && response.StatusCode == http.StatusOK
		if err == nil {
			response.Body.Close()
		}
		if ready == want {
			return
		}
	}
	s.t.Fatalf("readiness did not become %v", want)
}

// awaitRunning waits until so many executions are under way.
func (s *instance) awaitRunning(want int) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		if s.engine.Stats().Running == want {
			return
		}
	}
	s.t.Fatalf("%d executions run, want %d", s.engine.Stats().Running, want)
}

const endless = `while(true)\nend()`

// A running script is answered before the server ends: here by its own limit.
func TestServeDrains(t *testing.T) {
	s := startServe(t, "--limits-time-ms", "500")
	status := s.execute(endless)
	s.awaitRunning(1)
	s.signal()
	if got := await(t, "answer", status); got != http.StatusGatewayTimeout {
		t.Errorf("status %d", got)
	}
	if code := await(t, "exit", s.code); code != exitOK {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

// A script that outlasts the patience of the server is cancelled, and its
// caller is told.
func TestServeCancelsInTheEnd(t *testing.T) {
	s := startServe(t, "--limits-time-ms", "3600000", "--limits-fuel", "1000000000000000", "--shutdown-timeout-ms", "1")
	status := s.execute(endless)
	s.awaitRunning(1)
	s.signal()
	if got := await(t, "answer", status); got != http.StatusServiceUnavailable {
		t.Errorf("status %d", got)
	}
	if code := await(t, "exit", s.code); code != exitOK {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

func TestServeStopsAtOnceOnSecondSignal(t *testing.T) {
	s := startServe(t, "--limits-time-ms", "3600000", "--limits-fuel", "1000000000000000", "--shutdown-timeout-ms", "3600000")
	_ = s.execute(endless)
	s.awaitRunning(1)
	s.signal()
	s.awaitReady(false)
	s.signal()
	if code := await(t, "exit", s.code); code != exitScript || !strings.Contains(s.stderr.String(), "second signal") {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

// A client that goes away takes its script with it: with one compute slot,
// nothing else could answer within its own time otherwise.
func TestServeForgetsGoneClients(t *testing.T) {
	s := startServe(t, "--limits-time-ms", "3600000", "--limits-fuel", "1000000000000000", "--compute-slots", "1")
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/execute", strings.NewReader(`{"script":"`+endless+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
		}
	}()
	s.awaitRunning(1)
	cancel()
	await(t, "end of the request", gone)
	s.awaitRunning(0)
	if got := await(t, "answer", s.execute("addVar(x, 1)")); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	s.signal()
	if code := await(t, "exit", s.code); code != exitOK {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

func TestServeStopsOnSignal(t *testing.T) {
	s := startServe(t)
	s.awaitReady(true)
	s.signal()
	if code := await(t, "exit", s.code); code != exitOK {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

// call asks the server and gives status and body.
func (s *instance) call(method, path, token, body string) (int, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func (s *instance) want(method, path string, status int, body string) {
	s.t.Helper()
	if gotStatus, got := s.call(method, path, "", ""); gotStatus != status || body != "" && got != body {
		s.t.Errorf("%s %s: %d %s, want %d %s", method, path, gotStatus, got, status, body)
	}
}

// stop ends the server and waits for it.
func (s *instance) stop() {
	s.t.Helper()
	s.signal()
	if code := await(s.t, "exit", s.code); code != exitOK {
		s.t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

// Apps of the command line are served while they are named, stored ones until
// they are deleted, and a stored one that is broken keeps no other from it.
func TestServeApps(t *testing.T) {
	const token = "0123456789abcdef"
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("lib.avap", "function show(){\n    addParam(id, id)\n    addResult(id)\n}\n")
	shop := write("shop.avap", "import \"lib.avap\"\nregisterEndpoint(\"/orders/{id}\", \"GET\", [], \"One order\", show, out)")
	other := write("other.avap", "function f(){\n}\nregisterEndpoint(\"/other\", \"GET\", [], \"\", f, out)")
	args := []string{"--data-dir", filepath.Join(dir, "data"), "--admin-token-file", write("token", token)}

	s := startServe(t, append(args, "--app", shop, "--app", other)...)
	s.want(http.MethodGet, "/orders/7", 200, `{"id":7}`)
	s.want(http.MethodGet, "/other", 200, `{}`)
	if status, body := s.call(http.MethodPut, "/api/v1/apps/shop", token, "x = 1"); status != http.StatusConflict {
		t.Errorf("%d %s", status, body)
	}
	stored := "function f(){\n    addResult(x)\n}\nregisterEndpoint(\"/stored\", \"GET\", [], \"\", f, out)\nx = "
	for i, want := range []int{http.StatusCreated, http.StatusOK} {
		if status, body := s.call(http.MethodPut, "/api/v1/apps/stored", token, stored+strconv.Itoa(i)); status != want {
			t.Errorf("%d %s", status, body)
		}
	}
	s.stop()

	write("data/apps/broken.avap", "x = (")
	s = startServe(t, args...)
	s.want(http.MethodGet, "/stored", 200, `{"x":1}`)
	s.want(http.MethodGet, "/orders/7", 404, "")
	_, list := s.call(http.MethodGet, "/api/v1/apps", "", "")
	if !strings.Contains(list, `{"name":"broken","stored":true,"routes":[],"error":"broken.avap:1:5: ( is not closed"`) ||
		!strings.Contains(s.stderr.String(), "a stored app cannot be served") {
		t.Errorf("the broken app is not reported: %s\n%s", list, s.stderr)
	}
	if status, body := s.call(http.MethodDelete, "/api/v1/apps/stored", token, ""); status != http.StatusNoContent {
		t.Errorf("%d %s", status, body)
	}
	s.stop()

	s = startServe(t, args...)
	s.want(http.MethodGet, "/stored", 404, "")
	s.stop()
}

// An address that is taken is found before anything is written.
func TestTakenAddress(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	var stderr bytes.Buffer
	code := Main(t.Context(), Process{
		Args: []string{"serve", "--listen", taken.Addr().String(), "--data-dir", dir}, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr,
	})
	if code != exitUsage || !strings.Contains(stderr.String(), "cannot listen on") {
		t.Errorf("%d %s", code, stderr.String())
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of the data is there: %v", err)
	}
}

// A server on a processor whose machine code is known to be wrong says so.
func TestProcessorIsNamed(t *testing.T) {
	for architecture, lines := range map[string]int{"arm64": 1, "amd64": 0} {
		log := newLockedBuffer()
		warnOfProcessor(slog.New(slog.NewTextHandler(log, nil)), architecture)
		if got := strings.Count(log.String(), "level=WARN"); got != lines {
			t.Errorf("%s: %d warnings in %q", architecture, got, log)
		}
	}
}

// A server that is started again has its commands compiled before anyone calls
// them: the first call finds machine code. With compile_ahead_percent 0 it makes it.
func TestServeCompilesAhead(t *testing.T) {
	const token = "0123456789abcdef"
	dir := dirWithKey(t)
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--data-dir", filepath.Join(dir, "data"), "--admin-token-file", filepath.Join(dir, "token"), "--registry-signing-key-file", filepath.Join(dir, "key")}
	s := startServe(t, args...)
	if status, body := s.call(http.MethodPost, "/api/v1/compile", token, `{"command_name":"order","script":"r = 1\naddResult(r)"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	s.stop()
	for percent, want := range map[string]int{"25": 0, "0": 1} {
		s := startServe(t, append(args, "--registry-compile-ahead-percent", percent)...)
		if want == 0 {
			s.awaitLog("commands were compiled before anyone called them", 1)
			if n := s.counted(`avap_commands_compiled_ahead_total{result="compiled"}`); n != 1 {
				t.Errorf("%d commands were compiled ahead", n)
			}
		}
		const compiles = `avap_compile_seconds_count{tier="code"}`
		before := s.counted(compiles)
		s.want(http.MethodPost, "/api/v1/commands/order/execute", http.StatusOK, "")
		if got := s.counted(compiles) - before; got != want {
			t.Errorf("%s percent: the first call compiled %d times", percent, got)
		}
		s.stop()
	}
}

// counted is what a metric is at.
func (s *instance) counted(name string) (n int) {
	s.t.Helper()
	_, metrics := s.call(http.MethodGet, "/api/v1/metrics", "", "")
	_, rest, found := strings.Cut(metrics, "\n"+name+" ")
	if !found {
		s.t.Fatalf("no %s in %s", name, metrics)
	}
	text, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

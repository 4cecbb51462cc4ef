//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/engine"
)

// patience bounds every wait; nothing waits that long unless it is broken.
const patience = 20 * time.Second

var address = regexp.MustCompile(`^listening on (http://127\.0\.0\.1:[1-9][0-9]*)\n$`)

// instance is `avap serve` in this process.
type instance struct {
	t      *testing.T
	url    string
	code   chan int
	stderr *lockedBuffer
	engine *engine.Engine
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startServe(t *testing.T, args ...string) *instance {
	t.Helper()
	reader, writer := io.Pipe()
	s := &instance{t: t, code: make(chan int, 1), stderr: new(lockedBuffer)}
	go func() {
		s.code <- Main(context.Background(), Process{
			Args:  append([]string{"serve", "--listen", "127.0.0.1:0"}, args...),
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

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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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

func TestServeStopsOnSignal(t *testing.T) {
	s := startServe(t)
	s.awaitReady(true)
	s.signal()
	if code := await(t, "exit", s.code); code != exitOK {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; nothing waits that long unless it is broken.
const patience = 30 * time.Second

// process is `avap serve` in a process of its own.
type process struct {
	t       *testing.T
	command *exec.Cmd
	url     string

	mu    sync.Mutex
	log   strings.Builder
	lines chan struct{} // has something when the log has grown
}

// startProcess starts the program with more variables and flags. It waits for its
// audit log for as long as the disk of a busy machine may need.
func startProcess(t *testing.T, environ []string, flags ...string) *process {
	t.Helper()
	p := &process{t: t, lines: make(chan struct{}, 1)}
	p.command = exec.CommandContext(t.Context(), "avap", append([]string{"serve", "--listen", "127.0.0.1:0", "--audit-wait-ms", "60000"}, flags...)...)
	p.command.Env = append(os.Environ(), environ...)
	p.command.Stderr = p
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = p.command.Wait()
		t.Fatalf("no address: %v, %s", err, p.logged())
	}
	_, p.url, _ = strings.Cut(strings.TrimSpace(line), "listening on ")
	return p
}

// Write takes the log of the process.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.lines <- struct{}{}:
	default:
	}
	return p.log.Write(b)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// awaitLog waits for a text in the log.
func (p *process) awaitLog(text string) {
	p.t.Helper()
	late := time.After(patience)
	for !strings.Contains(p.logged(), text) {
		select {
		case <-p.lines:
		case <-late:
			p.t.Fatalf("%q is not in the log:\n%s", text, p.logged())
		}
	}
}

// ask gives status and body of an answer.
func (p *process) ask(method, path, token, body string) (int, string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// stop ends the process by a signal.
func (p *process) stop() {
	p.t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("%v: %s", err, p.logged())
	}
}

package conformance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Server is a running `avap serve` on a free loopback port.
type Server struct {
	URL string // http://127.0.0.1:port

	command *exec.Cmd
	client  *http.Client
	dir     string
	output  transcript
	ended   chan struct{}
}

const (
	startTimeout   = 30 * time.Second
	stopTimeout    = 10 * time.Second
	requestTimeout = 60 * time.Second
	answerBytes    = 64 << 20
)

var listenAddress = regexp.MustCompile(`127\.0\.0\.1:([1-9][0-9]*)`)

// Start builds the server unless CONFORMANCE_BINARY names one, starts it with additional arguments and waits until it listens.
func Start(arguments ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "avap-conformance-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, ended: make(chan struct{}), client: &http.Client{Timeout: requestTimeout}}
	binary := os.Getenv("CONFORMANCE_BINARY")
	if binary == "" {
		binary = filepath.Join(dir, "avap")
		build := exec.Command("go", "build", "-o", binary, "github.com/avapd/avapd/cmd/avap")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, errors.Join(fmt.Errorf("building the server: %w\n%s", err, out), os.RemoveAll(dir))
		}
	}
	arguments = append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "data")}, arguments...)
	s.command = exec.Command(binary, arguments...)
	s.command.Dir = dir
	// The disk of a busy machine may take longer than executions wait for it by default.
	s.command.Env = append(os.Environ(), "AVAP_EGRESS_ALLOW=127.0.0.0/8", "AVAP_AUDIT_WAIT_MS=60000")
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// start launches the process and waits for the address that it prints.
func (s *Server) start() error {
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	s.command.Stdout, s.command.Stderr = writer, writer
	if err := s.command.Start(); err != nil {
		close(s.ended)
		return errors.Join(err, reader.Close(), writer.Close())
	}
	go func() {
		_ = s.command.Wait() // the transcript tells more than the exit status
		close(s.ended)
	}()
	if err := writer.Close(); err != nil {
		return err
	}
	address := make(chan string, 1)
	go s.read(reader, address)
	select {
	case found := <-address:
		s.URL = "http://" + found
		return nil
	case <-s.ended:
		return fmt.Errorf("the server ended at once:\n%s", s.output.String())
	case <-time.After(startTimeout):
		return fmt.Errorf("the server printed no address:\n%s", s.output.String())
	}
}

func (s *Server) read(reader *os.File, address chan<- string) {
	lines := bufio.NewReader(reader)
	for {
		line, err := lines.ReadString('\n')
		s.output.add(line)
		if found := listenAddress.FindString(line); found != "" {
			select {
			case address <- found:
			default:
			}
		}
		if err != nil {
			_ = reader.Close()
			return
		}
	}
}

// Output is what the server has written so far, at most the last 64 KiB.
func (s *Server) Output() string { return s.output.String() }

// Stop ends the server as an operator would, and removes its files.
func (s *Server) Stop() error {
	if s.command.Process != nil {
		_ = s.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(stopTimeout):
			_ = s.command.Process.Kill()
			<-s.ended
		}
	}
	return os.RemoveAll(s.dir)
}

// Execute posts a body to /api/v1/execute.
func (s *Server) Execute(ctx context.Context, query Query, body []byte) (Answer, error) {
	url := s.URL + "/api/v1/execute"
	if query != "" {
		url += "?" + string(query)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	return Answer{Status: response.StatusCode, Body: text}, err
}

// Run executes a case and tells what is wrong with its answer.
func (s *Server) Run(ctx context.Context, c *Case, port string) error {
	body, err := c.Request(port)
	if err != nil {
		return err
	}
	got, err := s.Execute(ctx, c.Query, body)
	if err != nil {
		return err
	}
	return c.Expect.Check(got)
}

// transcript keeps the end of what a process writes.
type transcript struct {
	mutex sync.Mutex
	text  strings.Builder
}

const transcriptBytes = 64 << 10

func (t *transcript) add(line string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.text.Len() > transcriptBytes {
		t.text.Reset()
	}
	t.text.WriteString(line)
}

func (t *transcript) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.text.String()
}

package testservices

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Redis is a Redis server for the tests of one binary. It keeps nothing over
// a restart and asks for a password.
type Redis struct {
	binary, dir, port string
	process           *Process // nil while it is down
}

const redisPassword = "secret-redis"

// StartRedis starts a server on a free port. Call it from TestMain.
func StartRedis() (*Redis, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("Redis: %w", ErrMissing)
	}
	dir, err := os.MkdirTemp("", "avap-redis-")
	if err != nil {
		return nil, err
	}
	r := &Redis{binary: binary, dir: dir}
	if r.port, err = freePort(context.Background()); err == nil {
		err = r.start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return r, nil
}

// RunWithRedis runs the tests of a package beside a server, or an error that says
// why there is none, and gives the exit code. No test may leave a goroutine, but
// those that are named.
func RunWithRedis(m *testing.M, server **Redis, missing *error, leaks ...goleak.Option) int {
	*server, *missing = StartRedis()
	code := m.Run()
	if err := errors.Join((*server).Stop(), goleak.Find(append(Leaks(), leaks...)...)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func (r *Redis) start() error {
	ctx := context.Background()
	server := exec.CommandContext(ctx, r.binary, "--port", r.port, "--bind", "127.0.0.1", "--dir", r.dir, //nolint:gosec // the server's own binary
		"--save", "", "--appendonly", "no", "--requirepass", redisPassword)
	output := &bytes.Buffer{}
	server.Stdout, server.Stderr = output, output
	var err error
	if r.process, err = Launch(server); err != nil {
		return err
	}
	if err := await(ctx, r.ping); err != nil {
		return errors.Join(err, r.Kill(), errors.New(output.String()))
	}
	return nil
}

func (r *Redis) ping(ctx context.Context) error {
	_, err := r.Do(ctx, "PING")
	return err
}

// Do sends a command of plain words and gives the answer, if that is text.
func (r *Redis) Do(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.Address())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\n%s\r\n", redisPassword, command); err != nil {
		return "", err
	}
	reader := bufio.NewReader(conn)
	if answer, err := reader.ReadString('\n'); err != nil || answer != "+OK\r\n" {
		return "", errors.Join(err, fmt.Errorf("Redis answers %q", answer))
	}
	return readText(reader)
}

// readText reads a simple or a bulk string.
func readText(reader *bufio.Reader) (string, error) {
	line, err := reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	switch {
	case strings.HasPrefix(line, "+"):
		return line[1:], nil
	case strings.HasPrefix(line, "$"):
		length, err := strconv.Atoi(line[1:])
		if err != nil || length < 0 {
			return "", errors.Join(err, fmt.Errorf("Redis answers %q", line))
		}
		text := make([]byte, length)
		_, err = io.ReadFull(reader, text)
		return string(text), err
	}
	return "", fmt.Errorf("Redis answers %q", line)
}

// Address is host and port.
func (r *Redis) Address() string { return net.JoinHostPort("127.0.0.1", r.port) }

// URL is the server with its password, at another address if one is given: a
// proxy before it, for example.
func (r *Redis) URL(address string) string {
	if address == "" {
		address = r.Address()
	}
	return (&url.URL{Scheme: "redis", User: url.UserPassword("", redisPassword), Host: address}).String()
}

// Down ends the server at once, as a crash would, and Up starts it again, at
// the same address and with nothing in it.
func (r *Redis) Down(t testing.TB) {
	t.Helper()
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
}

// Up starts a server that is down; otherwise it does nothing.
func (r *Redis) Up(t testing.TB) {
	t.Helper()
	if err := r.Restart(); err != nil {
		t.Fatal(err)
	}
}

// Restart is Up for those who are no test.
func (r *Redis) Restart() error {
	if r.process != nil {
		return nil
	}
	return r.start()
}

// Kill is Down for those who are no test.
func (r *Redis) Kill() error {
	if r.process == nil {
		return nil
	}
	p := r.process
	r.process = nil
	return p.Stop(syscall.SIGKILL)
}

// Stop ends the server and removes its files.
func (r *Redis) Stop() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.Kill(), os.RemoveAll(r.dir))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// nuisance is something that clients do to servers. It gets a connection, which
// is closed afterwards, and tells what the server did wrong.
type nuisance struct {
	name  string
	pause time.Duration
	do    func(ctx context.Context, c net.Conn) error
}

// cutTime is when a server has long done with a client that does not go on.
const cutTime = 6 * readTimeout

var nuisances = []nuisance{
	{"slow client", 50 * time.Millisecond, slowly},
	{"garbage", 20 * time.Millisecond, garbage},
	{"oversized body", 200 * time.Millisecond, oversized},
	{"disconnect within the body", 20 * time.Millisecond, func(_ context.Context, c net.Conn) error {
		_, err := c.Write([]byte("POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"script\": "))
		return sent(err)
	}},
	{"disconnect within the execution", 50 * time.Millisecond, func(ctx context.Context, c net.Conn) error {
		return leave(ctx, c, `{"script": "i = 0\nwhile(True)\n    i = (i + 1) % 1000\nend()"}`, pathExecute)
	}},
	{"disconnect within the batch", 200 * time.Millisecond, func(ctx context.Context, c net.Conn) error {
		item := `{"script": "i = 0\nwhile(i < 3000000)\n    i = i + 1\nend()"}`
		return leave(ctx, c, `{"items": [`+strings.Repeat(item+",", 9)+item+`]}`, pathExecute+"/batch")
	}},
	{"client that does not read", 500 * time.Millisecond, func(ctx context.Context, c net.Conn) error {
		return leave(ctx, c, `{"script": "s = \"x\" * 4000000\naddResult(s)"}`, pathExecute)
	}},
}

// repeat does it again and again.
func (n *nuisance) repeat(ctx context.Context, address string, t *traffic) {
	for ctx.Err() == nil {
		c, err := (&net.Dialer{Timeout: cutTime}).DialContext(context.WithoutCancel(ctx), "tcp", address)
		if err != nil {
			t.other(n.name, err)
			return
		}
		err = n.do(ctx, c)
		_ = c.Close() // in whatever state it is
		t.other(n.name, err)
		rest(ctx, n.pause)
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// sent is no error where the server has closed the connection, as it may.
func sent(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// leave sends a request and does not wait for its end.
func leave(ctx context.Context, c net.Conn, body, path string) error {
	_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	rest(ctx, time.Duration(rand.IntN(100))*time.Millisecond)
	return sent(err)
}

// closes waits until the server closes the connection, and gives the beginning of
// what it says.
func closes(c net.Conn) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(cutTime)); err != nil {
		return "", err
	}
	said := make([]byte, 0, 4096)
	for {
		if len(said) == cap(said) {
			said = said[:0]
		}
		n, err := c.Read(said[len(said):cap(said)])
		said = said[:len(said)+n]
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return string(said), fmt.Errorf("the connection is still open after %s", cutTime)
		case err != nil:
			return string(said), nil //nolint:nilerr // an end is an end
		}
	}
}

// slowly sends a request byte by byte, until the server has had enough of it.
func slowly(ctx context.Context, c net.Conn) error {
	for _, b := range []byte("POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\n") {
		if _, err := c.Write([]byte{b}); err != nil {
			return sent(err)
		}
		rest(ctx, 10*time.Millisecond)
	}
	select {
	case <-ctx.Done(): // the rest of the load does not wait for the server
		return nil
	default:
		_, err := closes(c)
		return err
	}
}

// garbage sends bytes that are no request, and lines that nearly are one.
func garbage(_ context.Context, c net.Conn) error {
	bytes := make([]byte, 1+rand.IntN(2000))
	for i := range bytes {
		bytes[i] = byte(rand.Uint32())
	}
	text := string(bytes)
	if rand.IntN(2) == 0 {
		text = "POST /api/v1/execute HTTP/1.1\r\n" + text
	}
	if _, err := c.Write([]byte(text + "\r\n\r\n")); err != nil {
		return sent(err)
	}
	_, err := closes(c)
	return err
}

// oversized announces more than is taken, and sends some of it.
func oversized(_ context.Context, c net.Conn) error {
	_, err := c.Write([]byte("POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n" + strings.Repeat(" ", 64<<10)))
	if err != nil {
		return sent(err)
	}
	said, err := closes(c)
	if err == nil && !strings.HasPrefix(said, "HTTP/1.1 413 ") {
		err = fmt.Errorf("it is answered %q", said)
	}
	return err
}

// goodSettings take turns; badSettings have a fault each.
var (
	goodSettings = []string{"limits:\n  fuel: 1000000000\n", "limits:\n  fuel: 900000000\n  call_depth: 900\nlog:\n  level: warn\n"}
	badSettings  = []string{"limits:\n  fuel: many\n", "limits: [\n", "no_such_key: 1\n"}
)

// configure writes the file of settings as a whole.
func (t *target) configure(text string) error {
	next := t.settings + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, t.settings)
}

// operate changes settings all the time: to good ones and to such that have
// faults, and asks for a reload each time.
func (t *target) operate(ctx context.Context, pause time.Duration, tr *traffic) {
	for i := 0; ctx.Err() == nil; i++ {
		what, text := "reload", goodSettings[(i/2+1)%len(goodSettings)]
		if i%2 == 1 {
			what, text = "reload of settings with faults", badSettings[i/2%len(badSettings)]
		}
		err := t.configure(text)
		if err == nil {
			err = t.command.Process.Signal(syscall.SIGHUP)
		}
		tr.other(what, err)
		rest(ctx, pause)
	}
}

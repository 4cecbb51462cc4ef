package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
)

func (h *harness) dial() *net.TCPConn {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		h.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
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

const waitRequest = "POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\n{\"script\":\"wait\"}"

func TestDisconnectCancels(t *testing.T) {
	h := start(t)
	pipelined := "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
	tests := []struct {
		name string
		send string
		end  func(*net.TCPConn) error
	}{
		{"close", waitRequest, (*net.TCPConn).Close},
		{"reset", waitRequest, func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }},
		{"half close", waitRequest, (*net.TCPConn).CloseWrite},
		{"close behind a pipelined request", waitRequest + pipelined, (*net.TCPConn).Close},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn := h.dial()
			send(t, conn, test.send)
			await(t, "start", h.engine.started)
			if err := test.end(conn); err != nil {
				t.Fatal(err)
			}
			err := await(t, "cancellation", h.engine.ended)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, errClientGone) {
				t.Errorf("cancelled by %v", err)
			}
		})
	}
}

// The watcher must leave a pipelined request's bytes alone.
func TestPipelinedRequestIsKept(t *testing.T) {
	h := start(t)
	conn := h.dial()
	send(t, conn, waitRequest+"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
	await(t, "start", h.engine.started)
	// Two looks of the watcher while the run is under way.
	for range 2 {
		h.watcher.look()
	}
	h.engine.release <- struct{}{}
	reader := bufio.NewReader(conn)
	for _, want := range []string{`{"success":true,"result":{}}`, `{"status":"alive"}`} {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != want {
			t.Errorf("got %s, %v; want %s", body, err, want)
		}
	}
}

func TestShutdownDrains(t *testing.T) {
	h := start(t)
	conn := h.dial()
	send(t, conn, waitRequest)
	await(t, "start", h.engine.started)
	stopped := make(chan error, 1)
	go func() { stopped <- h.Shutdown(context.Background()) }()
	// The listener closes first; until then a new connection may get in.
	for {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			break
		}
		c.Close()
	}
	if !h.stopping.Load() {
		t.Error("still ready")
	}
	h.engine.release <- struct{}{}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK || !response.Close {
		t.Errorf("status %d, close %v", response.StatusCode, response.Close)
	}
	if err := await(t, "stop", stopped); err != nil {
		t.Error(err)
	}
}

func TestShutdownCancelsInTheEnd(t *testing.T) {
	h := start(t)
	conn := h.dial()
	send(t, conn, waitRequest)
	await(t, "start", h.engine.started)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := await(t, "cancellation", h.engine.ended); !errors.Is(err, errShutdown) {
		t.Errorf("cancelled by %v", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), string(diag.Cancelled)) {
		t.Errorf("got %d %s %v", response.StatusCode, body, err)
	}
}

// A request that reaches its handler after everything was cancelled must not
// run to its own limits.
func TestLateExecutionIsCancelled(t *testing.T) {
	w := newWatcher()
	defer w.close()
	w.cancelAll(errShutdown)
	late := runContext{watched: new(watched)}
	w.add(late.watched, nil, &late)
	defer w.remove(late.watched)
	if err := late.Err(); !errors.Is(err, errShutdown) {
		t.Errorf("cancelled by %v", err)
	}
}

func TestSlowRequestIsCut(t *testing.T) {
	// The part of the request has to arrive within the time: a connection on which
	// nothing came is closed without an answer.
	h := start(t, "--http-read-timeout-ms=1000")
	conn := h.dial()
	send(t, conn, "POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\n{")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), string(diag.SlowRequest)) {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}

// A client that does not read its answer is cut off, and one that reads gets all
// of it.
func TestSlowReaderIsCut(t *testing.T) {
	const request = "POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\n{\"script\":\"long\"}"
	read := func(h *harness, before func()) (announced, got int64, err error) {
		conn := h.dial()
		send(t, conn, request)
		reader := bufio.NewReader(conn)
		if _, err := reader.Peek(1); err != nil { // the answer has begun
			return 0, 0, err
		}
		before()
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return 0, 0, err
		}
		defer response.Body.Close()
		got, err = io.Copy(io.Discard, response.Body)
		return response.ContentLength, got, err
	}
	h := start(t, "--http-write-timeout-ms=50", "--http-compress-bytes=0")
	open := h.app.Server().GetOpenConnectionsCount
	announced, got, err := read(h, func() {
		for began := time.Now(); open() > 0 && time.Since(began) < patience; {
			runtime.Gosched()
		}
	})
	if err == nil || got >= int64(len(longAnswer())) {
		t.Errorf("got %d of %d bytes, %v", got, announced, err)
	}
	patient := start(t, "--http-write-timeout-ms=20000", "--http-compress-bytes=0")
	if announced, got, err := read(patient, func() {}); err != nil || got != int64(len(longAnswer())) || got != announced {
		t.Errorf("a client that reads got %d of %d bytes, %v", got, announced, err)
	}
}

// A connection is closed when no request comes for a while.
func TestIdleConnectionIsCut(t *testing.T) {
	h := start(t, "--http-idle-timeout-ms=50")
	conn := h.dial()
	send(t, conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Close {
		t.Errorf("status %d, close %v", response.StatusCode, response.Close)
	}
	if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("%v instead of the end of the connection", err)
	}
}

// TestRawRequests is the regression table for the pinned fasthttp: what a
// request-smuggling attempt, or a client that bends the grammar, gets. Run it
// again whenever the pin moves.
func TestRawRequests(t *testing.T) {
	h := start(t, "--http-header-limit-bytes=16384")
	const post = "POST /api/v1/execute HTTP/1.1\r\n"
	const body = `{"script":"count"}`
	tests := []struct {
		name, request string
		status        int // of the first answer
		runs          int
	}{
		{"plain", post + "Host: localhost\r\nContent-Length: 18\r\n\r\n" + body, 200, 1},
		{"chunked", post + "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n" + body + "\r\n0\r\n\r\n", 200, 1},
		{
			"length and chunked, a request in the tail", post + "Host: localhost\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n" + body + "\r\n0\r\n\r\n" +
				post + "Host: localhost\r\nContent-Length: 18\r\n\r\n" + body, 200, 1,
		},
		{"two lengths", post + "Host: localhost\r\nContent-Length: 18\r\nContent-Length: 19\r\n\r\n" + body + " ", 400, 0},
		{"signed length", post + "Host: localhost\r\nContent-Length: +18\r\n\r\n" + body, 400, 0},
		{"LF in a chunk extension", post + "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n12;a\nb\r\n" + body + "\r\n0\r\n\r\n", 400, 0},
		{"NUL in a header value", post + "Host: localhost\r\nX-A: a\x00b\r\nContent-Length: 18\r\n\r\n" + body, 400, 0},
		{"no host", post + "Content-Length: 18\r\n\r\n" + body, 400, 0},
		{"two hosts", post + "Host: localhost\r\nHost: y\r\nContent-Length: 18\r\n\r\n" + body, 400, 0},
		{"blank before the colon", post + "Host: localhost\r\nContent-Length : 18\r\n\r\n" + body, 400, 0},
		// Refused only when the client stops sending: no end of the headers is seen.
		{"bare LF", "POST /api/v1/execute HTTP/1.1\nHost: x\nContent-Length: 18\n\n" + body, 400, 0},
		{"unknown transfer encoding", post + "Host: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n12\r\n" + body + "\r\n0\r\n\r\n", 400, 0},
		{"huge header", post + "Host: localhost\r\nX-A: " + strings.Repeat("a", 20000) + "\r\nContent-Length: 18\r\n\r\n" + body, 431, 0},
		{"huge length", post + "Host: localhost\r\nContent-Length: 99999999999\r\n\r\n", 413, 0},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 0},
		{"no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			runs := countRuns(h)
			conn := h.dial()
			// The server may answer and close before it has read everything.
			_, _ = io.WriteString(conn, test.request)
			_ = conn.CloseWrite()
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			status := 0
			if err == nil {
				status = response.StatusCode
				response.Body.Close()
			}
			_, _ = io.Copy(io.Discard, conn)
			if status != test.status || runs() != test.runs {
				t.Errorf("status %d, %d runs; want %d and %d", status, runs(), test.status, test.runs)
			}
		})
	}
}

// countRuns counts executions from now on, as the log has them.
func countRuns(h *harness) func() int {
	count := func() int { return strings.Count(h.logs.String(), `"script":"digest"`) }
	before := count()
	return func() int { return count() - before }
}

// A server that is told to stop before it serves, or meanwhile, does not begin.
func TestShutdownBeforeServing(t *testing.T) {
	for range 20 {
		h := startWith(t, func(*Options) {}) // which stops it at the end in any case
		if err := h.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Serve(listener); err != nil {
			t.Error(err)
		}
		if conn, err := net.Dial("tcp", listener.Addr().String()); err == nil {
			_ = conn.Close()
			t.Error("the listener is still open")
		}
	}
}

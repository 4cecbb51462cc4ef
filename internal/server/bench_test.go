package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// constantEngine answers at once, so that what is left is the server's part.
type constantEngine struct{ answer engine.Answer }

func (e *constantEngine) Run(context.Context, *engine.Request) (*engine.Answer, error) {
	return &e.answer, nil
}

func (*constantEngine) Check(string) diag.List { return nil }

// BenchmarkExecute measures a request over a kept-alive connection, whose
// client side allocates nothing, without log lines.
func BenchmarkExecute(b *testing.B) {
	s := New(Options{
		Config: config.Default(),
		Engine: &constantEngine{engine.Answer{Status: http.StatusOK, JSON: []byte(`{"success":true,"result":{},"variables":{},"logs":[]}`)}},
		Log:    slog.New(slog.DiscardHandler),
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	body := `{"script":"addVar(x, 1)\naddResult(x)","variables":{"a":1,"b":"text"},"id":7}`
	request := fmt.Appendf(nil, "POST /api/v1/execute?q=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	reader := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		skipResponse(b, reader)
	}
	b.StopTimer()
	conn.Close()
	if err := s.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func skipResponse(b *testing.B, reader *bufio.Reader) {
	length := 0
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if len(line) == 2 {
			break
		}
		if name, value, ok := strings.Cut(string(line), ": "); ok && name == "Content-Length" {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	if _, err := io.CopyN(io.Discard, reader, int64(length)); err != nil {
		b.Fatal(err)
	}
}

package main

import (
	"bufio"
	"context"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/avapd/avapd/internal/cli"
)

// running is a server in this process.
type running struct {
	address string
	stop    func() (code int)
}

// startServer starts `avap serve` on a free port. The error is that of reading
// its address, which it does not print if it does not start. It waits for its audit
// log for as long as the disk of a busy machine may need.
func startServer(flags []string) (*running, error) {
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, cli.Process{
			Args:  append([]string{"serve", "--listen", "127.0.0.1:0", "--audit-wait-ms", "60000"}, flags...),
			Stdin: strings.NewReader(""), Stdout: writer, Stderr: io.Discard,
		})
		writer.Close()
	}()
	r := &running{stop: func() int {
		cancel()
		return <-ended
	}}
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		r.stop()
		return nil, err
	}
	_, r.address, _ = strings.Cut(strings.TrimSpace(line), "listening on ")
	return r, nil
}

// serverKey is where a script's server is kept.
type serverKey struct{}

// server is the script command `server FLAG…`: it starts a server, of which
// AVAP_SERVER is the address, after it has stopped the one before. `server stop`
// only stops it.
func server(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: server FLAG… or server stop")
	}
	slot, _ := ts.Value(serverKey{}).(*running)
	if slot.stop != nil {
		if code := slot.stop(); code != 0 {
			ts.Fatalf("the server ended with code %d", code)
		}
		slot.stop = nil
	}
	if len(args) == 1 && args[0] == "stop" {
		return
	}
	started, err := startServer(args)
	ts.Check(err)
	*slot = *started
	ts.Setenv("AVAP_SERVER", slot.address)
}

// images is the script command `images`: it starts a registry of container
// images, of which IMAGES is the address, and keeps logins of whoever runs the
// test out.
func images(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: images")
	}
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(s.Close)
	ts.Setenv("IMAGES", strings.TrimPrefix(s.URL, "http://"))
	ts.Setenv("DOCKER_CONFIG", ts.MkAbs("none"))
}

// withServer gives a script the place for its server.
func withServer(env *testscript.Env) error {
	slot := new(running)
	env.Values[serverKey{}] = slot
	env.Defer(func() {
		if slot.stop != nil {
			slot.stop()
		}
	})
	return nil
}

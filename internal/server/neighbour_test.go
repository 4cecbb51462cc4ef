package server

import (
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/diag"
)

// Probes need nothing that executions hold: no slot, no queue, no lock of the
// engine. Here the engine answers nothing at all.
func TestProbesWhileTheEngineIsStuck(t *testing.T) {
	h := start(t)
	const stuck = 8
	var group sync.WaitGroup
	for range stuck {
		group.Go(func() { h.execute(`{"script":"wait"}`) })
	}
	for range stuck {
		await(t, "start", h.engine.started)
	}
	h.engine.mu.Lock()
	for _, path := range []string{pathLive, pathReady} {
		if r := h.do(http.MethodGet, path, "", nil); r.StatusCode != http.StatusOK {
			t.Errorf("%s answered %d", path, r.StatusCode)
		}
	}
	h.engine.mu.Unlock()
	close(h.engine.release)
	group.Wait()
}

// Whose the request is, is known to the engine.
func TestRequestsHaveAClient(t *testing.T) {
	h := start(t)
	h.execute(`{"script":"ok"}`)
	if got := h.engine.request().Client; got != string([]byte{127, 0, 0, 1}) {
		t.Errorf("the client is %q", got)
	}
	r := h.execute(`{"script":"fail ` + string(diag.TooManyRequests) + `"}`)
	r.wantProblem(t, http.StatusTooManyRequests, diag.TooManyRequests)
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// All addresses of an IPv6 network are one client, and an address counts as
// the same in both of its forms.
func TestClientOfAddress(t *testing.T) {
	app := fiber.New()
	of := func(address string) string {
		var c fasthttp.RequestCtx
		c.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.ParseIP(address)}, nil)
		ctx := app.AcquireCtx(&c)
		defer app.ReleaseCtx(ctx)
		return networkOf(ctx)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"2001:db8::1", "192.0.2.1", false},
	} {
		if got := of(c.a) == of(c.b); got != c.same {
			t.Errorf("%s and %s: one client is %v", c.a, c.b, got)
		}
	}
}

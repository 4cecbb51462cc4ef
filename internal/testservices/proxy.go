package testservices

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// Proxy stands between a client and a service and does to their connections
// what networks do. A fault lasts until the proxy is healed.
type Proxy struct {
	proxy *toxiproxy.Proxy
}

// NewProxy starts a proxy before the service at an address, for one test.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &Proxy{toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", upstream)}
	p.Up(t)
	t.Cleanup(p.proxy.Stop)
	return p
}

// Address is where the service is to be found behind the proxy, for as long as
// the test runs.
func (p *Proxy) Address() string {
	p.proxy.Lock()
	defer p.proxy.Unlock()
	return p.proxy.Listen
}

// Down refuses connections and ends those that are open.
func (p *Proxy) Down() { p.proxy.Stop() }

// Up takes connections again.
func (p *Proxy) Up(t testing.TB) {
	t.Helper()
	if err := p.proxy.Start(); err != nil {
		t.Fatal(err)
	}
}

// Delay holds back what the service answers.
func (p *Proxy) Delay(t testing.TB, d time.Duration) {
	t.Helper()
	p.add(t, "latency", "downstream", fmt.Sprintf(`{"latency": %d}`, d.Milliseconds()))
}

// BlackHole swallows everything in both directions; connections stay open, and
// new ones are taken.
func (p *Proxy) BlackHole(t testing.TB) {
	t.Helper()
	p.add(t, "timeout", "downstream", `{"timeout": 0}`)
	p.add(t, "timeout", "upstream", `{"timeout": 0}`)
}

// Cut lets so many bytes of answers through on each connection, and then ends
// it.
func (p *Proxy) Cut(t testing.TB, bytes int) {
	t.Helper()
	p.add(t, "limit_data", "downstream", fmt.Sprintf(`{"bytes": %d}`, bytes))
}

// CutRequests lets so many bytes of requests through on each connection, and
// then ends it.
func (p *Proxy) CutRequests(t testing.TB, bytes int) {
	t.Helper()
	p.add(t, "limit_data", "upstream", fmt.Sprintf(`{"bytes": %d}`, bytes))
}

// Reset ends a connection with a reset as soon as the service answers.
func (p *Proxy) Reset(t testing.TB) {
	t.Helper()
	p.add(t, "reset_peer", "downstream", `{"timeout": 0}`)
}

func (p *Proxy) add(t testing.TB, kind, stream, attributes string) {
	t.Helper()
	toxic := fmt.Sprintf(`{"type": %q, "stream": %q, "attributes": %s}`, kind, stream, attributes)
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatal(err)
	}
}

// Heal ends all faults. Connections that a black hole had swallowed end too.
func (p *Proxy) Heal() { p.proxy.Toxics.ResetToxics(context.Background()) }

// Leaks are the goroutines that the proxies' library leaves behind when it ends
// a connection that is still being written to.
func Leaks() []goleak.Option {
	const library = "github.com/Shopify/toxiproxy/v2/"
	return []goleak.Option{goleak.IgnoreAnyFunction(library + "stream.(*ChanWriter).Write"), goleak.IgnoreAnyFunction(library + "toxics.(*ToxicStub).Run")}
}

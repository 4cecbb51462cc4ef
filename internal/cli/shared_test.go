//go:build unix

package cli

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/testservices"
)

// pair are two servers that share a Redis.
type pair struct {
	t     *testing.T
	redis *testservices.Redis
	nodes [2]*instance
}

func startPair(t *testing.T, args ...string) *pair {
	t.Helper()
	redis, err := testservices.StartRedis()
	testservices.Need(t, err)
	t.Cleanup(func() {
		if err := redis.Stop(); err != nil {
			t.Error(err)
		}
	})
	p := &pair{t: t, redis: redis}
	for i := range p.nodes {
		p.nodes[i] = startServe(t, append([]string{"--redis-url", redis.URL("")}, args...)...)
		p.flush()
		p.awaitShared(i)
	}
	p.flush()
	return p
}

func (p *pair) flush() {
	p.t.Helper()
	if _, err := p.redis.Do(p.t.Context(), "FLUSHALL"); err != nil {
		p.t.Fatal(err)
	}
}

// awaitShared has another client ask a node until the node counts that in Redis.
func (p *pair) awaitShared(node int) {
	p.t.Helper()
	other := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext}
	defer other.CloseIdleConnections()
	for range 10_000 {
		response, err := (&http.Client{Transport: other}).Post(p.nodes[node].url+"/api/v1/execute", "application/json", strings.NewReader(`{"script":"x = 1"}`))
		if err != nil {
			p.t.Fatal(err)
		}
		response.Body.Close()
		if _, err := p.redis.Do(p.t.Context(), "RANDOMKEY"); err == nil {
			return
		}
	}
	p.t.Fatal("nothing is counted in Redis")
}

// ask has a script run on a node, and gives the status.
func (p *pair) ask(node int) int {
	p.t.Helper()
	status, answer := p.nodes[node].call("POST", "/api/v1/execute", "", `{"script":"x = 1"}`)
	if status != http.StatusOK && status != http.StatusTooManyRequests {
		p.t.Errorf("node %d: %d %s", node, status, answer)
	}
	return status
}

// allowed asks the nodes in turns, and gives how often each had an answer.
func (p *pair) allowed(times int) (n [2]int) {
	p.t.Helper()
	for i := range times {
		if p.ask(i%2) == http.StatusOK {
			n[i%2]++
		}
	}
	return n
}

// stop ends both servers, which a signal to the process does.
func (p *pair) stop() {
	p.t.Helper()
	p.nodes[0].signal()
	for _, s := range p.nodes {
		if code := await(p.t, "exit", s.code); code != exitOK {
			p.t.Errorf("exit code %d: %s", code, s.stderr)
		}
	}
}

// Two servers let in as many together as a rate allows. When Redis dies, each
// counts for itself, and nobody is answered with an error; when it comes back they
// count together again.
func TestNodesShareRates(t *testing.T) {
	p := startPair(t, "--rates-client", "1/h:6")
	if n := p.allowed(20); n[0]+n[1] != 6 {
		t.Errorf("%v are allowed with Redis", n)
	}
	p.redis.Down(t)
	if n := p.allowed(40); n[0] > 6 || n[1] > 6 || n[0]+n[1] == 0 {
		t.Errorf("%v are allowed without Redis", n)
	}
	p.redis.Up(t)
	p.awaitShared(0)
	p.flush()
	p.awaitShared(1)
	p.flush()
	if n := p.allowed(20); n[0]+n[1] != 6 {
		t.Errorf("%v are allowed with Redis again", n)
	}
	p.stop()
}

// What a client has used up on one server it has used up on the other.
func TestNodesShareQuotas(t *testing.T) {
	p := startPair(t, "--quotas-fuel", "1")
	if status := p.ask(0); status != http.StatusOK {
		t.Errorf("%d", status)
	}
	if a, b := p.ask(1), p.ask(0); a != http.StatusTooManyRequests || b != http.StatusTooManyRequests {
		t.Errorf("used up: %d, %d", a, b)
	}
	p.redis.Down(t)
	if n := p.allowed(20); n[1] != 1 || n[0] > 1 {
		t.Errorf("%v are allowed without Redis, where each counts for itself", n)
	}
	p.stop()
}

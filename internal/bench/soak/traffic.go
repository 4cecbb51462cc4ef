package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/bench/load"
)

// kind is a kind of request.
type kind struct {
	name, path string
	// weight is its share.
	weight int
	// body makes the next one; what it gets is another number each time.
	body func(n uint64) any
	// statuses are those that answers may have, besides those of a busy server.
	statuses []int
}

const pathExecute = "/api/v1/execute"

func script(text string) map[string]any { return map[string]any{"script": text, "name": "Ana"} }

func always(body any) func(uint64) any { return func(uint64) any { return body } }

const small = "addParam(name, who)\ntext = \"Hello, \" + str(who)\ncount = 3\naddResult(text)\n"

// ordinary are the requests of clients who mean well.
func ordinary() []kind {
	return []kind{
		{"script", pathExecute, 20, always(script(small)), []int{200}},
		{"never-seen script", pathExecute, 5, func(n uint64) any { return script(fmt.Sprintf("n = %d\n%s", n, small)) }, []int{200}},
		{"longer script", pathExecute, 25, always(script("n = 0\nstartLoop(i, 1, 6000000)\nn = n + i\nendLoop()\naddResult(n)\n")), []int{200}},
		{"command", "/api/v1/commands/soaked/execute", 20, always(map[string]any{"n": 21}), []int{200}},
		{"app", "/greet", 20, always(map[string]any{"name": "Ana"}), []int{200}},
		{"batch", pathExecute + "/batch", 5, always(map[string]any{"items": []any{
			script(small), map[string]any{"command": "soaked", "n": 2}, script("raise(\"no\")\n"), map[string]any{"command": "unknown"},
		}}), []int{200}},
		{"check", "/api/v1/check", 5, always(script("if(a, 1, \"=<\")\nend()\n")), []int{200}},
	}
}

// all are ordinary requests and those that mean harm, which end at limits.
func all() []kind {
	limited := func(text string) func(uint64) any {
		return always(map[string]any{"script": text, "limits": map[string]any{"time_ms": 50}})
	}
	return append(ordinary(),
		kind{"endless script", pathExecute, 3, limited("i = 0\nwhile(True)\n    i = (i + 1) % 1000\nend()\n"), []int{504}},
		kind{"greedy script", pathExecute, 2, limited("s = \"x\" * 90000000\naddResult(s)\n"), []int{400, 504}},
		kind{"endless recursion", pathExecute, 2, limited("function f(n){\n    return(f(n + 1))\n}\nx = f(1)\n"), []int{400, 504}},
		kind{"script that is none", pathExecute, 2, func(n uint64) any { return script(fmt.Sprintf("if(%d\n", n)) }, []int{400}},
		kind{"no request", pathExecute, 1, always([]int{1, 2, 3}), []int{400}},
		kind{"unknown command", "/api/v1/commands/unknown/execute", 1, always(map[string]any{}), []int{404}},
		kind{"change without a key", "/api/v1/revocations", 1, always(map[string]any{"kind": "digest"}), []int{401}},
	)
}

// connections is how many requests are under way at most: more than a server lets
// be, which refuses the others.
const connections = 768

// fewConnections are enough to keep a server busy.
const fewConnections = 16

// tally is what became of one kind of request.
type tally struct {
	asked, served, refused, failed int
	// times are those of the requests that were served.
	times []time.Duration
}

// traffic is requests at a rate, and what became of them.
type traffic struct {
	url     string
	kinds   []kind
	shares  []int // indexes of kinds, as often as their weight
	clients []*http.Client
	number  atomic.Uint64
	took    time.Duration

	mu     sync.Mutex
	counts []tally
	// refusals are the times that refusing took.
	refusals []time.Duration
	faults   []string
	// omitted are requests that were due while all connections were busy, others
	// what else was done to the server.
	omitted int
	others  map[string]int
}

func newTraffic(url string, kinds []kind) *traffic {
	t := &traffic{url: url, kinds: kinds, counts: make([]tally, len(kinds)), others: map[string]int{}}
	t.number.Store(rand.Uint64N(1 << 40)) // what was never seen is not to be seen in the next run of the same server
	for i, k := range kinds {
		for range k.weight {
			t.shares = append(t.shares, i)
		}
	}
	for _, address := range []string{"127.0.0.1", "127.0.0.2"} {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		t.clients = append(t.clients, &http.Client{
			Timeout:   startTime,
			Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: connections, DisableCompression: true},
		})
	}
	return t
}

// run asks at a rate until the context or the time ends; with no rate, each
// connection asks as soon as it has its answer.
func (t *traffic) run(ctx context.Context, d time.Duration, rate float64) {
	began := time.Now()
	due := make(chan struct{}, connections)
	var group sync.WaitGroup
	workers := connections
	if rate == 0 {
		workers = fewConnections
	}
	for i := range workers {
		group.Go(func() {
			for range due {
				t.ask(ctx, t.clients[i%len(t.clients)])
			}
		})
	}
	t.pace(ctx, began.Add(d), rate, due)
	close(due)
	group.Wait()
	t.took = time.Since(began)
	for _, c := range t.clients {
		c.CloseIdleConnections()
	}
}

func (t *traffic) pace(ctx context.Context, end time.Time, rate float64, due chan<- struct{}) {
	for at := time.Now(); at.Before(end) && ctx.Err() == nil; {
		if rate == 0 {
			due <- struct{}{}
			at = time.Now()
			continue
		}
		time.Sleep(time.Until(at))
		select {
		case due <- struct{}{}:
		default:
			t.mu.Lock()
			t.omitted++
			t.mu.Unlock()
		}
		at = at.Add(time.Duration(float64(time.Second) / rate))
	}
}

// ask sends a request of some kind. One that has begun is answered also when the
// load ends meanwhile.
func (t *traffic) ask(ctx context.Context, client *http.Client) {
	i := t.shares[rand.IntN(len(t.shares))]
	k := &t.kinds[i]
	body, err := json.Marshal(k.body(t.number.Add(1)))
	if err != nil {
		panic(err) // plain data
	}
	request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, t.url+k.path, bytes.NewReader(body))
	if err != nil {
		panic(err) // plain data
	}
	request.Header.Set("Content-Type", "application/json")
	began := time.Now()
	response, err := client.Do(request)
	if err != nil {
		t.note(i, 0, 0, fmt.Sprintf("%s: %v", k.name, err))
		return
	}
	answer, err := io.ReadAll(response.Body)
	response.Body.Close()
	took := time.Since(began)
	switch status := response.StatusCode; {
	case err != nil:
		t.note(i, 0, took, fmt.Sprintf("%s: %v", k.name, err))
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		fault := ""
		if response.Header.Get("Retry-After") == "" {
			fault = fmt.Sprintf("%s: a refusal without Retry-After: %d %s", k.name, status, shortened(answer))
		}
		t.note(i, status, took, fault)
	case !slices.Contains(k.statuses, status):
		t.note(i, status, took, fmt.Sprintf("%s: %d %s", k.name, status, shortened(answer)))
	default:
		t.note(i, status, took, "")
	}
}

func shortened(text []byte) []byte { return text[:min(len(text), 300)] }

// note counts an answer, or that there was none.
func (t *traffic) note(i, status int, took time.Duration, fault string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.counts[i]
	c.asked++
	switch {
	case fault != "":
		c.failed++
		t.fail(fault)
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		c.refused++
		t.refusals = append(t.refusals, took)
	default:
		c.served++
		c.times = append(c.times, took)
	}
}

// fail keeps the first faults. The caller holds the lock.
func (t *traffic) fail(fault string) {
	const kept = 20
	if len(t.faults) < kept {
		t.faults = append(t.faults, fault)
	}
}

// other counts something else that was done, and what was wrong with it.
func (t *traffic) other(what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.others[what]++
	if err != nil {
		t.fail(fmt.Sprintf("%s: %v", what, err))
	}
}

func (t *traffic) sum() (s tally) {
	for _, c := range t.counts {
		s.asked, s.served, s.refused, s.failed = s.asked+c.asked, s.served+c.served, s.refused+c.refused, s.failed+c.failed
		s.times = append(s.times, c.times...)
	}
	return s
}

func (t *traffic) servedRate() float64 { return float64(t.sum().served) / t.took.Seconds() }

// quantile rounds what it finds: it is read, or compared with a second or two.
func quantile(times []time.Duration, q float64) time.Duration {
	return load.Quantile(slices.Sorted(slices.Values(times)), q).Round(100 * time.Microsecond)
}

func (t *traffic) faultText() string { return strings.Join(t.faults, "\n") }

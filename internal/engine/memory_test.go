package engine

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/avapd/avapd/internal/diag"
)

// holder keeps a text of 32 MiB over a call that does not return before all
// have come there or failed.
const holder = `
s = "x" * 33554432
r = RequestGet(url)
n = len(s)
addResult(n)
`

// meeting is where executions wait for each other.
type meeting struct {
	mu      sync.Mutex
	changed *sync.Cond
	coming  int
}

func newMeeting(n int) *meeting {
	m := &meeting{coming: n}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// arrive counts one in, and missing one out that will not come.
func (m *meeting) arrive() {
	m.missing()
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.coming > 0 {
		m.changed.Wait()
	}
}

func (m *meeting) missing() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.coming--
	m.changed.Broadcast()
}

// residentBytes is the memory of this process, where the system tells.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	runtime.GC()
	pages, err := strconv.ParseInt(strings.Fields(string(content))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// holdAtOnce runs holders for the given clients, all at the same time, and
// counts those of each that had the memory.
func holdAtOnce(t *testing.T, e *Engine, clients ...string) map[string]int {
	t.Helper()
	m := newMeeting(len(clients))
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { m.arrive() }))
	defer server.Close()
	held := map[string]int{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, client := range clients {
		group.Go(func() {
			a, err := e.Run(t.Context(), &Request{Client: client, Source: holder, Variables: []byte(`{"url":"` + server.URL + `"}`)})
			switch {
			case codeOf(err) == diag.MemoryBusy:
				m.missing()
			case err != nil:
				m.missing()
				t.Errorf("%s: %v", client, err)
			case string(a.Result) != `{"n":33554432}`:
				t.Errorf("%s got %s", client, a.Result)
			default:
				mu.Lock()
				defer mu.Unlock()
				held[client]++
			}
		})
	}
	group.Wait()
	return held
}

func withMemory(total, client int64) func(*Config) {
	return func(c *Config) {
		c.MemoryBytes, c.ClientMemoryBytes = total, client
		c.Commands.Egress.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
}

// More executions want memory than the budget has: some are told so, the others
// are right, and in the end everything is given back.
func TestMemoryOfAllIsBounded(t *testing.T) {
	e := newEngine(t, nil, withMemory(128<<20, 128<<20))
	holdAtOnce(t, e, "a", "b")
	before := residentBytes(t)
	clients := strings.Split(strings.Repeat("abcdefgh", 2), "")
	for range 3 {
		n := 0
		for _, held := range holdAtOnce(t, e, clients...) {
			n += held
		}
		if n != 3 {
			t.Errorf("%d executions of 33 MiB in 128 MiB", n)
		}
	}
	if now := residentBytes(t); now > before+32<<20 {
		t.Errorf("%d MiB are resident, %d before", now>>20, before>>20)
	}
	if n := len(holdAtOnce(t, e, "z", "y", "x")); n != 3 {
		t.Errorf("%d of three fit afterwards", n)
	}
}

// One client cannot have all of it.
func TestMemoryBesideManyOfOneClient(t *testing.T) {
	e := newEngine(t, nil, withMemory(192<<20, 96<<20))
	held := holdAtOnce(t, e, "a", "a", "a", "a", "a", "a", "v", "v")
	if held["a"] != 2 || held["v"] != 2 {
		t.Errorf("had the memory: %v", held)
	}
}

package load_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/bench/load"
)

// server counts requests and answers each with its body.
func server(t *testing.T, handler http.HandlerFunc) (address string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

// Once sends every request a single time, however many connections there are.
func TestOnce(t *testing.T) {
	for _, poll := range []bool{false, true} {
		var seen [50]atomic.Int32
		address := server(t, func(w http.ResponseWriter, r *http.Request) {
			var n int
			_, _ = fmt.Fscan(r.Body, &n)
			seen[n].Add(1)
			fmt.Fprint(w, "good")
		})
		plan := load.Plan{Address: address, Connections: 3, Once: true, Expect: "good", Poll: poll}
		for i := range seen {
			plan.Requests = append(plan.Requests, load.Post("/", []byte(fmt.Sprint(i))))
		}
		o, err := load.Run(plan)
		if err != nil || o.Requests != len(seen) || o.P50 <= 0 || o.P99 < o.P50 {
			t.Fatal(o, err)
		}
		for i := range seen {
			if n := seen[i].Load(); n != 1 {
				t.Errorf("request %d was sent %d times", i, n)
			}
		}
	}
}

func TestWrongAnswers(t *testing.T) {
	refuse := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }
	hang := func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = c.Close()
		}
	}
	for name, handler := range map[string]http.HandlerFunc{"status": refuse, "content": echo, "end": hang} {
		for _, poll := range []bool{false, true} {
			plan := load.Plan{
				Address: server(t, handler), Connections: 1, Once: true, Expect: "good", Poll: poll,
				Requests: [][]byte{load.Post("/", []byte("bad"))},
			}
			if o, err := load.Run(plan); err == nil {
				t.Errorf("%s, poll %t: %+v", name, poll, o)
			}
		}
	}
}

// A server that stops for a while makes all requests late that were due
// meanwhile, not only the one it held.
func TestTimeCountsFromWhenDue(t *testing.T) {
	var requests atomic.Int32
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			time.Sleep(100 * time.Millisecond) // this is what is measured
		}
		echo(w, r)
	})
	o, err := load.Run(load.Plan{
		Address: address, Connections: 1, Expect: "x", Requests: [][]byte{load.Post("/", []byte("x"))},
		Rate: 500, Duration: 100 * time.Millisecond,
	})
	if err != nil || o.Late {
		t.Fatal(o, err)
	}
	// Half of the requests were due in the first half of the wait.
	if o.Requests < 40 || o.P50 < 30*time.Millisecond {
		t.Errorf("%+v", o)
	}
}

// Who may be refused gets all answers, and how many of them were refusals.
func TestRefused(t *testing.T) {
	var requests atomic.Int32
	address := server(t, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "good")
	})
	plan := load.Plan{Address: address, Connections: 2, Requests: make([][]byte, 30), Once: true, Expect: "good", Any: true}
	for i := range plan.Requests {
		plan.Requests[i] = load.Post("/", nil)
	}
	o, err := load.Run(plan)
	if err != nil || o.Requests != 30 || o.Refused != 10 {
		t.Error(o, err)
	}
}

// An open loop ends when a second's worth of requests waits.
func TestLate(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never reads them
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	o, err := load.Run(load.Plan{
		Address: listener.Addr().String(), Connections: 2, Requests: [][]byte{load.Post("/", nil)},
		Rate: 20, Duration: time.Hour,
	})
	if err != nil || !o.Late || o.Requests != 0 {
		t.Error(o, err)
	}
}

// Histograms have the quantiles of the times.
func TestHistograms(t *testing.T) {
	address := server(t, echo)
	o, err := load.Run(load.Plan{Address: address, Connections: 2, Duration: 20 * time.Millisecond, Expect: "x", Requests: [][]byte{load.Post("/", []byte("x"))}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0.5, o.P50}, {0.95, o.P95}, {0.99, o.P99}} {
		if got := o.Times.Quantile(c.q); (got - c.want).Abs() > c.want/100 {
			t.Errorf("%v: %v instead of %v", c.q, got, c.want)
		}
	}
	// A load with few answers weighs as much as one with many.
	both := load.Histogram{}
	both.Add(load.Histogram{100: 999, 200: 1})
	both.Add(load.Histogram{500: 3})
	if fast, slow := both.Quantile(0.49), both.Quantile(0.51); slow < 10*fast {
		t.Errorf("%v, %v", fast, slow)
	}
	if got := (load.Histogram{}).Quantile(0.99); got != 0 {
		t.Errorf("nothing has the quantile %v", got)
	}
}

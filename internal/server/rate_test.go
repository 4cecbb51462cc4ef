package server

import (
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/diag"
)

// wantRefusal checks an answer that tells to come again later.
func (r reply) wantRefusal(t *testing.T, status int, code diag.Code, most int) {
	t.Helper()
	r.wantProblem(t, status, code)
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > most {
		t.Errorf("Retry-After is %q", r.Header.Get("Retry-After"))
	}
}

func TestRates(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		// headers are those of the last request that is let in.
		policy, limit string
	}{
		"address": {[]string{"--rates-address=2/h"}, `"address";q=1;w=1800`, `"address";r=0;t=1800`},
		"client":  {[]string{"--rates-client=10/h:3"}, `"client";q=3;w=1080`, `"client";r=0;t=1080`},
		"execute": {[]string{"--rates-execute=60/m:2"}, `"execute";q=2;w=2`, `"execute";r=0;t=2`},
		"several": {
			[]string{"--rates-address=100/h:50", "--rates-client=100/h:50", "--rates-execute=1/h:1"},
			`"address";q=50;w=1800, "client";q=50;w=1800, "execute";q=1;w=3600`, `"address";r=49;t=36, "client";r=49;t=36, "execute";r=0;t=3600`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, test.args...)
			let := 0
			var last, r reply
			for r = h.execute(`{"script":"s"}`); r.StatusCode == http.StatusOK; r = h.execute(`{"script":"s"}`) {
				if last = r; r.Header.Get(headerRateLimitPolicy) != test.policy || let > 10 {
					t.Fatalf("%d: RateLimit-Policy is %q", let, r.Header.Get(headerRateLimitPolicy))
				}
				let++
			}
			if let == 0 {
				t.Fatalf("nothing was let in: %s", r.body)
			}
			if got := last.Header.Get(headerRateLimit); got != test.limit {
				t.Errorf("RateLimit is %q", got)
			}
			r.wantRefusal(t, http.StatusTooManyRequests, diag.RateLimited, 3600)
			if !strings.Contains(string(r.body), "rates."+strings.SplitN(name, " ", 2)[0]) && name != "several" {
				t.Errorf("%s does not name the setting", r.body)
			}
			if r.Header.Get(headerRateLimit) == "" {
				t.Error("a refusal has no RateLimit")
			}
			// Probes count for nobody, and answer in any case.
			for range 5 {
				if r := h.do(http.MethodGet, pathLive, "", nil); r.StatusCode != http.StatusOK || r.Header.Get(headerRateLimit) != "" {
					t.Errorf("a probe is answered %d %v", r.StatusCode, r.Header)
				}
			}
			if metrics := h.do(http.MethodGet, pathMetrics, "", nil); !strings.Contains(string(metrics.body), `avap_limits_hit_total{limit="rate"} 1`) {
				t.Error("the metrics do not count it")
			}
		})
	}
}

// Kinds of requests are apart, and so are clients; the address holds for all.
func TestRateClasses(t *testing.T) {
	h := startApps(t, testToken, "--rates-execute=1/h:1", "--rates-change=1/h:1", "--rates-read=1/h:1", "--http-trusted-proxies=127.0.0.1", anybody)
	ask := func(client string) []int {
		return []int{
			h.execute(`{"script":"x = 1"}`, "X-Forwarded-For", client).StatusCode,
			h.do(http.MethodGet, pathApps, "", nil, "X-Forwarded-For", client).StatusCode,
		}
	}
	for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
		if got := ask(client); got[0] != 200 || got[1] != 200 {
			t.Errorf("%s is answered %v", client, got)
		}
		if got := ask(client); got[0] != 429 || got[1] != 429 {
			t.Errorf("%s is answered %v", client, got)
		}
	}
	// Who shows a token is one client from everywhere.
	statuses := []int{}
	for _, address := range []string{"192.0.2.7", "192.0.2.8"} {
		r := h.do(http.MethodDelete, "/api/v1/apps/none", "", nil, "Authorization", "Bearer "+testToken, "X-Forwarded-For", address)
		statuses = append(statuses, r.StatusCode)
	}
	if statuses[0] != 404 || statuses[1] != 429 {
		t.Errorf("answered %v", statuses)
	}
}

// Rates change while the server runs, and by default there are none.
func TestRatesReload(t *testing.T) {
	h := start(t)
	if r := h.execute(`{"script":"s"}`); r.Header.Get(headerRateLimitPolicy) != "" {
		t.Errorf("%v", r.Header)
	}
	limited := *h.settings.Load()
	limited.Rates.Client = "1/h:1"
	h.Adjust(&limited)
	if r := h.execute(`{"script":"s"}`); r.StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	h.execute(`{"script":"s"}`).wantRefusal(t, http.StatusTooManyRequests, diag.RateLimited, 3600)
	open := limited
	open.Rates.Client = ""
	h.Adjust(&open)
	if r := h.execute(`{"script":"s"}`); r.StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestQuotas(t *testing.T) {
	for name, arg := range map[string]string{"fuel": "--quotas-fuel=100", "time": "--quotas-time-ms=1", "memory": "--quotas-memory-mib-s=1"} {
		t.Run(name, func(t *testing.T) {
			h := startReal(t, arg, "--http-trusted-proxies=127.0.0.1", anybody)
			script := `{"script":"startLoop(i, 1, 3000)\n    x = [1] * 1000\nendLoop()"}`
			r := h.execute(script)
			if r.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			for tries := 0; r.StatusCode == http.StatusOK; tries++ {
				if r = h.execute(script); tries > 10_000 {
					t.Fatal("the quota is never used up")
				}
			}
			r.wantRefusal(t, http.StatusTooManyRequests, diag.QuotaUsed, 3600)
			if !strings.Contains(string(r.body), "quotas."+name) {
				t.Errorf("%s does not name the setting", r.body)
			}
			if r := h.execute(script, "X-Forwarded-For", "192.0.2.1"); r.StatusCode != http.StatusOK {
				t.Errorf("another client is answered %d %s", r.StatusCode, r.body)
			}
		})
	}
}

// A full server refuses at once, tells when to come, and one client leaves places
// to others.
func TestAdmission(t *testing.T) {
	h := start(t, "--admission-places=4", "--admission-delay-ms=0", "--admission-queue-length=2", "--admission-client-queue-length=1", "--http-trusted-proxies=127.0.0.1", anybody)
	answers := make(chan reply, 10)
	ask := func(client string) {
		go func() { answers <- h.execute(`{"script":"wait"}`, "X-Forwarded-For", client) }()
	}
	for _, client := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		ask(client)
		await(t, "start", h.engine.started)
	}
	ask("192.0.2.1")
	h.untilWaiting(1)
	h.execute(`{"script":"wait"}`, "X-Forwarded-For", "192.0.2.1").wantRefusal(t, http.StatusTooManyRequests, diag.TooManyRequests, longestRetry)
	ask("192.0.2.4")
	h.untilWaiting(2)
	h.execute(`{"script":"wait"}`, "X-Forwarded-For", "192.0.2.5").wantRefusal(t, http.StatusServiceUnavailable, diag.Overloaded, longestRetry)
	for range 6 {
		h.engine.release <- struct{}{}
	}
	for range 6 {
		if r := await(t, "answer", answers); r.StatusCode != http.StatusOK {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	}
	if s := h.gate.Stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// untilWaiting waits until so many executions wait for a place.
func (h *harness) untilWaiting(n int) {
	h.t.Helper()
	for h.gate.Stats().Waiting != n {
		if h.t.Context().Err() != nil {
			h.t.Fatal("they do not wait")
		}
		runtime.Gosched()
	}
}

// Who waits for a place holds no room in the audit log, and has no record if it
// gets none.
func TestWaitingHoldsNoAuditRoom(t *testing.T) {
	log := newAuditWith(t, func(c *audit.Config) { c.Group = true })
	h := startWith(t, func(o *Options) { o.Audit = log }, "--admission-places=1", "--admission-delay-ms=0", "--admission-queue-length=2", "--admission-client-queue-length=2", "--admission-wait-ms=3600000")
	answers := make(chan reply, 3)
	ask := func() { go func() { answers <- h.execute(`{"script":"wait"}`) }() }
	ask()
	await(t, "start", h.engine.started)
	ask()
	ask()
	h.untilWaiting(2)
	h.execute(`{"script":"wait"}`).wantProblem(t, http.StatusTooManyRequests, diag.TooManyRequests)
	if s := log.Stats(); s.AtRisk != 1 {
		t.Errorf("there is room for %d records, and one execution runs", s.AtRisk)
	}
	for range cap(answers) {
		h.engine.release <- struct{}{}
		if r := await(t, "answer", answers); r.StatusCode != http.StatusOK {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	}
	page, err := log.Page(t.Context(), audit.Filter{Kind: audit.Execution}, "", 10)
	if err != nil || len(page.Records) != cap(answers) {
		t.Errorf("%d records, %v", len(page.Records), err)
	}
}

// Who waits for a place and goes, leaves it to others.
func TestAdmissionDisconnect(t *testing.T) {
	h := start(t, "--admission-places=1", "--admission-delay-ms=0", "--admission-wait-ms=3600000")
	running := h.dial()
	send(t, running, waitRequest)
	await(t, "start", h.engine.started)
	waiting := h.dial()
	send(t, waiting, waitRequest)
	h.untilWaiting(1)
	if err := waiting.Close(); err != nil {
		t.Fatal(err)
	}
	h.untilWaiting(0)
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	if err := await(t, "cancellation", h.engine.ended); !errors.Is(err, errClientGone) {
		t.Error(err)
	}
}

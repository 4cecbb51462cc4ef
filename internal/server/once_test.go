package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/registry"
)

// A request that is sent again with its key is done once and answered twice.
func TestIdempotencyKey(t *testing.T) {
	h := start(t)
	runs := countRuns(h)
	ask := func(body, key string, more ...string) reply {
		return h.execute(body, append([]string{headerIdempotencyKey, key}, more...)...)
	}
	first := ask(`{"script":"a"}`, "k1")
	second := ask(`{"script":"a"}`, `"k1"`) // the same, as Structured Fields have it
	if first.StatusCode != 200 || second.StatusCode != 200 || string(first.body) != string(second.body) || runs() != 1 {
		t.Errorf("%d %s, %d %s, %d runs", first.StatusCode, first.body, second.StatusCode, second.body, runs())
	}
	if first.Header.Get(headerReplayed) != "" || second.Header.Get(headerReplayed) != "true" {
		t.Errorf("Idempotency-Replayed is %q and %q", first.Header.Get(headerReplayed), second.Header.Get(headerReplayed))
	}
	if id := first.Header.Get(api.HeaderExecution); id == "" || second.Header.Get(api.HeaderExecution) != id {
		t.Errorf("the executions are %q and %q", id, second.Header.Get(api.HeaderExecution))
	}
	if first.Header.Get("X-Request-Id") == second.Header.Get("X-Request-Id") {
		t.Error("two requests have one identifier")
	}

	// The same key with anything else is a mistake.
	ask(`{"script":"b"}`, "k1").wantProblem(t, http.StatusUnprocessableEntity, diag.KeyReused)
	h.do(http.MethodPost, pathExecute+"?x=1", "application/json", strings.NewReader(`{"script":"a"}`), headerIdempotencyKey, "k1").wantProblem(t, http.StatusUnprocessableEntity, diag.KeyReused)
	h.do(http.MethodPost, pathCheck, "application/json", strings.NewReader(`{"script":"a"}`), headerIdempotencyKey, "k1").wantProblem(t, http.StatusUnprocessableEntity, diag.KeyReused)

	// A failure is an answer, and sent again as such.
	failed := ask(`{"script":"fail AVAP3004"}`, "k2")
	again := ask(`{"script":"fail AVAP3004"}`, "k2")
	failed.wantProblem(t, http.StatusBadRequest, diag.DivisionByZero)
	if string(again.body) != string(failed.body) || again.StatusCode != failed.StatusCode || again.Header.Get("Content-Type") != problemType {
		t.Errorf("%d %s", again.StatusCode, again.body)
	}
	// What tells to try again, because nothing was begun, is none.
	ask(`{"script":"refuse AVAP5005"}`, "k3").wantProblem(t, http.StatusServiceUnavailable, diag.NoCapacity)
	if r := ask(`{"script":"a"}`, "k3"); r.StatusCode != 200 || r.Header.Get(headerReplayed) != "" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// What was begun and ended without an answer that counts is not done again: the
// answer says that its outcome is not known, and names the execution.
func TestUncertainRequests(t *testing.T) {
	j := new(stubborn)
	log := newAuditWith(t, func(c *audit.Config) { j.Journal, c.Journal, c.Group, c.Wait = c.Journal, j, true, shortWait })
	h := startWith(t, func(o *Options) { o.Audit = log }, "--admin-token-file", tokenFile(t))
	admin := []string{"Authorization", "Bearer " + testToken}
	uncertain := func(t *testing.T, body, key string, first reply) {
		t.Helper()
		runs := countRuns(h)
		r := h.execute(body, headerIdempotencyKey, key)
		wantUncertain(t, r)
		if id := first.Header.Get(api.HeaderExecution); id == "" || r.Header.Get(api.HeaderExecution) != id {
			t.Errorf("%v, the execution was %q", r.Header, id)
		}
		if runs() != 0 {
			t.Error("it was done again")
		}
	}
	t.Run("stopped", func(t *testing.T) {
		answers := make(chan reply, 1)
		go func() { answers <- h.execute(`{"script":"wait"}`, headerIdempotencyKey, "stopped") }()
		await(t, "start", h.engine.started)
		list := h.do(http.MethodGet, pathExecutions, "", nil, admin...)
		var page api.Executions
		if err := json.Unmarshal(list.body, &page); err != nil || len(page.Executions) != 1 {
			t.Fatalf("%s: %v", list.body, err)
		}
		h.do(http.MethodDelete, pathExecutions+"/"+page.Executions[0].ID, "", nil, admin...)
		<-h.engine.ended
		first := await(t, "answer", answers)
		if first.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d %s", first.StatusCode, first.body)
		}
		uncertain(t, `{"script":"wait"}`, "stopped", first)
	})
	t.Run("client gone", func(t *testing.T) {
		conn := h.dial()
		send(t, conn, "POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: gone\r\nContent-Length: 17\r\n\r\n{\"script\":\"wait\"}")
		await(t, "start", h.engine.started)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		await(t, "end", h.engine.ended)
		runs := countRuns(h)
		r := h.execute(`{"script":"wait"}`, headerIdempotencyKey, "gone") // busy until the request is over
		for r.StatusCode == http.StatusConflict && strings.Contains(string(r.body), string(diag.KeyBusy)) {
			r = h.execute(`{"script":"wait"}`, headerIdempotencyKey, "gone")
		}
		wantUncertain(t, r)
		if runs() != 0 {
			t.Error("it was done again")
		}
	})
	t.Run("defect", func(t *testing.T) {
		first := h.execute(`{"script":"panic"}`, headerIdempotencyKey, "defect")
		first.wantProblem(t, http.StatusInternalServerError, diag.Internal)
		uncertain(t, `{"script":"panic"}`, "defect", first)
	})
	t.Run("not written down", func(t *testing.T) {
		j.refuses.Store(true)
		first := h.execute(`{"script":"a"}`, headerIdempotencyKey, "withheld")
		first.wantProblem(t, http.StatusServiceUnavailable, diag.AuditUnavailable)
		j.refuses.Store(false)
		uncertain(t, `{"script":"a"}`, "withheld", first)
	})
}

// wantUncertain checks for the answer of a request whose outcome is not known. It
// is the instance of the request that was begun.
func wantUncertain(t *testing.T, r reply) {
	t.Helper()
	if r.StatusCode != http.StatusConflict || !strings.Contains(string(r.body), string(diag.KeyUncertain)) || r.Header.Get(headerReplayed) != "true" {
		t.Errorf("%d %s %v", r.StatusCode, r.body, r.Header)
	}
}

// Before an execution or a change begins, a refusal gives its key up.
func TestRefusedRequestsKeepNoKey(t *testing.T) {
	j := new(stubborn)
	h := startCommandsOn(t, newAuditWith(t, func(c *audit.Config) { j.Journal, c.Journal, c.Group, c.Wait = c.Journal, j, true, shortWait }), func(*registry.Config) {})
	put := func() reply {
		return h.do(http.MethodPut, "/api/v1/commands/one", "text/plain", strings.NewReader("x = 1"), "Authorization", "Bearer "+testToken, headerIdempotencyKey, "put")
	}
	h.store.away.Store(true)
	put().wantProblem(t, http.StatusServiceUnavailable, diag.StoreUnavailable)
	h.store.away.Store(false)
	j.refuses.Store(true)
	put().wantProblem(t, http.StatusServiceUnavailable, diag.AuditUnavailable)
	j.refuses.Store(false)
	r := put()
	for ; r.StatusCode == http.StatusServiceUnavailable; r = put() { // until the journal is tried again
	}
	if r.StatusCode != http.StatusCreated || r.Header.Get(headerReplayed) != "" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	// A change that may have happened is none that was refused.
	remove := func() reply {
		return h.do(http.MethodDelete, "/api/v1/commands/one", "", nil, "Authorization", "Bearer "+testToken, headerIdempotencyKey, "remove")
	}
	h.store.unsure.Store(true)
	remove().wantProblem(t, http.StatusServiceUnavailable, diag.StoreUnavailable)
	h.store.unsure.Store(false)
	wantUncertain(t, remove())
}

func TestBadIdempotencyKeys(t *testing.T) {
	h := start(t)
	for _, key := range []string{`""`, "a b", "é", `a"b`, `a\b`, strings.Repeat("k", 256)} {
		h.execute(`{"script":"a"}`, headerIdempotencyKey, key).wantProblem(t, http.StatusBadRequest, diag.BadKey)
	}
	if r := h.execute(`{"script":"a"}`, headerIdempotencyKey, strings.Repeat("k", 255)); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	conn := h.dial()
	send(t, conn, "POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 14\r\n\r\n{\"script\":\"s\"}")
	if answer := readAll(t, conn); !strings.Contains(answer, string(diag.BadKey)) {
		t.Errorf("two keys are answered\n%s", answer)
	}
	h.do(http.MethodPost, pathBatch, "application/json", strings.NewReader(`[{"script":"a"}]`), headerIdempotencyKey, "k", "Accept", ndjson).wantProblem(t, http.StatusBadRequest, diag.BadKey)
	// What changes nothing and runs nothing needs no key, and does not look at one.
	if r := h.do(http.MethodGet, pathOpenAPI, "", nil, headerIdempotencyKey, "a b"); r.StatusCode != 200 {
		t.Errorf("%d", r.StatusCode)
	}
}

// Two at once are one, and keys of one client are none of another's business.
func TestIdempotencyKeysAtOnce(t *testing.T) {
	h := start(t, "--http-trusted-proxies=127.0.0.1", anybody)
	answers := make(chan reply, 1)
	go func() { answers <- h.execute(`{"script":"wait"}`, headerIdempotencyKey, "k") }()
	await(t, "start", h.engine.started)
	r := h.execute(`{"script":"wait"}`, headerIdempotencyKey, "k")
	r.wantProblem(t, http.StatusConflict, diag.KeyBusy)
	if r.Header.Get("Retry-After") != "1" {
		t.Errorf("%v", r.Header)
	}
	if r := h.execute(`{"script":"another"}`, headerIdempotencyKey, "k", "X-Forwarded-For", "192.0.2.1"); r.StatusCode != 200 {
		t.Errorf("another client is answered %d %s", r.StatusCode, r.body)
	}
	h.engine.release <- struct{}{}
	if r := await(t, "answer", answers); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := h.execute(`{"script":"wait"}`, headerIdempotencyKey, "k"); r.StatusCode != 200 || r.Header.Get(headerReplayed) != "true" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// Requests that may change something by an app are done once as well; those that
// only read need no key and are not looked at for one.
func TestIdempotentEndpoints(t *testing.T) {
	h := startApps(t, testToken)
	if r := h.put("shop", shop); r.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	ask := func(method, path, body, key string) reply {
		return h.do(method, path, "application/json", strings.NewReader(body), headerIdempotencyKey, key)
	}
	first, second := ask(http.MethodPost, "/orders", `{"name":"tea"}`, "k"), ask(http.MethodPost, "/orders", `{"name":"tea"}`, "k")
	if first.StatusCode != http.StatusCreated || second.StatusCode != http.StatusCreated || string(first.body) != string(second.body) || second.Header.Get(headerReplayed) != "true" {
		t.Errorf("%d %s, %d %s", first.StatusCode, first.body, second.StatusCode, second.body)
	}
	if id := first.Header.Get(api.HeaderExecution); id == "" || second.Header.Get(api.HeaderExecution) != id {
		t.Errorf("the executions are %q and %q", id, second.Header.Get(api.HeaderExecution))
	}
	ask(http.MethodPost, "/orders", `{"name":"salt"}`, "k").wantProblem(t, http.StatusUnprocessableEntity, diag.KeyReused)
	ask(http.MethodPost, "/orders", `{"name":"tea"}`, "a b").wantProblem(t, http.StatusBadRequest, diag.BadKey)
	for range 2 {
		if r := ask(http.MethodDelete, "/orders/1", "", "d"); r.StatusCode != http.StatusNoContent {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		if r := ask(http.MethodGet, "/orders/1?token=secret", "", "k"); r.StatusCode != http.StatusOK || r.Header.Get(headerReplayed) != "" {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	}
}

// Changes are made once: going back a version is not repeated.
func TestIdempotentChanges(t *testing.T) {
	h := startApps(t, testToken)
	source := "function f(){\n}\nregisterEndpoint(\"/f\", \"GET\", [], \"\", f, out)"
	put := func() reply {
		return h.do(http.MethodPut, pathApps+"/shop", "text/plain", strings.NewReader(source), "Authorization", "Bearer "+testToken, headerIdempotencyKey, "put")
	}
	remove := func(key string) reply {
		return h.do(http.MethodDelete, pathApps+"/shop", "", nil, "Authorization", "Bearer "+testToken, headerIdempotencyKey, key)
	}
	first := put()
	if r := remove("remove"); first.StatusCode != http.StatusCreated || r.StatusCode != http.StatusNoContent {
		t.Fatalf("%d, %d", first.StatusCode, r.StatusCode)
	}
	if r := put(); r.StatusCode != http.StatusCreated || string(r.body) != string(first.body) || r.Header.Get(headerReplayed) != "true" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := remove("remove"); r.StatusCode != http.StatusNoContent || len(r.body) != 0 || r.Header.Get("Content-Type") != "" {
		t.Errorf("%d %s %v", r.StatusCode, r.body, r.Header)
	}
	remove("another").wantProblem(t, http.StatusNotFound, diag.NoSuchApp) // it was not stored again
	// Who may not change anything may not replay it either.
	h.do(http.MethodPut, pathApps+"/shop", "text/plain", strings.NewReader(source), headerIdempotencyKey, "put").wantProblem(t, http.StatusUnauthorized, diag.Unauthorized)
}

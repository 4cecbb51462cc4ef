package server

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
)

// startStoppable starts a server with a token and gives the header to send.
func startStoppable(t *testing.T, args ...string) (h *harness, authorization []string) {
	t.Helper()
	file := tokenFile(t)
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, append(args, "--admin-token-file", file)...), []string{"Authorization", "Bearer " + strings.TrimSpace(string(token))}
}

// running lists the executions that run.
func (h *harness) running(query string, headers ...string) api.Executions {
	h.t.Helper()
	var page api.Executions
	r := h.do(http.MethodGet, pathExecutions+query, "", nil, headers...)
	if r.StatusCode != http.StatusOK {
		h.t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, &page); err != nil {
		h.t.Fatal(err)
	}
	return page
}

// state asks about one execution.
func (h *harness) state(id string) api.ExecutionState {
	h.t.Helper()
	var state api.ExecutionState
	r := h.do(http.MethodGet, pathExecutions+"/"+id, "", nil)
	if r.StatusCode != http.StatusOK {
		h.t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, &state); err != nil {
		h.t.Fatal(err)
	}
	return state
}

// An execution is seen while it runs, can be stopped by who has the token, and
// is known afterwards; its client is told that it was cancelled.
func TestStopExecution(t *testing.T) {
	h, token := startStoppable(t)
	answered := make(chan reply, 1)
	go func() { answered <- h.execute(`{"script":"wait"}`, "X-Request-Id", "mine") }()
	<-h.engine.started
	page := h.running("?request_id=mine", token...)
	if len(page.Executions) != 1 || page.Next != "" {
		t.Fatalf("got %+v", page)
	}
	seen := page.Executions[0]
	if seen.State != api.Running || seen.RequestID != "mine" || seen.Client != "127.0.0.1" || seen.Script != digestOf("wait") ||
		seen.Status != 0 || seen.Usage != nil || time.Since(seen.Started) > patience {
		t.Errorf("got %+v", seen)
	}
	if again := h.state(seen.ID); again.State != api.Running || again.ElapsedMS < seen.ElapsedMS {
		t.Errorf("got %+v after %+v", again, seen)
	}
	path := pathExecutions + "/" + seen.ID
	h.do(http.MethodDelete, path, "", nil).wantProblem(t, http.StatusUnauthorized, diag.Unauthorized)
	h.do(http.MethodGet, pathExecutions, "", nil).wantProblem(t, http.StatusUnauthorized, diag.Unauthorized)
	if r := h.do(http.MethodDelete, path, "", nil, token...); r.StatusCode != http.StatusAccepted || !strings.Contains(string(r.body), `"state":"stopping"`) {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
	r := <-answered
	p := r.wantProblem(t, http.StatusServiceUnavailable, diag.Cancelled)
	if !strings.Contains(p.Error, string(errStopped)) || r.Header.Get(api.HeaderExecution) != seen.ID {
		t.Errorf("got %s %v", r.body, r.Header)
	}
	if after := h.state(seen.ID); after.State != api.Cancelled || after.Status != http.StatusServiceUnavailable || after.Code != string(diag.Cancelled) || after.Script != seen.Script {
		t.Errorf("got %+v", after)
	}
	h.do(http.MethodDelete, path, "", nil, token...).wantProblem(t, http.StatusConflict, diag.ExecutionOver)
	if !strings.Contains(h.logs.String(), `"execution_id":"`+seen.ID+`"`) {
		t.Errorf("the log says nothing of it:\n%s", h.logs)
	}
}

// Identifiers that are none, or of nothing, are not found, whatever they are.
func TestNoSuchExecution(t *testing.T) {
	h, token := startStoppable(t)
	for _, id := range []string{"x", strings.Repeat("0", executionIDText), strings.Repeat("f", executionIDText), strings.Repeat("z", executionIDText), "%00", "%2e%2e"} {
		h.do(http.MethodGet, pathExecutions+"/"+id, "", nil).wantProblem(t, http.StatusNotFound, diag.NoSuchExecution)
		h.do(http.MethodDelete, pathExecutions+"/"+id, "", nil, token...).wantProblem(t, http.StatusNotFound, diag.NoSuchExecution)
	}
	h.do(http.MethodGet, pathExecutions+"?after=x", "", nil, token...).wantProblem(t, http.StatusBadRequest, diag.BadFieldValue)
	h.do(http.MethodGet, pathExecutions+"?limit=0", "", nil, token...).wantProblem(t, http.StatusBadRequest, diag.BadFieldValue)
	h.do(http.MethodGet, pathExecutions+"?client=x", "", nil, token...).wantProblem(t, http.StatusBadRequest, diag.BadFieldValue)
}

// Of what has ended only the last executions are known, with what they used.
func TestEndedExecutions(t *testing.T) {
	h := start(t, "--executions-kept", "2")
	ids := make([]string, 5)
	for i, script := range []string{"a", "status 204", "panic", "fail AVAP4001", "broken"} {
		ids[i] = h.execute(`{"script":"` + script + `"}`).Header.Get(api.HeaderExecution)
	}
	for _, id := range ids[:3] {
		h.do(http.MethodGet, pathExecutions+"/"+id, "", nil).wantProblem(t, http.StatusNotFound, diag.NoSuchExecution)
	}
	failed, broken := h.state(ids[3]), h.state(ids[4])
	if failed.State != api.Failed || failed.Code != "AVAP4001" || failed.Status != http.StatusGatewayTimeout || failed.Usage.Fuel != 42 || failed.Script != digestOf("fail AVAP4001") {
		t.Errorf("got %+v", failed)
	}
	if broken.State != api.Failed || broken.Code != string(diag.SyntaxError) || broken.Usage.Fuel != 0 {
		t.Errorf("got %+v", broken)
	}
	if ids[3] >= ids[4] && ids[3][:2*executionTimeBytes] != ids[4][:2*executionTimeBytes] {
		t.Errorf("%s began before %s", ids[3], ids[4])
	}
	// A panic ends an execution, too.
	if left, _ := h.executions.list(executionID{}, "", 1); len(left) != 0 {
		t.Error("an execution seems to run")
	}
	none := start(t, "--executions-kept", "0")
	id := none.execute(`{"script":"a"}`).Header.Get(api.HeaderExecution)
	none.do(http.MethodGet, pathExecutions+"/"+id, "", nil).wantProblem(t, http.StatusNotFound, diag.NoSuchExecution)
}

// Pages of a list hold every execution once, the oldest first.
func TestListExecutions(t *testing.T) {
	h, token := startStoppable(t)
	const many = 5
	answered := make(chan reply, many)
	for range many {
		go func() { answered <- h.execute(`{"script":"wait"}`) }()
	}
	for range many {
		<-h.engine.started
	}
	var ids []string
	for query := "?limit=2"; ; {
		page := h.running(query, token...)
		for _, e := range page.Executions {
			if len(ids) > 0 && e.ID <= ids[len(ids)-1] {
				t.Errorf("%s comes after %v", e.ID, ids)
			}
			ids = append(ids, e.ID)
		}
		if page.Next == "" {
			break
		}
		query = "?limit=2&after=" + page.Next
	}
	if len(ids) != many {
		t.Errorf("listed %v", ids)
	}
	close(h.engine.release)
	for range many {
		if r := <-answered; r.StatusCode != http.StatusOK {
			t.Errorf("got %d %s", r.StatusCode, r.body)
		}
	}
	if page := h.running("", token...); len(page.Executions) != 0 {
		t.Errorf("got %+v", page)
	}
}

// Clients are written as the addresses and networks that they are.
func TestClientText(t *testing.T) {
	for client, want := range map[string]string{
		"": "", "\x7f\x00\x00\x01": "127.0.0.1", "\x20\x01\x0d\xb8\x00\x01\x00\x02": "2001:db8:1:2::/64", "other": "other", "a\nb": "a?b",
	} {
		if got := clientText(client); got != want {
			t.Errorf("%q is written %q, want %q", client, got, want)
		}
	}
}

// From its beginning on an execution can be found, also in the moment of its end.
func TestExecutionsAreAlwaysFound(t *testing.T) {
	w := newWatcher()
	defer w.close()
	table := newExecutions(2, w)
	for range 2000 {
		ctx, n := new(runContext), new(note)
		table.begin(ctx, n, "client", nil)
		seen := make(chan bool)
		go func() {
			for {
				state, ok := table.find(n.execution)
				if !ok || state.State != api.Running {
					seen <- ok
					return
				}
			}
		}()
		table.end(n, http.StatusOK, "")
		if !<-seen {
			t.Fatal("an execution was not found")
		}
	}
	if left, _ := table.list(executionID{}, "", 1); len(left) != 0 {
		t.Error("an execution seems to run")
	}
}

package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
)

type batchLine struct {
	Index       int             `json:"index"`
	Status      int             `json:"status"`
	ExecutionID string          `json:"execution_id"`
	Answer      json.RawMessage `json:"answer"`
	Problem     *problemReply   `json:"problem"`
}

type batchReply struct {
	Success bool        `json:"success"`
	Items   []batchLine `json:"items"`
}

func (h *harness) batch(body string) batchReply {
	h.t.Helper()
	r := h.do(http.MethodPost, pathBatch, "application/json", strings.NewReader(body))
	var out batchReply
	if err := json.Unmarshal(r.body, &out); err != nil || r.StatusCode != http.StatusOK {
		h.t.Fatalf("%d %s: %v", r.StatusCode, r.body, err)
	}
	return out
}

// repeated is a batch of the same script.
func repeated(script string, n int) string {
	return "[" + strings.Repeat(`{"script":"`+script+`"},`, n-1) + `{"script":"` + script + `"}]`
}

// Items are answered in their order, whatever becomes of the others.
func TestBatch(t *testing.T) {
	h := start(t)
	out := h.batch(`[{"script":"a","variables":{"n":1}},{"script":"panic"},7,{"script":"status 204"},{},{"script":"fail AVAP4001"},{"command":"c"},{"script":"a"}]`)
	want := []struct {
		status int
		code   diag.Code
	}{{200, ""}, {500, diag.Internal}, {400, diag.BadJSON}, {204, ""}, {400, diag.MissingScript}, {504, "AVAP4001"}, {400, diag.BadFieldValue}, {200, ""}}
	if out.Success || len(out.Items) != len(want) {
		t.Fatalf("got %+v", out)
	}
	for i, item := range out.Items {
		if item.Index != i || item.Status != want[i].status || (item.Problem == nil) != (want[i].code == "") {
			t.Errorf("item %d is %+v", i, item)
		}
		if item.Problem != nil && item.Problem.Code != want[i].code {
			t.Errorf("item %d: %+v", i, item.Problem)
		}
		if has := len(item.Answer) > 0; has != (item.Status == 200) {
			t.Errorf("item %d answers %s", i, item.Answer)
		}
	}
	if out := h.batch(`{"items":[{"script":"a"}],"parallelism":1}`); !out.Success || h.state(out.Items[0].ExecutionID).Status != 200 {
		t.Errorf("got %+v", out)
	}
	if out := h.batch(`[]`); !out.Success || len(out.Items) != 0 {
		t.Errorf("got %+v", out)
	}
}

// As many items are under way at once as the batch asks for, and no more.
func TestBatchParallelism(t *testing.T) {
	h := start(t)
	done := make(chan batchReply, 1)
	go func() { done <- h.batch(`{"parallelism":3,"items":` + repeated("wait", 6) + `}`) }()
	for range 3 {
		<-h.engine.started
	}
	for range 3 {
		if n := len(h.engine.started); n != 0 {
			t.Errorf("%d items more are under way", n)
		}
		h.engine.release <- struct{}{}
		<-h.engine.started
	}
	close(h.engine.release)
	if out := <-done; !out.Success || len(out.Items) != 6 {
		t.Errorf("got %+v", out)
	}
}

// Each line arrives while later items still run.
func TestBatchLines(t *testing.T) {
	h := start(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+h.addr+pathBatch, strings.NewReader(`[{"script":"wait"},{"script":"a"},{"script":"broken"}]`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", ndjson)
	response, err := h.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); kind != ndjson {
		t.Errorf("content type %s", kind)
	}
	<-h.engine.started
	lines := bufio.NewReader(response.Body)
	seen := map[int]int{}
	for i := range 3 {
		if i == 2 {
			close(h.engine.release)
		}
		text, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var line batchLine
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		seen[line.Index] = line.Status
	}
	if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if seen[0] != 200 || seen[1] != 200 || seen[2] != 400 {
		t.Errorf("got %v", seen)
	}
}

// When the client goes, in whichever form it asked, what runs is cancelled.
func TestBatchClientGone(t *testing.T) {
	for _, accept := range []string{"application/json", ndjson} {
		h := start(t)
		conn, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		body := repeated("wait", 2)
		send(t, conn, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\nContent-Length: %d\r\n\r\n%s", pathBatch, accept, len(body), body))
		<-h.engine.started
		<-h.engine.started
		conn.Close()
		for range 2 {
			if err := await(t, "cancellation", h.engine.ended); !errors.Is(err, errClientGone) {
				t.Error(err)
			}
		}
	}
}

// When the time of the batch is over, what runs is cancelled and the rest does
// not run.
func TestBatchTime(t *testing.T) {
	h := start(t, "--batch-time-ms", "1")
	out := h.batch(`{"parallelism":1,"items":` + repeated("wait", 3) + `}`)
	for _, item := range out.Items {
		if item.Problem == nil || item.Problem.Code != diag.Cancelled || !strings.Contains(item.Problem.Error, string(errBatchLate)) {
			t.Errorf("got %+v", item)
		}
	}
}

// Answers that do not fit are left out, which is said in their places.
func TestBatchOutput(t *testing.T) {
	h := start(t, "--batch-output-bytes", "1024")
	out := h.batch(repeated("a", 40))
	left := 0
	for _, item := range out.Items {
		if item.Problem != nil && item.Problem.Code == diag.OutputLimit {
			left++
		}
	}
	if out.Success || len(out.Items) != 40 || left == 0 || left == 40 {
		t.Errorf("%d of %d are left out", left, len(out.Items))
	}
}

func TestBatchRefused(t *testing.T) {
	h := start(t, "--batch-items", "2", "--batch-parallelism", "2")
	for body, code := range map[string]diag.Code{
		`7`: diag.BadFieldType, `[`: diag.BadJSON, `[{}] x`: diag.BadJSON, ``: diag.BadJSON, `{"items":7}`: diag.BadFieldType,
		`{"parallelism":3,"items":[]}`: diag.BadFieldValue, `{"item":[]}`: diag.BadFieldValue, `[1 2]`: diag.BadJSON,
		`{}`: diag.BadFieldValue, `{"parallelism":2}`: diag.BadFieldValue,
	} {
		r := h.do(http.MethodPost, pathBatch, "application/json", strings.NewReader(body))
		r.wantProblem(t, http.StatusBadRequest, code)
	}
	h.do(http.MethodPost, pathBatch, "", strings.NewReader(`[{},{},{}]`)).wantProblem(t, http.StatusRequestEntityTooLarge, diag.RequestTooLarge)
}

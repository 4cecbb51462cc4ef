package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// startReal is a server with the real engine behind it.
func startReal(t *testing.T, args ...string) *harness {
	t.Helper()
	h := startWith(t, func(o *Options) {
		processors := runtime.GOMAXPROCS(0)
		KeepProcessorFree(o.Config)
		t.Cleanup(func() { runtime.GOMAXPROCS(processors) })
		scripts, err := engine.New(EngineConfig(o.Config))
		if err != nil {
			t.Fatal(err)
		}
		o.Engine = scripts
		t.Cleanup(func() {
			if err := scripts.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}, args...)
	return h
}

func (h *harness) script(text string) reply {
	h.t.Helper()
	body, err := json.Marshal(map[string]string{"script": text})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.execute(string(body))
}

// Scripts that are garbage get a 4xx with a helpful document, in bounded time.
func TestGarbageScripts(t *testing.T) {
	h := startReal(t)
	many := strings.Repeat
	for name, text := range map[string]string{
		"round brackets":         many("(", 10000),
		"square brackets":        "a = " + many("[", 10000),
		"curly brackets":         "a = " + many("{", 10000),
		"closed brackets":        "a = " + many("(", 10000) + "1" + many(")", 10000),
		"not not not":            "a = " + many("not ", 20000) + "1",
		"minus minus":            "a = " + many("-", 20000) + "1",
		"powers":                 "a = " + many("2 ** ", 20000) + "1",
		"deep ifs":               many("if(1, 1, \"=\")\n", 10000),
		"deep closed ifs":        many("if(1, 1, \"=\")\n", 5000) + many("end()\n", 5000),
		"surplus ends":           many("end()\n", 10000),
		"one long line":          many("a", 1<<20-1),
		"long line of garbage":   many("§ ", 300000),
		"open text":              "a = \"" + many("x", 500000),
		"open template":          "a = `${" + many("`${", 10000),
		"open comment":           "/*" + many("x", 500000),
		"NUL":                    "a = 1\x00",
		"control characters":     "\x01\x02\x03",
		"lone carriage returns":  many("\r", 10000) + "(",
		"nested f-strings":       "a = f\"" + many("{f'", 1000),
		"binary":                 many("\u0000\u00ff\ufffe", 1000),
		"right to left override": "\u202e = 1 1",
		"many errors":            many("a = )\n", 50000),
		"long number":            "a = " + many("9", 500000),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			r := h.script(text)
			if r.StatusCode < 400 || r.StatusCode > 499 {
				t.Fatalf("status %d: %.200s", r.StatusCode, r.body)
			}
			var d problemReply
			if err := json.Unmarshal(r.body, &d); err != nil {
				t.Fatal(err)
			}
			if d.Error == "" || d.Code == "" || d.NextStep == "" {
				t.Errorf("not helpful: %.300s", r.body)
			}
			if len(r.body) > 128<<10 {
				t.Errorf("the document has %d bytes", len(r.body))
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// Scripts that would never end are stopped by the limit they run into, while
// others are served.
func TestLimitsStopScripts(t *testing.T) {
	// Only what would never end gets a short time: the others have theirs to reach
	// the limit that is to stop them.
	h := startReal(t, "--limits-time-ms", "60000", "--limits-fuel", "1000000000000")
	tests := []struct {
		name, script string
		status       int
		codes        []diag.Code
	}{
		{"endless loop", "while(true)\nend()", 504, []diag.Code{diag.DeadlineReached, diag.OutOfFuel}},
		{"endless recursion", "function f(n){ return(f(n + 1)) }\na = f(0)", 400, []diag.Code{diag.RecursionLimit}},
		{"endless list", "l = []\nwhile(true)\nl.append(1)\nend()", 400, []diag.Code{diag.OutOfMemory}},
		{"2 GB text", "t = \"x\" * 2147483648", 400, []diag.Code{diag.OutOfMemory}},
		{"doubling text", "t = \"x\"\nwhile(true)\nt = t + t\nend()", 400, []diag.Code{diag.OutOfMemory}},
		{"large answer", "t = \"x\" * 10000000\naddResult(t)", 400, []diag.Code{diag.OutputLimit}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request := map[string]any{"script": test.script}
			if test.status == http.StatusGatewayTimeout {
				request["limits"] = map[string]int{"time_ms": 500}
			}
			body, err := json.Marshal(request)
			if err != nil {
				t.Fatal(err)
			}
			r := h.execute(string(body))
			var d problemReply
			if err := json.Unmarshal(r.body, &d); err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != test.status || !slices.Contains(test.codes, d.Code) {
				t.Errorf("status %d: %s", r.StatusCode, r.body)
			}
			if test.status == http.StatusGatewayTimeout && !strings.Contains(d.Error, messageTimeout) {
				t.Errorf("error is %q", d.Error)
			}
			// An answer is written when the script is over: no line is to blame.
			if d.Usage == nil || d.Line == 0 && d.Code != diag.OutputLimit {
				t.Errorf("no usage or line in %s", r.body)
			}
		})
	}
}

// With endless scripts on every slot a one-liner is still answered promptly.
func TestOneLinerBesideEndlessScripts(t *testing.T) {
	h := startReal(t, "--limits-time-ms", "60000", "--limits-fuel", "1000000000000000", "--compute-slots", "2")
	scripts, _ := h.Server.engine.(*engine.Engine)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	for range 2 {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.addr+pathExecute, strings.NewReader(`{"script":"while(true)\nend()"}`))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if response, err := http.DefaultClient.Do(request); err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
			ended <- struct{}{}
		}()
	}
	for scripts.Stats().Running < 2 {
		if t.Context().Err() != nil {
			t.Fatal("the endless scripts do not run")
		}
	}
	var took []time.Duration
	for i := range 50 {
		began := time.Now()
		if r := h.script(fmt.Sprintf("addVar(x, %d)", i%2)); r.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", r.StatusCode, r.body)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	// The bound is for a machine that is busy with other tests as well.
	if median := took[len(took)/2]; median > 100*time.Millisecond {
		t.Errorf("the median is %s", median)
	}
	t.Logf("median %s, worst %s", took[len(took)/2], took[len(took)-1])
	cancel()
	for range 2 {
		await(t, "end", ended)
	}
	http.DefaultClient.CloseIdleConnections()
}

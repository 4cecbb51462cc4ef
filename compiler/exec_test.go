package compiler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/library"
	"github.com/avapd/avapd/wasmhost"
)

// engines are the hosts that every script of the tests runs on.
var engines = map[string]wasmhost.Engine{"compiler": wasmhost.EngineCompiler, "interpreter": wasmhost.EngineInterpreter}

func newHost(t testing.TB, engine wasmhost.Engine) *wasmhost.Host {
	t.Helper()
	h, err := wasmhost.New(wasmhost.Config{
		Library: library.Module, Engine: engine, MaxMemoryPages: 1024, MaxInstances: 4, IdleInstances: 1,
		HashSeed: func() uint64 { return 7 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

var limits = wasmhost.Limits{Fuel: 50_000_000, Duration: 10 * time.Second, MemoryPages: 1024, CallDepth: 1000, OutputBytes: 8 << 20}

// outcome is what a script came to: a document, or an error's message.
type outcome struct {
	Success   bool             `json:"success"`
	Result    map[string]any   `json:"result"`
	Variables map[string]any   `json:"variables"`
	Logs      []map[string]any `json:"logs"`
	Document  string           `json:"-"`
	Status    int              `json:"-"`
	Failure   *diag.Failure    `json:"-"`
	Findings  diag.List        `json:"-"`
	Usage     diag.Usage       `json:"-"`
}

func (o outcome) message() string {
	switch {
	case o.Failure != nil:
		return o.Failure.Message
	case o.Findings.HasErrors():
		return o.Findings.Error()
	}
	return ""
}

// execute compiles a script and runs it.
func execute(t testing.TB, h *wasmhost.Host, script string, in *wasmhost.Input, opts compiler.Options) outcome {
	t.Helper()
	artifact, findings := compiler.Compile(compiler.Source{Text: script}, opts)
	if artifact == nil {
		return outcome{Findings: findings}
	}
	module, err := h.Load(artifact.Wasm, artifact.Manifest)
	if err != nil {
		t.Fatalf("load: %v\n%s", err, script)
	}
	defer module.Release()
	in.EchoVariables = true
	out, usage, failure := h.Run(context.Background(), module, in, limits, nil)
	o := outcome{Failure: failure, Findings: findings, Status: out.Status, Usage: usage, Document: string(out.JSON)}
	if failure != nil {
		if failure.Code == diag.Internal {
			t.Errorf("internal error: %v %v\n%s", failure, failure.Cause, script)
		}
		return o
	}
	if err := json.Unmarshal(out.JSON, &o); err != nil {
		t.Fatalf("answer %s: %v", out.JSON, err)
	}
	return o
}

func TestConformance(t *testing.T) {
	dir := os.Getenv("AVAP_CASES")
	if dir == "" {
		t.Skip()
	}
	if os.Getenv("AVAP_SPLIT") != "" {
		defer compiler.SplitAll()()
	}
	skip := map[string]bool{"connector": true, "crypto": true, "database": true, "datetime": true, "http": true, "string": true, "concurrency": true}
	files, _ := filepath.Glob(dir)
	h := newHost(t, wasmhost.EngineCompiler)
	pass, fail := 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			ID, Area, Script string
			Variables        json.RawMessage
			Query            any
			Body             json.RawMessage
			Expect           struct {
				Status        int
				Result        map[string]any
				Variables     map[string]any
				ErrorContains string `json:"error_contains"`
			}
		}
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatal(file, err)
		}
		for _, c := range cases {
			if skip[c.Area] {
				continue
			}
			in := &wasmhost.Input{Variables: c.Variables, Body: c.Body}
			if len(c.Variables) == 0 {
				in.Variables = nil
			}
			switch q := c.Query.(type) {
			case string:
				for _, part := range strings.Split(q, "&") {
					k, v, _ := strings.Cut(part, "=")
					k, _ = url.QueryUnescape(k)
					v, _ = url.QueryUnescape(v)
					in.Query = append(in.Query, wasmhost.Pair{Name: k, Value: v})
				}
			case map[string]any:
				var names []string
				for k := range q {
					names = append(names, k)
				}
				sort.Strings(names)
				for _, k := range names {
					if list, ok := q[k].([]any); ok {
						for _, v := range list {
							in.Query = append(in.Query, wasmhost.Pair{Name: k, Value: fmt.Sprint(v)})
						}
						continue
					}
					in.Query = append(in.Query, wasmhost.Pair{Name: k, Value: fmt.Sprint(q[k])})
				}
			}
			o := execute(t, h, c.Script, in, compiler.Options{})
			status := o.Status
			if o.message() != "" {
				status = 400
				if o.Failure != nil && (o.Failure.Code == diag.OutOfFuel || o.Failure.Code == diag.DeadlineReached) {
					status = 504
				}
			}
			problem := ""
			switch {
			case status != c.Expect.Status:
				problem = fmt.Sprintf("status %d, want %d", status, c.Expect.Status)
			case c.Expect.Result != nil && !reflect.DeepEqual(o.Result, c.Expect.Result):
				problem = fmt.Sprintf("result %v, want %v", o.Result, c.Expect.Result)
			case !strings.Contains(strings.ToLower(o.message()), strings.ToLower(c.Expect.ErrorContains)):
				problem = fmt.Sprintf("message %q, want %q", o.message(), c.Expect.ErrorContains)
			}
			for k, v := range c.Expect.Variables {
				if !reflect.DeepEqual(o.Variables[k], v) {
					problem = fmt.Sprintf("variable %s is %v, want %v", k, o.Variables[k], v)
				}
			}
			if problem != "" {
				fail++
				t.Errorf("%s: %s\n  message: %s\n%s\n", c.ID, problem, o.message(), c.Script)
			} else {
				pass++
			}
		}
	}
	t.Logf("%d passed, %d failed", pass, fail)
}

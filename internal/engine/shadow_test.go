package engine

import (
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/avapd/avapd/wasmhost"
)

// faulty stands for the interpreter beside an engine that computes something
// wrong: the modules that it is given it exchanges for right ones.
type faulty struct {
	*wasmhost.Host
	exchange func(module []byte) ([]byte, error)
}

func (f *faulty) LoadAgain(m *wasmhost.Module) (*wasmhost.Module, error) {
	module, err := f.exchange(m.Binary)
	if err != nil {
		return nil, err
	}
	return f.Load(module, m.Manifest)
}

// logBuffer takes a log.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// shadowing is an engine that repeats all it can.
func shadowing(t *testing.T, c *fakeCompiler, change func(*Config)) (*Engine, *logBuffer) {
	t.Helper()
	log := new(logBuffer)
	return newEngine(t, c, func(c *Config) {
		c.ShadowRunsPerMillion = perMillion
		c.Commands.Log = slog.New(slog.NewTextHandler(log, nil))
		if change != nil {
			change(c)
		}
	}), log
}

// exchanging makes the second engine run what exchange gives.
func exchanging(e *Engine, exchange func([]byte) ([]byte, error)) {
	open := e.shadow.open
	e.shadow.open = func() (otherHost, error) {
		other, err := open()
		if err != nil {
			return nil, err
		}
		return &faulty{other.(*wasmhost.Host), exchange}, nil
	}
}

// awaitShadow waits until what is to be repeated is through.
func awaitShadow(e *Engine) ShadowStats {
	e.shadow.pending.Wait()
	return e.Stats().Shadow
}

func TestShadowRunsAgree(t *testing.T) {
	e, log := shadowing(t, nil, nil)
	scripts := []string{
		"x = 1 + 2.5\naddResult(x)\nprint(x)",
		"d = {}\nstartLoop(i, 1, 200)\nd[str(i)] = i * 1.5\nendLoop()\naddResult(d)",
		"function f(a){\nreturn(a / b)\n}\nb = 0\nr = f(7)",
		"raise('no')", "while(true)\nend()", "s = 'x'\nwhile(true)\ns = s + s\nend()",
		"addParam(name, who)\ntext = 'Hello, ' + str(who)\naddResult(text)",
	}
	for _, script := range scripts {
		_, _ = e.Run(t.Context(), &Request{
			Source: script, Body: []byte(`{"name":"Ana"}`), Variables: []byte(`{"v":[1,{"a":"ñ"}]}`), EchoVariables: true,
			Limits: Limits{Fuel: 100_000, MemoryPages: 64},
		})
		if s := awaitShadow(e); s.Mismatches > 0 || s.Dropped > 0 {
			t.Fatalf("%s: %+v\n%s", script, s, log)
		}
	}
	if s := e.Stats().Shadow; s.Runs != int64(len(scripts)) || s.Quarantined != 0 {
		t.Errorf("%+v", s)
	}
}

// A module from elsewhere is repeated as what it is: with its calls, and its
// start function.
func TestShadowRunsForeignModules(t *testing.T) {
	e, log := shadowing(t, nil, nil)
	for i, name := range []string{"uses_the_library", "start_function_runs_once"} {
		_, _ = e.RunForeign(t.Context(), foreign(t, name), &Request{Limits: Limits{Fuel: 100_000}})
		if s := awaitShadow(e); s.Mismatches > 0 || s.Runs != int64(i+1) {
			t.Fatalf("%s: %+v\n%s", name, s, log)
		}
	}
}

// What depends on more than its input is not repeated.
func TestShadowLeavesEffectsAlone(t *testing.T) {
	e, _ := shadowing(t, nil, nil)
	for _, r := range []Request{
		{Source: "getTimeStamp('2020-01-01', '%Y-%m-%d', 0, t)\nr = random(5)\nrandomString('[a-z]', 3, s)"},
		{Source: "function f(){\nreturn(1)\n}\nh = go f()\nx = gather(h)"},
		{Source: "x = 1", Logs: true},
	} {
		_, _ = e.Run(t.Context(), &r)
	}
	if s := e.Stats().Shadow; s != (ShadowStats{}) || len(e.shadow.jobs) > 0 {
		t.Errorf("%+v, %d in the queue", s, len(e.shadow.jobs))
	}
}

func TestMismatchQuarantines(t *testing.T) {
	e, log := shadowing(t, nil, nil)
	right, findings, err := e.Compile(t.Context(), "", &Source{Text: "x = 1 + 2\naddResult(x)"})
	if err != nil || findings.HasErrors() {
		t.Fatal(err, findings)
	}
	exchanging(e, func([]byte) ([]byte, error) { return right.Wasm, nil })
	// The compiler's engine computes this as if it were the right script.
	wrong := &Request{Source: "x = 1 + 3\naddResult(x)", Variables: []byte(`{"secret":"hunter2"}`)}
	if a := mustAnswer(t, e, wrong); string(a.Result) != `{"x":4}` {
		t.Fatalf("before: %s", a.Result)
	}
	if s := awaitShadow(e); s.Mismatches != 1 || s.Quarantined != 1 || s.Runs != 1 {
		t.Fatalf("%+v", s)
	}
	for range 2 {
		if a := mustAnswer(t, e, wrong); string(a.Result) != `{"x":3}` {
			t.Errorf("in quarantine: %s", a.Result)
		}
	}
	text := log.String()
	for _, want := range []string{"level=ERROR", "artifact=", "input=", "differs=result", "quarantined=true"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("an input is in the log: %s", text)
	}
	// Others are not affected.
	if a := mustAnswer(t, e, &Request{Source: "x = 5\naddResult(x)"}); string(a.Result) != `{"x":5}` {
		t.Errorf("another script: %s", a.Result)
	}
}

// Each kind of difference is found.
func TestShadowFindsDifferences(t *testing.T) {
	for name, pair := range map[string][2]string{
		"failure":  {"x = 1 / 0", "x = [1][5]"},
		"position": {"x = 1\nx = 1\nx = 1 / 0", "x = 1\nx = 1 / 0\nx = 1"},
		"status":   {"_status = 404", "_status = 405"},
		"log":      {"print('a')", "print('b')"},
		"fuel":     {"startLoop(i, 1, 9)\nendLoop()", "startLoop(i, 1, 8)\nendLoop()"},
	} {
		e, log := shadowing(t, nil, nil)
		other, findings, err := e.Compile(t.Context(), "", &Source{Text: pair[1]})
		if err != nil || findings.HasErrors() {
			t.Fatal(err, findings)
		}
		// The manifest stays that of the first, as if only the code were wrong.
		exchanging(e, func([]byte) ([]byte, error) { return other.Wasm, nil })
		_, _ = e.Run(t.Context(), &Request{Source: pair[0]})
		if s := awaitShadow(e); s.Mismatches != 1 || !strings.Contains(log.String(), name) {
			t.Errorf("%s: %+v %s", name, s, log)
		}
	}
}

func TestModuleThatTheOtherEngineRefuses(t *testing.T) {
	e, log := shadowing(t, nil, nil)
	exchanging(e, func([]byte) ([]byte, error) { return nil, errors.New("no such opcode") })
	mustAnswer(t, e, &Request{Source: "x = 1"})
	if s := awaitShadow(e); s.Mismatches != 1 || s.Quarantined != 0 || !strings.Contains(log.String(), "no such opcode") || !strings.Contains(log.String(), "quarantined=false") {
		t.Errorf("%+v %s", s, log)
	}
}

// A full queue drops repetitions and holds nobody up; what is idle waits for
// the clients.
func TestShadowQueueIsBounded(t *testing.T) {
	e, _ := shadowing(t, &fakeCompiler{}, func(c *Config) { c.ComputeSlots = 1 })
	mustAnswer(t, e, &Request{Source: "ok"})
	awaitShadow(e)
	// As long as clients want the slot, nothing is repeated.
	if err := e.gate.Enter(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2 * shadowQueue {
			mustAnswer(t, e, &Request{Client: "v", Source: "ok"})
		}
	}()
	for e.gate.Waiting() == 0 {
		runtime.Gosched()
	}
	e.gate.Leave("a")
	<-done
	s := awaitShadow(e)
	if s.Mismatches != 0 || s.Runs+s.Dropped != 2*shadowQueue+1 {
		t.Errorf("%+v", s)
	}
	large := &Request{Source: "ok", Variables: []byte(`{"a":"` + strings.Repeat("x", shadowInput) + `"}`)}
	mustAnswer(t, e, large)
	if after := e.Stats().Shadow; after.Dropped != s.Dropped+1 {
		t.Errorf("large input: %+v", after)
	}
}

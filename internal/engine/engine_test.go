package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/wasmhost"
)

const endlessFuel = 1 << 50

// endlessLimits lets an endless script run until somebody ends it.
func endlessLimits(c *Config) {
	c.Limits = Limits{Fuel: endlessFuel, Duration: time.Hour}
}

func TestAnswer(t *testing.T) {
	for _, change := range []func(*Config){nil, func(c *Config) { c.Interpreter = true }, withTrials} {
		e := newEngine(t, &fakeCompiler{}, change)
		r := &Request{Source: "ok", Variables: []byte(`{"b":1.0,"a":"x"}`), EchoVariables: true}
		a := mustAnswer(t, e, r)
		if want := `{"success":true,"result":{},"variables":{"b":1.0,"a":"x"},"logs":[]}`; string(a.JSON) != want || a.Status != 200 {
			t.Errorf("got %s (%d)", a.JSON, a.Status)
		}
		if string(a.Result) != "{}" || string(a.Variables) != `{"b":1.0,"a":"x"}` || string(a.Logs) != "[]" {
			t.Errorf("parts %s, %s, %s", a.Result, a.Variables, a.Logs)
		}
		if a.CacheHit || a.CompileTime <= 0 || len(a.Script) != 64 {
			t.Errorf("first run: %+v", a)
		}
		if a = mustAnswer(t, e, r); !a.CacheHit {
			t.Error("the second run missed the cache")
		}
		r.EchoVariables = false
		if a = mustAnswer(t, e, r); string(a.JSON) != `{"success":true,"result":{},"logs":[]}` || len(a.Variables) != 0 {
			t.Errorf("without echo: %s", a.JSON)
		}
	}
}

// Who had less than half of its time for itself learns that the server was
// overloaded, and who had it alone that it takes too long.
func TestTimeThatOthersTook(t *testing.T) {
	const fellows = 8
	e := newEngine(t, nil, func(c *Config) {
		c.ComputeSlots, c.Limits = 1, Limits{Fuel: endlessFuel, Duration: 300 * time.Millisecond}
	})
	run := func(client string) diag.Code {
		_, err := e.Run(t.Context(), &Request{Client: client, Source: "x = 1\nwhile(x > 0)\nx = 1\nend()"})
		return codeOf(err)
	}
	if code := run("alone"); code != diag.DeadlineReached {
		t.Errorf("alone: %s", code)
	}
	codes := make(chan diag.Code, fellows)
	for i := range fellows {
		go func() { codes <- run(fmt.Sprint(i)) }()
	}
	overloaded := 0
	for range fellows {
		if <-codes == diag.Overloaded {
			overloaded++
		}
	}
	if overloaded < fellows/2 { // the last ones may be alone
		t.Errorf("%d of %d learn of overload", overloaded, fellows)
	}
}

// An answer is whose it is made for: others go to other places, and the next one
// into the same room.
func TestWhereAnswersGo(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, nil)
	ask := func(text string, into *Answer) *Answer {
		return mustAnswer(t, e, &Request{Source: "ok", Variables: []byte(`{"a":"` + text + `"}`), EchoVariables: true, Into: into})
	}
	own, given := ask("first", nil), new(Answer)
	if ask("second", given) != given || ask("third", nil) == given {
		t.Error("an answer is not where it was to go")
	}
	room := &given.JSON[0]
	ask("4", given)
	if string(own.Variables) != `{"a":"first"}` || string(given.Variables) != `{"a":"4"}` || &given.JSON[0] != room {
		t.Errorf("%s, %s; the room is the same: %t", own.Variables, given.Variables, &given.JSON[0] == room)
	}
}

func TestFailures(t *testing.T) {
	t.Run("machine code", func(t *testing.T) { testFailures(t, 0) })
	t.Run("trials", func(t *testing.T) { testFailures(t, trialFuel) })
}

func testFailures(t *testing.T, trialFuel int64) {
	t.Helper()
	c := &fakeCompiler{}
	e := newEngine(t, c, func(c *Config) { c.SourceBytes, c.TrialFuel = 100, trialFuel })
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		r    Request
		want diag.Code
	}{
		{"empty", context.Background(), Request{}, diag.EmptyScript},
		{"large", context.Background(), Request{Source: strings.Repeat("x", 101)}, diag.SourceTooLarge},
		{"bad", context.Background(), Request{Source: "bad"}, diag.SyntaxError},
		{"panic", context.Background(), Request{Source: "panic"}, diag.Internal},
		{"nothing", context.Background(), Request{Source: "nothing"}, diag.Internal},
		{"fuel", context.Background(), Request{Source: "count 1000", Limits: Limits{Fuel: 999}}, diag.OutOfFuel},
		{"too much fuel", context.Background(), Request{Source: "ok", Limits: Limits{Fuel: DefaultLimits.Fuel + 1}}, diag.BadFieldType},
		{"negative time", context.Background(), Request{Source: "ok", Limits: Limits{Duration: -1}}, diag.BadFieldType},
		{"output", context.Background(), Request{Source: "ok", Limits: Limits{OutputBytes: 10}}, diag.OutputLimit},
		{"memory", context.Background(), Request{Source: "ok", Variables: []byte(`{"a":"` + strings.Repeat("x", 1<<16) + `"}`), Limits: Limits{MemoryPages: 1}}, diag.OutOfMemory},
		{"variables", context.Background(), Request{Source: "ok", Variables: []byte("{")}, diag.BadJSON},
		{"gone", gone, Request{Source: "ok"}, diag.Cancelled},
		{"gone before the compile", gone, Request{Source: "ok never seen"}, diag.Cancelled},
	} {
		mustAnswer(t, e, &Request{Source: "ok"})
		if _, err := e.Run(test.ctx, &test.r); codeOf(err) != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	if findings, err := e.Check(context.Background(), "", &Source{Text: "bad"}); len(findings) != 1 || err != nil {
		t.Errorf("check: %v %v", findings, err)
	}
	if findings, _ := e.Check(context.Background(), "", &Source{Text: "panic"}); len(findings) != 1 || findings[0].Code != diag.Internal {
		t.Errorf("check of a script that breaks the compiler: %v", findings)
	}
}

// What panics where no handler would catch it fails as a defect does, for those
// who wait for it, and for nobody else.
func TestPanicsOfTheLoader(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, nil)
	broken := func() work {
		return work{compile: func(func()) (*wasmhost.Module, diag.List, error) { panic("load") }}
	}
	for range 2 { // what is remembered of it, too
		_, err := e.execute(context.Background(), &Request{}, Limits{}, func() (found, error) {
			return e.cache.get(context.Background(), "", key{artifact: true}, broken)
		})
		failure, ok := errors.AsType[*diag.Failure](err)
		if !ok || failure.Code != diag.Internal || !strings.Contains(failure.Cause.Error(), "panic in the loader: load") ||
			!strings.Contains(failure.Cause.Error(), "TestPanicsOfTheLoader") {
			t.Errorf("got %v", err)
		}
	}
	mustAnswer(t, e, &Request{Source: "ok"})
}

func TestLess(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, nil)
	a := mustAnswer(t, e, &Request{Source: "count 1000", Limits: Limits{Fuel: 1000}})
	if a.Usage.FuelUsed != 1000 || a.Usage.MemoryPages != 1 {
		t.Errorf("usage %+v", a.Usage)
	}
}

func TestArtifacts(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, nil)
	artifact, findings, err := e.Compile(t.Context(), "", &Source{Text: "count 7"})
	if err != nil || findings != nil {
		t.Fatal(err, findings)
	}
	for _, hit := range []bool{false, true} {
		a, err := e.RunArtifact(context.Background(), artifact.Wasm, &Request{})
		if err != nil || a.Usage.FuelUsed != 7 || a.CacheHit != hit {
			t.Errorf("got %+v, %v", a, err)
		}
	}
	var bad *ArtifactError
	if _, err = e.RunArtifact(context.Background(), []byte("junk"), &Request{}); !errors.As(err, &bad) {
		t.Errorf("junk: %v", err)
	}
}

func TestCompiledOnce(t *testing.T) {
	c := &fakeCompiler{gate: make(chan struct{}), begun: make(chan struct{}, 10)}
	e := newEngine(t, c, nil)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		if _, err := e.Run(ctx, &Request{Source: "ok"}); codeOf(err) != diag.Cancelled {
			t.Errorf("cancelled waiter: %v", err)
		}
	})
	<-c.begun
	for range 8 {
		wg.Go(func() { mustAnswer(t, e, &Request{Source: "ok"}) })
	}
	cancel()
	close(c.gate)
	wg.Wait()
	if n := c.compiles.Load(); n != 1 {
		t.Errorf("compiled %d times", n)
	}
	mustAnswer(t, e, &Request{Source: "ok", Logs: true})
	if n := c.compiles.Load(); n != 2 {
		t.Errorf("with other options: compiled %d times in all", n)
	}
}

// The caller's buffer may be used again as soon as Run is back.
func TestCompileOutlivesItsRequest(t *testing.T) {
	c := &fakeCompiler{gate: make(chan struct{}), begun: make(chan struct{}, 10)}
	e := newEngine(t, c, func(c *Config) { c.CompileWorkers = 1 })
	var wg sync.WaitGroup
	wg.Go(func() { mustAnswer(t, e, &Request{Source: "ok first"}) })
	<-c.begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Run(ctx, &Request{Source: "ok second"}); codeOf(err) != diag.Cancelled {
		t.Errorf("got %v", err)
	}
	close(c.gate)
	wg.Wait()
	if a := mustAnswer(t, e, &Request{Source: "ok second"}); a.Script == "" {
		t.Error("no digest")
	}
	if n := c.compiles.Load(); n != 2 {
		t.Errorf("compiled %d times", n)
	}
}

func TestFailedCompilesAreRememberedBriefly(t *testing.T) {
	c := &fakeCompiler{}
	e := newEngine(t, c, nil)
	now := time.Unix(1000, 0)
	e.cache.now = func() time.Time { return now }
	for i, step := range []struct {
		after time.Duration
		want  int32
	}{{0, 1}, {failureLifetime - 1, 1}, {1, 2}} {
		now = now.Add(step.after)
		if _, err := e.Run(context.Background(), &Request{Source: "bad"}); codeOf(err) != diag.SyntaxError {
			t.Errorf("step %d: %v", i, err)
		}
		if n := c.compiles.Load(); n != step.want {
			t.Errorf("step %d: compiled %d times, want %d", i, n, step.want)
		}
	}
}

// An entry that is evicted while its script runs keeps its code until the end.
func TestEvictedWhileRunning(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, func(c *Config) {
		endlessLimits(c)
		c.CacheBytes = 1
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := e.Run(ctx, &Request{Source: "endless"})
		ended <- err
	}()
	awaitRunning(e, 1)
	for i := range 20 {
		mustAnswer(t, e, &Request{Source: "ok " + strings.Repeat("x", i)})
		runtime.GC()
	}
	cancel()
	if err := <-ended; codeOf(err) != diag.Cancelled {
		t.Errorf("got %v", err)
	}
}

// awaitRunning waits until n executions are past admission.
func awaitRunning(e *Engine, n int) {
	for e.Stats().Running < n {
		runtime.Gosched()
	}
}

func TestNoMemoryLeft(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, func(c *Config) {
		endlessLimits(c)
		c.ComputeSlots, c.MaxInstances = 1, 1
	})
	mustAnswer(t, e, &Request{Source: "ok"})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx, &Request{Source: "endless"})
		ended <- err
	}()
	// With one memory the second is turned away once the first has it.
	for {
		_, err := e.Run(context.Background(), &Request{Source: "ok"})
		if codeOf(err) == diag.NoCapacity {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; codeOf(err) != diag.Cancelled {
		t.Errorf("got %v", err)
	}
	mustAnswer(t, e, &Request{Source: "ok"})
}

func TestCloseDrains(t *testing.T) {
	c := &fakeCompiler{gate: make(chan struct{}), begun: make(chan struct{}, 1)}
	e := newEngine(t, c, nil)
	answered := make(chan error, 1)
	go func() {
		_, err := e.Run(context.Background(), &Request{Source: "count 1000"})
		answered <- err
	}()
	<-c.begun
	closed := make(chan error, 1)
	go func() { closed <- e.Close(context.Background()) }()
	for {
		if _, err := e.Run(context.Background(), &Request{Source: ""}); codeOf(err) == diag.NoCapacity {
			break
		}
		runtime.Gosched()
	}
	select {
	case err := <-closed:
		t.Fatalf("closed before the execution ended: %v", err)
	default:
	}
	close(c.gate)
	if err := <-answered; err != nil {
		t.Errorf("the running execution failed: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := e.Close(context.Background()); err == nil {
		t.Error("closed twice")
	}
}

func TestCloseCancelsAtItsDeadline(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, endlessLimits)
	ended := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := e.Run(context.Background(), &Request{Source: "endless"})
			ended <- err
		}()
	}
	awaitRunning(e, 3)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Close(ctx); err != nil {
		t.Error(err)
	}
	for range 3 {
		if err := <-ended; codeOf(err) != diag.Cancelled || !strings.Contains(err.Error(), "shutting down") {
			t.Errorf("got %v", err)
		}
	}
}

// stopCause is a context's end with a reason of its own, as the server has.
type stopCause struct{ context.Context }

func (stopCause) Err() error { return errors.New("the client closed the connection") }

func TestForeignContext(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, nil)
	mustAnswer(t, e, &Request{Source: "ok"})
	_, err := e.Run(stopCause{context.Background()}, &Request{Source: "ok"})
	if codeOf(err) != diag.Cancelled || !strings.Contains(err.Error(), "the client closed the connection") {
		t.Errorf("got %v", err)
	}
}

func TestManyScriptsAtOnce(t *testing.T) {
	c := &fakeCompiler{}
	e := newEngine(t, c, func(c *Config) { c.CacheBytes = 4 * entryBytes })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				source := "count " + strings.Repeat("1", 1+(i+j)%5)
				a := mustAnswer(t, e, &Request{Source: source, Variables: []byte(`{"a":[` + source[6:] + `]}`), EchoVariables: true})
				if want := `{"a":[` + source[6:] + `]}`; string(a.Variables) != want {
					t.Errorf("got %s, want %s", a.Variables, want)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkRun is what a request costs behind the HTTP layer, with its script
// in the cache and without.
func BenchmarkRun(b *testing.B) {
	e := newEngine(b, nil, nil)
	small := "total = price * count\naddResult(total)"
	large := strings.Repeat("if(count, 3, >)\ntotal = total + price * count\nelse()\nname = name + str(total)\nend()\n", 10)
	in := []byte(`{"price":9.5,"count":3,"total":0,"name":"Ana","unknown":[1,2.5]}`)
	for name, source := range map[string]string{"2 lines": small, "50 lines": large} {
		for _, cold := range []bool{false, true} {
			b.Run(name+map[bool]string{true: " cold", false: " warm"}[cold], func(b *testing.B) {
				var times []time.Duration
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					r := &Request{Source: source, Variables: in, EchoVariables: true}
					if cold {
						r.Source = fmt.Sprintf("%s\nx = %d", source, time.Now().UnixNano())
					}
					began := time.Now()
					mustAnswer(b, e, r)
					times = append(times, time.Since(began))
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2]), "p50-ns")
				b.ReportMetric(float64(times[len(times)*99/100]), "p99-ns")
			})
		}
	}
}

func TestAllocationsPerRun(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, nil)
	r := &Request{Source: "ok", Variables: []byte(`{"a":"Ana","unknown":[1,2.5]}`), EchoVariables: true}
	const most = 65
	got := testing.AllocsPerRun(200, func() {
		if _, err := e.Run(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	})
	if got > most {
		t.Errorf("%v allocations per run, want at most %v", got, most)
	}
}

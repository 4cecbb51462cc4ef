package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
)

// onEngines runs a test with the compiler and with the interpreter.
func onEngines(t *testing.T, change func(*Config), test func(*testing.T, *Engine)) {
	t.Helper()
	for name, e := range realEngines(t, change) {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}

func mustEnd(t *testing.T, e *Engine, r *Request, code diag.Code) *diag.Failure {
	t.Helper()
	a, err := e.Run(t.Context(), r)
	failure, ok := errors.AsType[*diag.Failure](err)
	if !ok {
		t.Fatalf("got %v, %v; want %s", a, err, code)
	}
	if failure.Code != code {
		t.Fatalf("ended with %s %q (%v), want %s", failure.Code, failure.Message, failure.Cause, code)
	}
	return failure
}

// squares starts a child for each number and gathers them in turn.
const squares = `
function square(n){
    s = 0
    startLoop(i, 1, n)
        s = s + n
    endLoop()
    return(s)
}
handles = []
startLoop(i, 1, 20)
    h = go square(i * 10)
    handles.append(h)
endLoop()
total = sum([gather(h) for h in handles])
addResult(total)
`

// fibonacci is a tree of children.
const fibonacci = `
function fib(n){
    if(n, 2, "<")
        return(n)
    end()
    a = go fib(n - 1)
    b = go fib(n - 2)
    return(gather(a) + gather(b))
}
r = fib(7)
addResult(r)
`

// bomb starts children that do the same, and survives what can be survived.
const bomb = `
function bomb(n){
    try()
        a = go bomb(n)
        b = go bomb(n)
        x = [gather(a), gather(b)]
    exception(e)
    end()
    return(bomb(n))
}
bomb(1)
`

// tree has more nodes than there are places.
const tree = `
function node(depth){
    if(depth, 0, "=")
        return(1)
    end()
    handles = [go node(depth - 1) for i in range(3)]
    n = 1
    startLoop(i, 0, 2)
        try()
            n = n + gather(handles[i])
        exception(e)
            n = n + 0
        end()
    endLoop()
    return(n)
}
n = 0
try()
    n = node(5)
exception(e)
    n = e
end()
addResult(n)
`

const squaresResult = `{"total":287000}`

// A parent that waits does not keep its children from computing.
func TestChildrenWithOneComputeSlot(t *testing.T) {
	onEngines(t, func(c *Config) { c.ComputeSlots, c.QueueLength, c.MaxInstances = 1, 16, 400 }, func(t *testing.T, e *Engine) {
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				a, err := e.Run(context.Background(), &Request{Source: squares})
				switch {
				case err != nil:
					t.Error(err)
				case string(a.Result) != squaresResult:
					t.Errorf("%s", a.Result)
				}
			})
		}
		all.Wait()
	})
}

// Executions that hold all memory slots do not wait for each other for ever:
// what gets none is told so, and can go on.
func TestChildrenWithoutMemorySlots(t *testing.T) {
	const script = `
function one(){
    return(1)
}
got = 0
try()
    h = go one()
    got = gather(h)
exception(e)
    got = e
end()
addResult(got)
`
	onEngines(t, func(c *Config) { c.MaxInstances = 2 }, func(t *testing.T, e *Engine) {
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				_, err := e.Run(context.Background(), &Request{Source: script})
				if failure, ok := errors.AsType[*diag.Failure](err); ok && failure.Code == diag.NoCapacity {
					return // the other one had both
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	onEngines(t, func(c *Config) { c.MaxInstances = 1 }, func(t *testing.T, e *Engine) {
		a := mustAnswer(t, e, &Request{Source: script})
		if !strings.Contains(string(a.Result), "no memory slot is free for a child") {
			t.Errorf("%s", a.Result)
		}
	})
}

// What all members use together is what the limit is for: with just enough
// fuel the script succeeds, however it is spread, and with one unit less it does
// not.
func TestChildrenShareFuel(t *testing.T) {
	var first [2]int64
	onEngines(t, func(c *Config) { c.ComputeSlots = 4 }, func(t *testing.T, e *Engine) {
		for i, test := range []struct{ script, result string }{{squares, squaresResult}, {fibonacci, `{"r":13}`}} {
			used := mustAnswer(t, e, &Request{Source: test.script}).Usage.FuelUsed
			if first[i] == 0 {
				first[i] = used
			}
			for range 20 {
				a := mustAnswer(t, e, &Request{Source: test.script, Limits: Limits{Fuel: used}})
				if a.Usage.FuelUsed != first[i] || string(a.Result) != test.result {
					t.Fatalf("used %d, first %d; %s", a.Usage.FuelUsed, first[i], a.Result)
				}
				f := mustEnd(t, e, &Request{Source: test.script, Limits: Limits{Fuel: used - 1}}, diag.OutOfFuel)
				if f.Usage.FuelUsed > used-1 {
					t.Fatalf("used %d of %d", f.Usage.FuelUsed, used-1)
				}
			}
		}
	})
}

// However little fuel there is, and whatever the members wait for, somebody
// goes on until it is used up.
func TestChildrenNeverStall(t *testing.T) {
	onEngines(t, nil, func(t *testing.T, e *Engine) {
		for fuel := int64(20_000); fuel < 3_000_000; fuel += fuel / 4 {
			for _, script := range []string{bomb, tree} {
				_, err := e.Run(t.Context(), &Request{Source: script, Limits: Limits{Fuel: fuel}})
				if failure, ok := errors.AsType[*diag.Failure](err); ok && failure.Code != diag.OutOfFuel {
					t.Fatalf("fuel %d: %s %v", fuel, failure.Code, failure)
				}
			}
		}
	})
}

// Limits of a child end the whole execution and cannot be caught.
func TestLimitsOfChildren(t *testing.T) {
	wrap := func(body string) string {
		return "function child(n){\n" + body + "\n}\ntry()\nh = go child(1)\nr = gather(h)\nexception(e)\naddResult(e)\nend()"
	}
	onEngines(t, nil, func(t *testing.T, e *Engine) {
		for _, test := range []struct {
			name, script string
			limits       Limits
			code         diag.Code
			line         int
		}{
			{"fuel", wrap("while(True)\nn = n + 1\nend()"), Limits{Fuel: 300_000}, diag.OutOfFuel, 2},
			{"memory", wrap("s = \"x\"\nwhile(True)\ns = s + s\nend()"), Limits{}, diag.OutOfMemory, 4},
			{"depth", wrap("return(child(n))"), Limits{}, diag.RecursionLimit, 2},
			{"time", wrap("while(True)\nn = 1\nend()"), Limits{Duration: 50 * time.Millisecond}, diag.DeadlineReached, 0},
			{
				"bomb", "function bomb(){\nwhile(True)\ntry()\nh = go bomb()\nexception(e)\nend()\nend()\n}\nbomb()",
				Limits{Fuel: 3_000_000},
				diag.OutOfFuel, 0,
			},
			{"gather bomb", bomb, Limits{Fuel: 3_000_000, CallDepth: 100_000}, diag.OutOfFuel, 0},
			{
				"handles", "function f(){\nreturn(1)\n}\nwhile(True)\nh = go f()\nend()",
				Limits{MemoryPages: 32},
				diag.OutOfMemory, 0,
			},
		} {
			t.Run(test.name, func(t *testing.T) {
				if test.limits.CallDepth > 0 {
					e.bounds.Load().most.CallDepth = test.limits.CallDepth
				}
				f := mustEnd(t, e, &Request{Source: test.script, Limits: test.limits}, test.code)
				if test.line > 0 && f.Span.Start.Line != test.line {
					t.Errorf("at %v", f.Span.Start)
				}
			})
		}
	})
}

// The memory of all members counts together.
func TestChildrenShareMemory(t *testing.T) {
	// Each holds its text while its own child is at work.
	const script = `
function hold(n){
    s = "x" * 4194304
    if(n, 1, ">")
        h = go hold(n - 1)
        return(gather(h) + len(s))
    end()
    return(len(s))
}
h = go hold(%d)
r = gather(h)
addResult(r)
`
	onEngines(t, nil, func(t *testing.T, e *Engine) {
		limits := Limits{MemoryPages: 512}
		a := mustAnswer(t, e, &Request{Source: fmt.Sprintf(script, 2), Limits: limits})
		if pages := a.Usage.MemoryPages; pages < 128 || pages > 512 || string(a.Result) != `{"r":8388608}` {
			t.Errorf("%d pages, %s", pages, a.Result)
		}
		mustEnd(t, e, &Request{Source: fmt.Sprintf(script, 16), Limits: limits}, diag.OutOfMemory)
	})
}

// An error in a child names the child's line and its call stack, which goes on
// with the place that started it and the one that gathered it.
func TestStackOfAChild(t *testing.T) {
	const script = `function inner(n){
return(1 / n)
}
function outer(n){
return(inner(n))
}
function all(){
h = go outer(0)
r = gather(h)
return(r)
}
x = all()`
	onEngines(t, nil, func(t *testing.T, e *Engine) {
		f := mustEnd(t, e, &Request{Source: script}, diag.DivisionByZero)
		var got []string
		for _, frame := range f.Stack {
			got = append(got, fmt.Sprintf("%s:%d", frame.Function, frame.Position.Line))
		}
		if want := "inner:2 outer:5 all:8 all:9 :12"; strings.Join(got, " ") != want || f.Span.Start.Line != 2 {
			t.Errorf("got %q at %v, want %q", got, f.Span.Start, want)
		}
	})
}

// The end of a request, and that of the engine, is the end of all children.
func TestChildrenAreCancelled(t *testing.T) {
	const script = "function forever(){\nwhile(True)\nx = 1\nend()\n}\nh = go forever()\nk = go forever()\nr = gather(h)"
	onEngines(t, func(c *Config) { c.Limits.Duration = time.Minute }, func(t *testing.T, e *Engine) {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := e.Run(ctx, &Request{Source: script})
		if failure, ok := errors.AsType[*diag.Failure](err); !ok || failure.Code != diag.Cancelled {
			t.Errorf("got %v", err)
		}
		ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		time.AfterFunc(20*time.Millisecond, func() { _ = e.Close(ctx) })
		_, err = e.Run(context.Background(), &Request{Source: script})
		if failure, ok := errors.AsType[*diag.Failure](err); !ok || failure.Code != diag.Cancelled && failure.Code != diag.NoCapacity {
			t.Errorf("got %v", err)
		}
	})
}

// More children than there are places wait for one; when all of them wait, one
// is refused.
func TestPlacesForChildren(t *testing.T) {
	const many = `
function f(n){
    return(n)
}
handles = []
startLoop(i, 1, 300)
    h = go f(i)
    handles.append(h)
endLoop()
r = sum([gather(h) for h in handles])
addResult(r)
`
	onEngines(t, nil, func(t *testing.T, e *Engine) {
		if a := mustAnswer(t, e, &Request{Source: many}); string(a.Result) != `{"r":45150}` {
			t.Errorf("%s", a.Result)
		}
		// How many are refused depends on who comes first.
		if a := mustAnswer(t, e, &Request{Source: tree}); !strings.HasPrefix(string(a.Result), `{"n":`) {
			t.Errorf("%s", a.Result)
		}
	})
}

// Children may be 16 generations.
func TestGenerationsOfChildren(t *testing.T) {
	const script = `
function f(n){
    if(n, 1, ">")
        h = go f(n - 1)
        return(gather(h) + 1)
    end()
    return(1)
}
h = go f(%d)
n = gather(h)
addResult(n)
`
	onEngines(t, nil, func(t *testing.T, e *Engine) {
		if a := mustAnswer(t, e, &Request{Source: fmt.Sprintf(script, 16)}); string(a.Result) != `{"n":16}` {
			t.Errorf("%s", a.Result)
		}
		f := mustEnd(t, e, &Request{Source: fmt.Sprintf(script, 17)}, diag.BadValue)
		if f.Message != "children are nested too deep: the limit is 16" {
			t.Error(f.Message)
		}
	})
}

// Ten requests in ten children are under way at the same time: the server
// answers none before it has all of them.
func TestRequestsTogether(t *testing.T) {
	const script = `
function fetch(i){
    r = RequestGet(url)
    return(r["n"] + i)
}
handles = [go fetch(i) for i in range(10)]
r = [gather(h) for h in handles]
addResult(r)
`
	var met *sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		met.Done()
		met.Wait()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"n": 1}`))
	}))
	defer server.Close()
	onEngines(t, func(c *Config) {
		c.ComputeSlots = 1
		c.Commands.Egress.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}, func(t *testing.T, e *Engine) {
		met = new(sync.WaitGroup)
		met.Add(10)
		a := mustAnswer(t, e, &Request{Source: script, Variables: []byte(`{"url":"` + server.URL + `"}`)})
		if string(a.Result) != `{"r":[1,2,3,4,5,6,7,8,9,10]}` {
			t.Errorf("%s", a.Result)
		}
	})
}

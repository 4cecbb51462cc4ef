package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// shelf is a resolver of compiled scripts. It counts what is fetched.
type shelf struct {
	commands map[string]*Command
	denied   map[string]error
	fetches  atomic.Int32
}

func (s *shelf) Resolve(name string) (*Command, error) { return s.commands[name], s.denied[name] }

// newShelf compiles the scripts of a text: a line "-- name --" begins each.
func newShelf(t testing.TB, text string) *shelf {
	t.Helper()
	s := &shelf{commands: map[string]*Command{}, denied: map[string]error{}}
	for _, part := range strings.Split(text, "\n-- ")[1:] {
		name, source, _ := strings.Cut(part, " --\n")
		artifact, findings := compiler.Compile(compiler.Source{Name: name + ".avap", Text: source}, compiler.Options{})
		if artifact == nil {
			t.Fatalf("%s: %v", name, findings)
		}
		s.add(name, artifact.Wasm, nil)
	}
	return s
}

func (s *shelf) add(name string, wasm []byte, err error) *Command {
	c := &Command{Digest: sha256.Sum256(wasm), Trusted: true, Fetch: func(context.Context) ([]byte, error) {
		s.fetches.Add(1)
		return wasm, err
	}}
	s.commands[name] = c
	return c
}

const shelfText = `
-- add --
addParam(a, a)
addParam("b", b)
return(a + b)
-- show --
addParam(a, a)
addParam(b, b)
_status = 500
addResult(a)
addResult(b)
-- fails --
x = 1
y = x / 0
-- outer --
addParam(n, n)
return(add(n, fails2(n)))
-- fails2 --
addParam(n, n)
raise_it = [][n]
-- endless --
startLoop(i, 0, 1000000000)
  x = i
endLoop()
-- even --
addParam(n, n)
if(n, 0, "==")
  return(True)
end()
return(odd(n - 1))
-- odd --
addParam(n, n)
if(n, 0, "==")
  return(False)
end()
return(even(n - 1))
-- forever --
return(forever())
-- change --
addParam(list, list)
list.append(99)
return(list)
-- hoard --
addParam(n, n)
text = "x" * n
return(text)
-- deep --
function down(n) {
  if(n, 0, "==")
    return(add(1, 2))
  end()
  return(down(n - 1))
}
addParam(n, n)
return(down(n))
-- task --
function work(n) {
  return(add(n, 1))
}
addParam(n, n)
h = go work(n)
return(gather(h))
-- stray --
function work() {
  startLoop(i, 0, 1000000000)
    x = i
  endLoop()
}
h = go work()
return("left")
-- globals --
return([g1])
`

// A registered command is called with values, in a sandbox of its own.
func TestRegisteredCommands(t *testing.T) {
	s := newShelf(t, shelfText)
	s.denied["banned"] = errors.New("the command banned is revoked")
	s.add("broken", []byte("no module"), nil)
	s.add("gone", []byte("gone"), errors.New("nobody has it"))
	checkEffects(t, func(c *Config) {
		c.Limits.Fuel, c.Limits.Duration = 1_000_000, time.Minute
		c.Registered = func() Resolver { return s }
	}, []effect{
		{script: "x = add(1, 2)\naddResult(x)", want: `{"x":3}`},
		{script: "x = add('a', n, 7, 8)\naddResult(x)", code: diag.TypeMismatch},
		{script: "x = show(1)\naddResult(x)", want: `{"x":{"a":1,"b":null}}`},
		{script: "x = show(, [1, {'k': None}])\naddResult(x)", want: `{"x":{"a":null,"b":[1,{"k":null}]}}`},
		{script: "show(1, 2)\nfails = 1\naddResult(fails)", want: `{"fails":1}`},
		{script: "x = fails()", code: diag.DivisionByZero, want: "division by zero"},
		{script: "try()\nx = fails()\nexception(e)\nend()\naddResult(e)", want: `{"e":"division by zero"}`},
		{script: "try()\nx = outer(5)\nexception(e)\nend()\naddResult(e)", want: `{"e":"list index out of range"}`},
		{script: "l = [1]\nm = change(l)\naddResult(l)\naddResult(m)", want: `{"l":[1],"m":[1,99]}`},
		{script: "x = even(20)\naddResult(x)", want: `{"x":true}`},
		{script: "x = forever()", code: diag.RecursionLimit},
		{script: "try()\nx = forever()\nexception(e)\nend()", code: diag.RecursionLimit},
		{script: "try()\nx = endless()\nexception(e)\nend()", code: diag.OutOfFuel},
		{script: "try()\nx = hoard(100000000)\nexception(e)\nend()", code: diag.OutOfMemory},
		{script: "x = deep(900)\naddResult(x)", want: `{"x":3}`},
		{script: "x = deep(970)\naddResult(x)", code: diag.RecursionLimit},
		{script: "x = task(4)\naddResult(x)", want: `{"x":5}`},
		{script: "x = stray()\naddResult(x)", want: `{"x":"left"}`},
		{script: "function f(n) {\nreturn(add(n, n))\n}\nh = go f(4)\nx = gather(h)\naddResult(x)", want: `{"x":8}`},
		{script: "g1 = 1\nx = globals(2)\naddResult(x)", code: diag.UndefinedName, want: "g1"},
		{script: "banned(1)", code: diag.Forbidden, want: "the command banned is revoked"},
		{script: "broken()", code: diag.HostFailure, want: "the command broken cannot be loaded"},
		{script: "gone()", code: diag.HostFailure, want: "the command gone cannot be loaded: nobody has it"},
		{script: "nothere(1)", code: diag.CommandNotFound, want: "Command not found: nothere"},
	})
	checkEffects(t, nil, []effect{
		{script: "nothere(1)", code: diag.CommandNotFound, want: "Command not found: nothere"},
		{script: "x = nothere(1 / 0)", code: diag.DivisionByZero, want: "division by zero"},
	})
}

// An explicit interface names the globals that arguments become.
func TestInterfaceSeedsGlobals(t *testing.T) {
	s := newShelf(t, shelfText)
	artifact, _ := compiler.Compile(compiler.Source{Text: "return(a - b)"}, compiler.Options{Interface: parameters("b", "a")})
	s.add("minus", artifact.Wasm, nil)
	s.commands["globals"].Interface = parameters("g1")
	checkEffects(t, func(c *Config) { c.Registered = func() Resolver { return s } }, []effect{
		{script: "x = minus(1, 10)\naddResult(x)", want: `{"x":9}`},
		{script: "x = globals(2)\naddResult(x)", want: `{"x":[2]}`},
		{script: "l = [1]\nl.append(l)\nx = globals(l)\nk = len(x[0][1][1])\naddResult(k)", want: `{"k":2}`},
	})
}

// The same calls cost the same on both engines, and every unit is counted: a
// limit of exactly what was used is enough, one less is not.
func TestRegisteredCommandsFuel(t *testing.T) {
	s := newShelf(t, shelfText)
	const script = "total = 0\nstartLoop(i, 0, 20)\n  try()\n    x = outer(i)\n  exception(e)\n  end()\n  total = total + add(i, task(i))\nendLoop()\naddResult(total)"
	used := map[int64]bool{}
	for kind, e := range realEngines(t, func(c *Config) {
		c.Limits.Duration = time.Minute
		c.Registered = func() Resolver { return s }
	}) {
		for range 3 {
			used[mustAnswer(t, e, &Request{Source: script}).Usage.FuelUsed] = true
		}
		if len(used) != 1 {
			t.Fatalf("%s: fuel %v", kind, used)
		}
		for fuel := range used {
			if _, err := e.Run(t.Context(), &Request{Source: script, Limits: Limits{Fuel: fuel}}); err != nil {
				t.Errorf("%s: fuel %d: %v", kind, fuel, err)
			}
			if _, err := e.Run(t.Context(), &Request{Source: script, Limits: Limits{Fuel: fuel - 1}}); codeOf(err) != diag.OutOfFuel {
				t.Errorf("%s: fuel %d: %v", kind, fuel-1, err)
			}
		}
	}
}

// An error that nobody catches has the places of the callee and of the call.
func TestRegisteredCommandsStack(t *testing.T) {
	s := newShelf(t, shelfText)
	e := newEngine(t, nil, func(c *Config) { c.Registered = func() Resolver { return s } })
	_, err := e.Run(t.Context(), &Request{Source: "\nx = outer(3)", File: "main.avap"})
	failure, ok := errors.AsType[*diag.Failure](err)
	if !ok {
		t.Fatal(err)
	}
	got := fmt.Sprint(failure.Span.Start.File, ":", failure.Span.Start.Line)
	for _, f := range failure.Stack {
		got += fmt.Sprint(" ", f.Position.File, ":", f.Position.Line)
	}
	if want := "fails2.avap:2 outer.avap:2 main.avap:2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A command is fetched once however many ask for it, and not again while it is
// compiled; that it cannot be had is remembered for a moment.
func TestRunCommandFetches(t *testing.T) {
	s := newShelf(t, shelfText)
	e := newEngine(t, nil, nil)
	begun, gate := make(chan struct{}), make(chan struct{})
	add := s.commands["add"]
	fetch := add.Fetch
	add.Fetch = func(ctx context.Context) ([]byte, error) {
		begun <- struct{}{}
		<-gate
		return fetch(ctx)
	}
	errs := make(chan error, 5)
	run := func() {
		a, err := e.RunCommand(t.Context(), add, &Request{Body: []byte(`{"a":1,"b":2}`)})
		if err == nil && string(a.Result) != "{}" {
			err = fmt.Errorf("%s", a.Result)
		}
		errs <- err
	}
	for range cap(errs) {
		go run()
	}
	<-begun
	close(gate)
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := s.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	gone := s.add("gone", []byte("gone"), errors.New("nobody has it"))
	for range 3 {
		if _, err := e.RunCommand(t.Context(), gone, &Request{}); err == nil || err.Error() != "nobody has it" {
			t.Error(err)
		}
	}
	if n := s.fetches.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

// Cancelling the request reaches a command that a command calls.
func TestRegisteredCommandsCancelled(t *testing.T) {
	s := newShelf(t, shelfText)
	e := newEngine(t, nil, func(c *Config) { c.Registered = func() Resolver { return s } })
	mustAnswer(t, e, &Request{Source: "x = add(1, 2)"})
	ctx, cancel := context.WithCancel(t.Context())
	s.add("gone", []byte("never"), nil).Fetch = func(ctx context.Context) ([]byte, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if _, err := e.Run(ctx, &Request{Source: "x = gone()"}); codeOf(err) != diag.Cancelled {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	end := s.commands["endless"]
	fetch := end.Fetch
	end.Fetch = func(ctx context.Context) ([]byte, error) {
		defer cancel()
		return fetch(ctx)
	}
	if _, err := e.Run(ctx, &Request{Source: "try()\nx = endless()\nexception(e)\nend()"}); codeOf(err) != diag.Cancelled {
		t.Error(err)
	}
	if n := e.Stats(); n.Running != 0 || n.Queued != 0 {
		t.Errorf("%+v", n)
	}
}

func parameters(names ...string) []abi.Parameter {
	var list []abi.Parameter
	for _, name := range names {
		list = append(list, abi.Parameter{Name: name, Kind: abi.ParameterValue})
	}
	return list
}

// BenchmarkRegisteredCommand is a thousand calls of a small command.
func BenchmarkRegisteredCommand(b *testing.B) {
	s := newShelf(b, shelfText)
	e := newEngine(b, nil, func(c *Config) { c.Registered = func() Resolver { return s } })
	const script = "startLoop(i, 1, 1000)\nx = add(i, i)\nendLoop()\naddResult(x)"
	mustAnswer(b, e, &Request{Source: script})
	for b.Loop() {
		mustAnswer(b, e, &Request{Source: script})
	}
}

// A command has what its caller has left, and no more than its own limits: what
// it starts and calls counts in them, and they are told from those of the caller.
func TestLimitsOfRegisteredCommands(t *testing.T) {
	s := newShelf(t, limitedText)
	const pages = 64 << 10
	for name, limits := range map[string]Limits{
		"spin": {Fuel: 30_000}, "brisk": {Duration: time.Millisecond}, "down": {CallDepth: 40}, "hoard": {MemoryPages: 24},
		"small": {MemoryPages: 1}, "say": {OutputBytes: 20}, "through": {Fuel: 30_000}, "apart": {Fuel: 100_000},
		"wide": {MemoryPages: 40}, "roomy": {Fuel: 1 << 40, MemoryPages: 1 << 15, CallDepth: 1 << 20, Duration: time.Hour, OutputBytes: 1 << 30},
		"nested": {CallDepth: 60}, "roomy2": {CallDepth: 1 << 20}, "roomy3": {OutputBytes: 1 << 20},
	} {
		s.commands[name].Limits = limits
	}
	caught := func(call string) string { return "try()\nx = " + call + "\nexception(e)\nend()" }
	checkEffects(t, func(c *Config) {
		c.Limits.Fuel, c.Limits.Duration, c.Limits.MemoryPages = 20_000_000, time.Minute, 128
		c.Registered = func() Resolver { return s }
	}, []effect{
		{script: "x = spin(100)\ny = spin(100)\naddResult(x)", want: `{"x":99}`},
		{script: caught("spin(100000)"), code: diag.OutOfFuel, want: "Script Execution Timeout: the command spin is limited to 30000 units of fuel"},
		{script: caught("plain(100000000)"), code: diag.OutOfFuel, want: "Script Execution Timeout"},
		{script: caught("through(100000)"), code: diag.OutOfFuel, want: "the command through is limited to 30000 units"},
		{script: caught("outer(100000)"), code: diag.OutOfFuel, want: "the command spin is limited to 30000 units"},
		{script: caught("roomy(100000000)"), code: diag.OutOfFuel, want: "Script Execution Timeout"},
		{script: "x = apart(10)\naddResult(x)", want: `{"x":36}`},
		{script: caught("apart(10000)"), code: diag.OutOfFuel, want: "the command apart is limited to 100000 units"},
		{script: "function f(n) {\nreturn(apart(n))\n}\nh = go f(10000)\nx = gather(h)", code: diag.OutOfFuel, want: "the command apart is limited"},
		{script: "function f(n) {\nreturn(spin(n))\n}\nh = go f(100)\nk = go f(100)\nx = gather(h) + gather(k)\naddResult(x)", want: `{"x":198}`},
		{script: caught("brisk(1000000)"), code: diag.DeadlineReached, want: "Script Execution Timeout: the command brisk is limited to 1 ms"},
		{script: "x = down(30)\naddResult(x)", want: `{"x":0}`},
		{script: caught("down(50)"), code: diag.RecursionLimit, want: "recursion too deep: the command down is limited to 40 calls"},
		{script: "x = nested(20)\naddResult(x)", want: `{"x":0}`},
		{script: caught("nested(45)"), code: diag.RecursionLimit, want: "the command down is limited to 40 calls"},
		{script: caught("nested(400)"), code: diag.RecursionLimit, want: "the command nested is limited to 60 calls"},
		{script: caught("roomy2(2000)"), code: diag.RecursionLimit, want: "recursion too deep: the limit is 1000 calls"},
		{script: fmt.Sprintf("x = hoard(%d)\naddResult(x)", pages), want: `{"x":65536}`},
		{script: caught(fmt.Sprintf("hoard(%d)", 40*pages)), code: diag.OutOfMemory, want: "out of memory: the command hoard is limited to 1536 KiB"},
		{script: "x = small(20000)\naddResult(x)", want: `{"x":20000}`},
		{script: caught("small(70000)"), code: diag.OutOfMemory, want: "out of memory: the command small is limited to 64 KiB"},
		{script: fmt.Sprintf("t = 'x' * %d\n%s", 30*pages, caught("hoard(t)")), code: diag.OutOfMemory, want: "the command hoard is limited"},
		{script: caught(fmt.Sprintf("wide(%d)", 25*pages)), code: diag.OutOfMemory, want: "the command wide is limited to 2560 KiB"},
		{script: caught(fmt.Sprintf("plainhoard(%d)", 200*pages)), code: diag.OutOfMemory, want: "out of memory: the limit is 8 MiB"},
		{script: "x = say('0123456789abcdefgh')\naddResult(x)", want: `{"x":"0123456789abcdefgh"}`},
		{script: caught("say('0123456789abcdefghi')"), code: diag.OutputLimit, want: "output too large: the command say is limited to 20 bytes"},
		{script: "try()\nx = say(1 / 0)\nexception(e)\nend()\naddResult(e)", want: `{"e":"division by zero"}`},
		{script: "try()\nx = roomy3()\nexception(e)\nend()\naddResult(e)", want: `{"e":"a result contains itself"}`},
	})
}

// However deep calls may go, no more than so many commands are inside each other.
func TestCommandsInsideEachOther(t *testing.T) {
	s := newShelf(t, `
-- inside --
addParam(n, n)
if(n, 1, "<=")
  return(0)
end()
return(inside(n - 1) + 1)
`)
	const most, perCommand = 64, 500
	checkEffects(t, func(c *Config) {
		c.Limits.Fuel, c.Limits.Duration, c.Limits.CallDepth = 20_000_000, time.Minute, most*perCommand
		c.Registered = func() Resolver { return s }
	}, []effect{
		{script: fmt.Sprintf("x = inside(%d)\naddResult(x)", most), want: fmt.Sprintf(`{"x":%d}`, most-1)},
		{script: fmt.Sprintf("try()\nx = inside(%d)\nexception(e)\nend()", most+1), code: diag.RecursionLimit},
	})
}

// The limit of a command is one of fuel alone: what is just enough on one engine is
// just enough on the other, and what was used is the same.
func TestFuelOfRegisteredCommands(t *testing.T) {
	s := newShelf(t, limitedText)
	spin := s.commands["spin"]
	const script = "x = spin(1000)\ny = 1\naddResult(x)"
	enough := int64(0)
	used := map[int64]bool{}
	for kind, e := range realEngines(t, func(c *Config) {
		c.Limits.Duration = time.Minute
		c.Registered = func() Resolver { return s }
	}) {
		run := func(fuel int64) error {
			spin.Limits = Limits{Fuel: fuel}
			_, err := e.Run(t.Context(), &Request{Source: script})
			return err
		}
		if enough == 0 {
			enough = int64(sort.Search(1_000_000, func(n int) bool { return run(int64(n)+1) == nil })) + 1
		}
		if err := run(enough); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		err := run(enough - 1)
		failure, ok := errors.AsType[*diag.Failure](err)
		if !ok || failure.Code != diag.OutOfFuel {
			t.Fatalf("%s: %v", kind, err)
		}
		used[failure.Usage.FuelUsed] = true
	}
	if len(used) != 1 || enough < 1000 {
		t.Errorf("fuel %v, limit %d", used, enough)
	}
}

const limitedText = `
-- spin --
addParam(n, n)
x = 0
startLoop(i, 0, n - 1)
  x = i
endLoop()
return(x)
-- plain --
addParam(n, n)
startLoop(i, 0, n)
  x = i
endLoop()
-- roomy --
addParam(n, n)
return(plain(n))
-- brisk --
addParam(n, n)
startLoop(i, 0, n)
  startLoop(j, 0, n)
    x = i
  endLoop()
endLoop()
-- outer --
addParam(n, n)
return(spin(n))
-- through --
addParam(n, n)
return(plain(n))
-- apart --
function work(n) {
  x = 0
  startLoop(i, 0, n - 1)
    x = i
  endLoop()
  return(x)
}
addParam(n, n)
a = go work(n)
b = go work(n)
c = go work(n)
d = go work(n)
return(gather(a) + gather(b) + gather(c) + gather(d))
-- down --
function down(n) {
  if(n, 0, "==")
    return(0)
  end()
  return(down(n - 1))
}
addParam(n, n)
return(down(n))
-- nested --
function deep(n) {
  if(n, 100, ">")
    return(deep(n - 1))
  end()
  return(down(n))
}
addParam(n, n)
return(deep(n))
-- roomy2 --
function deep(n) {
  if(n, 0, "==")
    return(0)
  end()
  return(deep(n - 1))
}
addParam(n, n)
return(deep(n))
-- hoard --
addParam(n, n)
text = "x" * n
return(len(text))
-- small --
addParam(n, n)
text = "x" * n
return(len(text))
-- wide --
addParam(n, n)
text = "x" * n
return(plainhoard(n) + len(text))
-- plainhoard --
addParam(n, n)
text = "x" * n
return(len(text))
-- say --
addParam(text, text)
return(text)
-- roomy3 --
l = [1]
l.append(l)
return(l)
`

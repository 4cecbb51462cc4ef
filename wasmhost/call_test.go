package wasmhost

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/fairqueue"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// withCommand makes a host with one command, the field do.
func withCommand(f Command) func(*Config) {
	return func(c *Config) { c.Commands = map[string]Command{"do": f} }
}

// commandScript calls the command once with the cells at the given data and
// ends with its result in the only global.
func commandScript(t *testing.T, h *Host, g *image, args ...cell) *Module {
	t.Helper()
	s := newScript([]string{"x"}, nil)
	g.base = s.manifest.DataEnd
	return s.callCommand(t, h, g, args...)
}

func (s *script) callCommand(t *testing.T, h *Host, g *image, args ...cell) *Module {
	t.Helper()
	return s.callField(t, h, g, "do", args...)
}

func (s *script) callField(t *testing.T, h *Host, g *image, field string, args ...cell) *Module {
	t.Helper()
	if len(g.b) > 0 {
		s.module.Data = dataAt(g)
		s.manifest.DataEnd = g.at()
	}
	do := s.module.ImportFunc(abi.HostModule, field, i32ToI32)
	for i, a := range args {
		s.storeCell(abi.CallArgs+uint32(i)*abi.CellSize, a)
	}
	s.store32(abi.Site, 2)
	s.run.I32Const(int32(len(args)))
	s.run.Call(do)
	failed := s.run.NewLocal(wasm.I32)
	s.run.LocalSet(failed)
	s.run.LocalGet(failed)
	s.run.If()
	// What the library's Failure does: the message is ErrorA.
	for word := uint32(0); word < abi.CellSize; word += 4 {
		s.run.I32Const(int32(abi.Message + word))
		s.run.I32Const(int32(abi.ErrorA + word))
		s.run.Mem(wasm.OpI32Load, 2, 0)
		s.run.Mem(wasm.OpI32Store, 2, 0)
	}
	s.run.I32Const(1)
	s.run.Op(wasm.OpReturn)
	s.run.End()
	for word := uint32(0); word < abi.CellSize; word += 4 {
		if word == abi.CellExtra {
			continue
		}
		s.run.I32Const(int32(globalCell(0) + word))
		s.run.I32Const(int32(abi.CallResult + word))
		s.run.Mem(wasm.OpI32Load, 2, 0)
		s.run.Mem(wasm.OpI32Store, 2, 0)
	}
	s.store32(globalCell(0)+abi.CellExtra, 1)
	return s.finish(t, h, 0)
}

func TestCommandValues(t *testing.T) {
	g := &image{base: abi.ScriptBase + abi.CellSize}
	text := g.text("añb")
	list := g.list(integer(1), null(), text)
	dict := g.dict(text, list, integer(7), boolean(1))
	parts := g.list(cell{g.text("id = ").tag | abi.FlagConst, g.text("id = ").bits}, integer(5))
	header := g.words(uint32(parts.bits), 0)
	made := g.text("id = 5")
	if uint32(made.bits) != header+abi.PartsSize {
		t.Fatal("the parts do not lie in front of the text")
	}
	made.tag |= abi.FlagParts

	var got []any
	var pieces []Part
	var origin Origin
	command := func(c *Call) error {
		got = nil
		for i := range c.Count() {
			v, err := c.Value(i)
			if err != nil {
				return err
			}
			got = append(got, v)
		}
		var err error
		if pieces, origin, _, err = c.Parts(5); err != nil {
			return err
		}
		return c.Return(Object{{"a", []any{int64(1), 2.5, "é", nil, true}}, {"b", JSON(`{"k": [1, "\u00e9"]}`)}, {"a", 3}})
	}
	onBothEngines(t, withCommand(command), func(t *testing.T, h *Host) {
		m := commandScript(t, h, g, integer(-3), floating(0.5), dict, cell{}, null(), made)
		out := mustRun(t, h, m, Input{EchoVariables: true})
		want := []any{
			int64(-3), 0.5,
			Object{{"añb", []any{int64(1), nil, "añb"}}, {"7", true}},
			Missing{},
			nil, "id = 5",
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("arguments\n got %#v\nwant %#v", got, want)
		}
		if origin != InParts || !reflect.DeepEqual(pieces, []Part{{Text: "id = "}, {Value: int64(5), IsValue: true}}) {
			t.Errorf("parts %v %#v", origin, pieces)
		}
		if s := string(out.Variables.Of(out.JSON)); s != `{"x":{"a":3,"b":{"k":[1,"é"]}}}` {
			t.Errorf("result %s", s)
		}
	})
}

func TestCommandFails(t *testing.T) {
	for _, test := range []struct {
		err  error
		code diag.Code
	}{
		{errors.New("no such thing"), diag.HostFailure},
		{Refused(errors.New("no such thing")), diag.Forbidden},
		{Mistaken(errors.New("no such thing")), diag.BadValue},
	} {
		onBothEngines(t, withCommand(func(*Call) error { return test.err }), func(t *testing.T, h *Host) {
			f := mustFail(t, h, commandScript(t, h, &image{}), Input{}, testLimits, test.code)
			if f.Message != "no such thing" || f.Span.Start.Line != 9 {
				t.Errorf("failed with %q at %v", f.Message, f.Span.Start)
			}
		})
	}
}

// A command's result must fit the memory limit, and its price the fuel limit.
func TestCommandLimits(t *testing.T) {
	big := func(c *Call) error { return c.Return(strings.Repeat("x", 2<<20)) }
	onBothEngines(t, withCommand(big), func(t *testing.T, h *Host) {
		m := commandScript(t, h, &image{})
		if out := mustRun(t, h, m, Input{EchoVariables: false}); out.Status != 200 {
			t.Error(out.Status)
		}
		limits := testLimits
		limits.MemoryPages = 16
		mustFail(t, h, m, Input{}, limits, diag.OutOfMemory)
		limits = testLimits
		limits.Fuel = 1000
		f := mustFail(t, h, m, Input{}, limits, diag.OutOfFuel)
		if f.Usage.FuelUsed != limits.Fuel || f.Span.Start.Line != 9 {
			t.Errorf("used %d at %v", f.Usage.FuelUsed, f.Span.Start)
		}
	})
	dear := func(c *Call) error { c.Charge(123_000); return nil }
	onBothEngines(t, withCommand(dear), func(t *testing.T, h *Host) {
		m := commandScript(t, h, &image{})
		_, usage, failure := h.Run(context.Background(), m, &Input{}, testLimits, nil)
		if failure != nil || usage.FuelUsed != 123_000 {
			t.Errorf("used %d, %v", usage.FuelUsed, failure)
		}
	})
}

// While a command waits, others have its compute slot.
func TestCommandWaitsWithoutSlot(t *testing.T) {
	const runs = 6
	var met sync.WaitGroup
	met.Add(runs)
	command := func(c *Call) error {
		c.Blocking(func(context.Context) {
			met.Done()
			met.Wait()
		})
		return nil
	}
	h := newHost(t, EngineCompiler, func(c *Config) {
		withCommand(command)(c)
		c.Gate = fairqueue.New(fairqueue.Limits{Slots: 1, Queued: 64})
	})
	m := commandScript(t, h, &image{})
	var all sync.WaitGroup
	for range runs {
		all.Go(func() { mustRun(t, h, m, Input{}) })
	}
	all.Wait()
	if h.config.Gate.Free() != 1 {
		t.Errorf("%d slots free, want 1", h.config.Gate.Free())
	}
}

func TestCommandIsCutOff(t *testing.T) {
	began := false
	waits := func(c *Call) error {
		began = true
		c.Blocking(func(ctx context.Context) { <-ctx.Done() })
		return nil
	}
	onBothEngines(t, withCommand(waits), func(t *testing.T, h *Host) {
		m := commandScript(t, h, &image{})
		limits := testLimits
		// On a busy machine the time may be over before the command begins.
		for limits.Duration, began = 20*time.Millisecond, false; !began; limits.Duration *= 2 {
			f := mustFail(t, h, m, Input{}, limits, diag.DeadlineReached)
			if began && f.Span.Start.Line != 9 {
				t.Errorf("cut off at %v", f.Span.Start)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		if _, _, f := h.Run(ctx, m, &Input{}, testLimits, nil); f == nil || f.Code != diag.Cancelled {
			t.Errorf("cancelled run: %v", f)
		}
		time.AfterFunc(20*time.Millisecond, h.CancelAll)
		mustFail(t, h, m, Input{}, testLimits, diag.Cancelled)
	})
}

// Arguments are as hostile as all guest memory.
func TestHostileArguments(t *testing.T) {
	command := func(c *Call) error {
		if _, err := c.Value(0); err != nil {
			return err
		}
		_, _, _, err := c.Parts(0)
		return err
	}
	onBothEngines(t, withCommand(command), func(t *testing.T, h *Host) {
		for name, v := range map[string]cell{
			"text out of memory":  textCell(1<<31, 5, 0),
			"list out of memory":  {abi.KindList, 1 << 31},
			"dict out of memory":  {abi.KindDict, 1 << 31},
			"unknown kind":        {9, 0},
			"unknown flag":        {abi.KindInt | 0x80, 0},
			"parts out of memory": {abi.KindText | abi.FlagParts, 4},
		} {
			t.Run(name, func(t *testing.T) {
				f := mustFail(t, h, commandScript(t, h, &image{}, v), Input{}, testLimits, diag.Internal)
				if !errors.Is(f.Cause, errCorrupt) {
					t.Error(f.Cause)
				}
			})
		}
		g := &image{base: abi.ScriptBase + abi.CellSize}
		loop := g.list(null())
		cells := uint32(loop.bits) - abi.CellSize
		copy(g.b[cells-g.base:], (&image{}).withCells(loop))
		mustFail(t, h, commandScript(t, h, g, loop), Input{}, testLimits, diag.BadValue)
	})
}

// A call takes 16 MiB at the most, in as many arguments as it likes, and 200
// levels of lists.
func TestArgumentsAreBounded(t *testing.T) {
	const most = 16 << 20
	all := func(c *Call) error {
		for i := range c.Count() {
			if _, err := c.Value(i); err != nil {
				return err
			}
		}
		return nil
	}
	onBothEngines(t, func(c *Config) { withCommand(all)(c); c.MaxMemoryPages = 2048 }, func(t *testing.T, h *Host) {
		limits := testLimits
		limits.MemoryPages = 2048
		half := &image{}
		half.base = newScript([]string{"x"}, nil).manifest.DataEnd
		text := half.text(strings.Repeat("x", most/2-argumentCell))
		mustRunWithin(t, h, commandScript(t, h, half, text, text), Input{}, limits)
		for name, args := range map[string][]cell{
			"one byte more":     {text, text, null()},
			"out of all memory": {textCell(0, most-argumentCell+1, 0)},
		} {
			if f := mustFail(t, h, commandScript(t, h, half, args...), Input{}, limits, diag.BadValue); f.Message != "the arguments are larger than 16777216 bytes" {
				t.Errorf("%s: %s", name, f.Message)
			}
		}
		deep := &image{base: half.base}
		mustRunWithin(t, h, commandScript(t, h, deep, nested(deep, 200, null())), Input{}, limits)
		deep = &image{base: half.base}
		if f := mustFail(t, h, commandScript(t, h, deep, nested(deep, 201, null())), Input{}, limits, diag.BadValue); !strings.Contains(f.Message, "deeper than 200 levels") {
			t.Error(f.Message)
		}
	})
}

func (g *image) withCells(cs ...cell) []byte {
	g.cells(cs...)
	return g.b
}

func TestKeptValuesAreBounded(t *testing.T) {
	kept := 0
	command := func(c *Call) error {
		for {
			number, err := c.Keep(&kept)
			if err != nil {
				return err
			}
			if kept++; int(number) != kept {
				t.Errorf("number %d, want %d", number, kept)
			}
		}
	}
	h := newHost(t, EngineCompiler, withCommand(command))
	m := commandScript(t, h, &image{})
	mustFail(t, h, m, Input{}, testLimits, diag.BadValue)
	if kept != maxKeptValues {
		t.Errorf("kept %d, want %d", kept, maxKeptValues)
	}
}

// A command goes on with the turn of its caller: what it had before, as executions
// are used again, is not charged to the client.
func TestTurnIsTakenOver(t *testing.T) {
	began := time.Now()
	caller := &execution{computing: true, turnBegan: began, waited: time.Minute}
	called := &execution{turnBegan: began.Add(-time.Hour), waited: time.Second}
	called.takeOver(caller)
	if !called.computing || caller.computing || !called.turnBegan.Equal(began) || called.waited != time.Minute {
		t.Errorf("the command has %t %v %v, its caller %t", called.computing, called.turnBegan, called.waited, caller.computing)
	}
}

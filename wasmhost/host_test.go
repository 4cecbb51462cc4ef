package wasmhost

import (
	"bytes"
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/fairqueue"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

func TestEmptyScript(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		m := newScript(nil, nil).finish(t, h, 0)
		out := mustRun(t, h, m, Input{EchoVariables: true})
		if got, want := string(out.JSON), `{"success":true,"result":{},"variables":{},"logs":[]}`; got != want || out.Status != 200 {
			t.Errorf("got %s (%d), want %s", got, out.Status, want)
		}
		out = mustRun(t, h, m, Input{Variables: []byte(`{"a":1}`)})
		if got, want := string(out.JSON), `{"success":true,"result":{},"logs":[]}`; got != want {
			t.Errorf("without echo: got %s, want %s", got, want)
		}
	})
}

func TestFuelIsExact(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript(nil, nil)
		s.count(250_000)
		s.run.I32Const(30_000)
		s.run.Call(s.spin)
		m := s.finish(t, h, 0)
		const want = 280_000
		for _, fuel := range []int64{want, want + 1, 1e9} {
			limits := testLimits
			limits.Fuel = fuel
			_, usage, failure := h.Run(context.Background(), m, &Input{}, limits, nil)
			if failure != nil || usage.FuelUsed != want {
				t.Errorf("limit %d: used %d, failure %v; want %d", fuel, usage.FuelUsed, failure, want)
			}
		}
		limits := testLimits
		limits.Fuel = want - 1
		failure := mustFail(t, h, m, Input{}, limits, diag.OutOfFuel)
		if failure.Usage.FuelUsed != want-1 {
			t.Errorf("refused: used %d, want %d", failure.Usage.FuelUsed, want-1)
		}
	})
}

// The library's slice holds all that is left of the fuel; the script gets it.
func TestFuelIsReclaimedFromTheOtherModule(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript(nil, nil)
		s.count(scriptSliceFuel + librarySliceFuel)
		m := s.finish(t, h, 0)
		limits := testLimits
		limits.Fuel = scriptSliceFuel + librarySliceFuel
		_, usage, failure := h.Run(context.Background(), m, &Input{}, limits, nil)
		if failure != nil || usage.FuelUsed != limits.Fuel {
			t.Errorf("used %d, failure %v", usage.FuelUsed, failure)
		}
	})
}

// What the call as such costs is charged before it, and ends the run there when
// there is not enough; what the library holds counts.
func TestEntryFuel(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript([]string{"a"}, nil)
		s.manifest.EntryFuel = scriptSliceFuel + 2*librarySliceFuel
		m := s.finish(t, h, 0)
		for _, less := range []int64{0, 1} {
			limits := testLimits
			limits.Fuel = s.manifest.EntryFuel - less
			_, usage, failure := h.Run(context.Background(), m, &Input{}, limits, nil)
			if usage.FuelUsed != limits.Fuel || (failure != nil) != (less > 0) {
				t.Errorf("%d less: used %d, failure %v", less, usage.FuelUsed, failure)
			}
			if failure != nil && (failure.Code != diag.OutOfFuel || failure.Span.Start.Line != 7) {
				t.Errorf("got %+v", failure.Diagnostic)
			}
		}
		s.manifest.EntryFuel = -1
		if _, err := h.Load(s.module.Encode(), s.manifest); err == nil {
			t.Error("a module with negative entry fuel is loaded")
		}
	})
}

func TestEndlessLoopEnds(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript(nil, nil)
		s.endless()
		m := s.finish(t, h, 0)
		limits := testLimits
		limits.Fuel = 1_000_000
		failure := mustFail(t, h, m, Input{}, limits, diag.OutOfFuel)
		if failure.Message != "Script Execution Timeout" || failure.Span.Start.Line != 7 || failure.Span.Start.Column != 3 {
			t.Errorf("got %+v", failure.Diagnostic)
		}
		limits = testLimits
		limits.Fuel, limits.Duration = 1<<62, time.Nanosecond
		mustFail(t, h, m, Input{}, limits, diag.DeadlineReached)
	})
}

// A loop in the library has no site of its own: the Site cell tells the line.
func TestLibraryLoopEnds(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript(nil, nil)
		s.store32(abi.Site, 2)
		s.run.I32Const(-1)
		s.run.Call(s.spin)
		m := s.finish(t, h, 0)
		limits := testLimits
		limits.Fuel = 1_000_000
		if failure := mustFail(t, h, m, Input{}, limits, diag.OutOfFuel); failure.Span.Start.Line != 9 {
			t.Errorf("line %d, want 9", failure.Span.Start.Line)
		}
	})
}

func TestMemoryLimit(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript(nil, nil)
		// Grow to exactly the limit must work, one page more gives -1.
		s.run.I32Const(int32(testLimits.MemoryPages - abi.StartPages))
		s.run.Call(s.grow)
		s.run.I32Const(-1)
		s.run.Op(wasm.OpI32Eq)
		s.run.If()
		s.run.Op(wasm.OpUnreachable)
		s.run.End()
		s.run.I32Const(1)
		s.run.Call(s.grow)
		s.run.I32Const(-1)
		s.run.Op(wasm.OpI32Ne)
		s.run.If()
		s.run.Op(wasm.OpUnreachable)
		s.run.End()
		s.store32(abi.Site, 1)
		s.store32(abi.Halt, abi.HaltMemory)
		s.run.Op(wasm.OpUnreachable)
		m := s.finish(t, h, 0)
		failure := mustFail(t, h, m, Input{}, testLimits, diag.OutOfMemory)
		if failure.Usage.MemoryPages != testLimits.MemoryPages || failure.Message != "out of memory: the limit is 4 MiB" {
			t.Errorf("got %q after %d pages", failure.Message, failure.Usage.MemoryPages)
		}
	})
}

func TestDepthLimitAndTraps(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript(nil, nil)
		s.store32(abi.Halt, abi.HaltDepth)
		s.store32(abi.Site, 2)
		s.run.Op(wasm.OpUnreachable)
		failure := mustFail(t, h, s.finish(t, h, 0), Input{}, testLimits, diag.RecursionLimit)
		if failure.Span.Start.Line != 9 {
			t.Errorf("line %d, want 9", failure.Span.Start.Line)
		}

		s = newScript(nil, nil)
		s.run.Call(s.run)
		s.run.Op(wasm.OpDrop)
		mustFail(t, h, s.finish(t, h, 0), Input{}, testLimits, diag.RecursionLimit)

		s = newScript(nil, nil)
		s.run.Op(wasm.OpUnreachable)
		failure = mustFail(t, h, s.finish(t, h, 0), Input{}, testLimits, diag.Internal)
		if failure.Message != "internal error" || failure.Cause == nil {
			t.Errorf("got %q, cause %v", failure.Message, failure.Cause)
		}
		mustFail(t, h, newScript(nil, nil).finish(t, h, 2), Input{}, testLimits, diag.Internal)
	})
}

func TestScriptError(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		g := image{base: abi.ScriptBase}
		message := g.text("name 'x' is not defined")
		s := newScript(nil, g.b)
		base := stackBase(&s.manifest)
		s.storeCell(abi.Message, message)
		s.store32(abi.ErrorCode, abi.ErrName)
		s.store32(abi.ErrorSite, 2)
		s.store32(base, 1)
		s.store32(abi.ErrorFrame, base+4)
		failure := mustFail(t, h, s.finish(t, h, 1), Input{}, testLimits, diag.UndefinedName)
		if failure.Message != "name 'x' is not defined" || failure.Span.Start.Line != 9 || failure.Span.Start.File != "test.avap" {
			t.Errorf("got %+v", failure.Diagnostic)
		}
		if len(failure.Stack) != 2 || failure.Stack[0].Function != "f" || failure.Stack[1].Function != "" || failure.Stack[1].Position.Line != 7 {
			t.Errorf("stack %+v", failure.Stack)
		}
	})
}

func TestForgedErrors(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		for name, c := range map[string]cell{
			"no text": integer(1), "out of range": textCell(0xfffffff0, 0x7fffffff, 0), "bad UTF-8": textCell(abi.ScriptBase, 1, 0),
		} {
			t.Run(name, func(t *testing.T) {
				s := newScript(nil, []byte{0xff})
				s.storeCell(abi.Message, c)
				s.store32(abi.ErrorFrame, 0xfffffffc)
				s.store32(abi.ErrorSite, 0xffffffff)
				mustFail(t, h, s.finish(t, h, 1), Input{}, testLimits, diag.Internal)
			})
		}
	})
}

func TestCancelWhileRunning(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript(nil, nil)
		s.endless()
		m := s.finish(t, h, 0)
		limits := testLimits
		limits.Fuel = 1 << 62
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Millisecond, cancel)
		_, _, failure := h.Run(ctx, m, &Input{}, limits, nil)
		if failure == nil || failure.Code != diag.Cancelled {
			t.Fatalf("got %v", failure)
		}
		// The same memory slot must be fit for a run that is not cancelled.
		mustRun(t, h, newScript(nil, nil).finish(t, h, 0), Input{})
		if _, _, failure = h.Run(ctx, m, &Input{}, limits, nil); failure == nil || failure.Code != diag.Cancelled {
			t.Fatalf("cancelled before the start: got %v", failure)
		}
	})
}

// With one processor this goroutine gets its turn only because the guest gives
// way after every slice: compiled code is never pre-empted.
func TestGuestGivesWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	h := newHost(t, EngineCompiler, nil)
	for _, inLibrary := range []bool{false, true} {
		s := newScript(nil, nil)
		if inLibrary {
			s.run.I32Const(-1)
			s.run.Call(s.spin)
		}
		s.endless()
		m := s.finish(t, h, 0)
		limits := testLimits
		limits.Fuel = 1 << 62
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan *diag.Failure)
		go func() {
			_, _, failure := h.Run(ctx, m, &Input{}, limits, nil)
			ended <- failure
		}()
		for range 100 {
			runtime.Gosched()
		}
		cancel()
		if failure := <-ended; failure == nil || failure.Code != diag.Cancelled {
			t.Errorf("got %v", failure)
		}
	}
}

func TestCancelAll(t *testing.T) {
	h := newHost(t, EngineCompiler, nil)
	s := newScript(nil, nil)
	s.endless()
	m := s.finish(t, h, 0)
	limits := testLimits
	limits.Fuel = 1 << 62
	h.CancelAll()
	failure := mustFail(t, h, m, Input{}, limits, diag.Cancelled)
	if !strings.Contains(failure.Message, "shutting down") {
		t.Errorf("message %q", failure.Message)
	}
}

func TestNoFreeSlot(t *testing.T) {
	h := newHost(t, EngineCompiler, func(c *Config) { c.MaxInstances = 1 })
	m := newScript(nil, nil).finish(t, h, 0)
	s, err := h.pool.take(nil, noClient)
	if err != nil {
		t.Fatal(err)
	}
	mustFail(t, h, m, Input{}, testLimits, diag.NoCapacity)
	h.pool.give(s)
	mustRun(t, h, m, Input{})
}

// Two executions without an end share one compute slot with a short one. That
// the short one comes back at all, while both others still run, is the proof.
func TestShortScriptBehindEndlessOnes(t *testing.T) {
	h := newHost(t, EngineCompiler, func(c *Config) { c.Gate = fairqueue.New(fairqueue.Limits{Slots: 1, Queued: 10}) })
	s := newScript(nil, nil)
	s.endless()
	endless := s.finish(t, h, 0)
	short := newScript(nil, nil).finish(t, h, 0)
	limits := testLimits
	limits.Fuel = 1 << 62

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan *diag.Failure, 2)
	for range 2 {
		go func() {
			_, _, failure := h.Run(ctx, endless, &Input{}, limits, nil)
			ended <- failure
		}()
	}
	for range 50 {
		mustRun(t, h, short, Input{})
	}
	if len(ended) != 0 {
		t.Errorf("an endless execution ended early: %v", <-ended)
	}
	cancel()
	for range 2 {
		if failure := <-ended; failure == nil || failure.Code != diag.Cancelled {
			t.Errorf("endless execution: %v", failure)
		}
	}
}

// Each run fills its memory with a byte of its own after checking that the
// memory it got holds nothing.
func TestIsolation(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		rng := rand.New(rand.NewPCG(1, 2))
		for range 40 {
			pages := uint32(rng.IntN(int(testLimits.MemoryPages) - abi.StartPages))
			m := dirtyScript(t, h, pages, byte(1+rng.IntN(255)))
			mustRun(t, h, m, Input{Variables: []byte(`{"secret":"hunter2"}`)})
		}
		s, err := h.pool.take(nil, noClient)
		if err != nil {
			t.Fatal(err)
		}
		defer h.pool.give(s)
		if i := bytes.IndexFunc(s.base, func(r rune) bool { return r != 0 }); i >= 0 {
			t.Errorf("byte %d of a fresh slot is not zero", i)
		}
	})
}

func TestLargeSlotIsWipedToo(t *testing.T) {
	p := newPool(&Config{MaxMemoryPages: 1024, MaxInstances: 1, IdleInstances: 1})
	defer p.close()
	for _, size := range []uint64{1, wipeByClear, wipeByClear + 1, 1024 * abi.PageBytes} {
		s, err := p.take(nil, noClient)
		if err != nil {
			t.Fatal(err)
		}
		s.limitBytes = size
		b := s.Reallocate(size)
		for i := 0; i < len(b); i += 512 {
			b[i] = 1
		}
		b[size-1] = 1
		if s.Reallocate(size+1) != nil {
			t.Error("grown beyond the limit")
		}
		dirty, pieces := s.highBytes, uint64(0)
		s.wipe(func() {
			if dirty-s.highBytes > discardPiece {
				t.Errorf("size %d: %d bytes were wiped without a pause", size, dirty-s.highBytes)
			}
			dirty = s.highBytes
			pieces++
		})
		if pieces < (size-1)/discardPiece {
			t.Errorf("size %d was wiped with %d pauses", size, pieces)
		}
		p.give(s)
		for i, c := range s.base[:size] {
			if c != 0 {
				t.Fatalf("size %d: byte %d is not zero", size, i)
			}
		}
	}
}

func TestConcurrentRuns(t *testing.T) {
	h := newHost(t, EngineCompiler, func(c *Config) {
		c.Gate = fairqueue.New(fairqueue.Limits{Slots: 2, Queued: 100})
		c.MaxInstances = 100
	})
	s := newScript([]string{"a", "b"}, nil)
	s.count(300_000)
	m := s.finish(t, h, 0)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			want := strings.Repeat("x", i)
			for range 5 {
				ctx, cancel := context.WithCancel(context.Background())
				out, usage, failure := h.Run(ctx, m, &Input{Variables: []byte(`{"b":"` + want + `"}`), EchoVariables: true}, testLimits, nil)
				cancel()
				if failure != nil || usage.FuelUsed != 300_000 {
					t.Errorf("run: %v, %d fuel", failure, usage.FuelUsed)
					return
				}
				if string(out.Variables.Of(out.JSON)) != `{"b":"`+want+`"}` {
					t.Errorf("got %s, want %q", out.JSON, want)
				}
			}
		})
	}
	wg.Wait()
}

// As many executions compute at once as there are slots, and no more.
func TestSlotsBoundWhatComputes(t *testing.T) {
	const slots, runs = 2, 6
	entered, goOn := make(chan struct{}, runs), make(chan struct{})
	h := newHost(t, EngineCompiler, func(c *Config) {
		withCommand(func(*Call) error {
			entered <- struct{}{}
			<-goOn
			return nil
		})(c)
		c.Gate = fairqueue.New(fairqueue.Limits{Slots: slots, Queued: runs})
	})
	m := commandScript(t, h, &image{})
	var all sync.WaitGroup
	for range runs {
		all.Go(func() { mustRun(t, h, m, Input{}) })
	}
	for left := runs; left > 0; left-- {
		for h.config.Gate.Waiting() < left-slots || len(entered) < min(slots, left) {
			if len(entered) > slots {
				break
			}
			runtime.Gosched()
		}
		if n := len(entered); n != min(slots, left) {
			t.Errorf("%d compute at once, want %d", n, min(slots, left))
		}
		<-entered
		goOn <- struct{}{}
	}
	all.Wait()
}

func TestLoadRefuses(t *testing.T) {
	h := newHost(t, EngineCompiler, nil)
	good := func() *script { return newScript([]string{"a"}, nil) }
	for name, change := range map[string]func(*script){
		"format":           func(s *script) { s.manifest.Format++ },
		"ABI":              func(s *script) { s.manifest.ABI++ },
		"data end":         func(s *script) { s.manifest.DataEnd = abi.ScriptBase },
		"huge data end":    func(s *script) { s.manifest.DataEnd = 1<<32 - 1 },
		"site":             func(s *script) { s.manifest.Sites[1].Function = 2 },
		"foreign function": func(s *script) { s.module.ImportFunc("env", "system", takesI32) },
		"unknown function": func(s *script) { s.module.ImportFunc(abi.LibraryModule, "Nope", takesI32) },
		"library's import": func(s *script) { s.module.ImportFunc(abi.HostModule, "float_parse", takesI32) },
		"no run":           func(s *script) { s.run.Exports = nil },
	} {
		s := good()
		change(s)
		s.run.I32Const(0)
		if m, err := h.Load(s.module.Encode(), s.manifest); err == nil {
			t.Errorf("%s: accepted", name)
			m.Release()
		}
	}
	if _, err := h.Load([]byte("no wasm"), good().manifest); err == nil {
		t.Error("no module: accepted")
	}
}

func TestReadManifest(t *testing.T) {
	m := &wasm.Module{Customs: []wasm.Custom{{Name: "other", Bytes: []byte("x")}, {Name: abi.ManifestSection, Bytes: []byte(`{"format":1,"data_end":70000}`)}}}
	got, err := ReadManifest(m.Encode())
	if err != nil || got.DataEnd != 70000 {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, []byte("\x00asm\x01\x00\x00\x00"), []byte("\x00asm\x01\x00\x00\x00\x00\xff\xff\xff\xff\xff"), []byte("\x00asm\x01\x00\x00\x00\x00\x02\x05a")} {
		if _, err := ReadManifest(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

// While a large memory is wiped others have their turns.
func TestWipingTakesTurns(t *testing.T) {
	gate := fairqueue.New(fairqueue.Limits{Slots: 1, Queued: 10})
	h := newHost(t, EngineCompiler, func(c *Config) { c.Gate = gate })
	e, failure := h.takeTurn(t.Context(), newScript(nil, nil).finish(t, h, 0), "a", false)
	if failure != nil {
		t.Fatal(failure)
	}
	e.slot.limitBytes = 3 * discardPiece
	if e.slot.Reallocate(3*discardPiece) == nil {
		t.Fatal("no memory")
	}
	e.foundFamily()
	left := make(chan uint64, 1)
	go func() {
		if err := gate.Enter(context.Background(), "v"); err != nil {
			t.Error(err)
		}
		left <- e.slot.highBytes
		gate.Leave("v")
	}()
	for gate.Waiting() == 0 {
		runtime.Gosched()
	}
	h.discharge(e)
	if n := <-left; n == 0 {
		t.Error("who waited got the slot when all was wiped")
	}
	if gate.Free() != 1 {
		t.Errorf("%d slots are free", gate.Free())
	}
}

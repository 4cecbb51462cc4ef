package wasmhost

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/library"
)

// A pair that is kept is handed out in the state of a fresh one, whatever the
// script did to its memory and its fuel: the same bytes, the same size, the
// same fuel cells.
func TestKeptPairEqualsFreshOne(t *testing.T) {
	for name, ruin := range map[string]func(s *script){
		"nothing":                  func(*script) {},
		"everything overwritten":   func(s *script) { s.overwrite(0xaa) },
		"fuel cell raised":         func(s *script) { s.run.I64Const(1 << 40); s.run.GlobalSet(s.fuel) },
		"half of a slice consumed": func(s *script) { s.count(50_000) },
		"memory grown and overwritten": func(s *script) {
			s.run.I32Const(3)
			s.run.MemoryGrow()
			s.run.Op(wasm.OpDrop)
			s.overwrite(0xaa)
		},
		"other globals changed": func(s *script) {
			for _, t := range []wasm.ValType{wasm.I32, wasm.I64} {
				g := s.module.NewGlobal("more", t, 7)
				g.Exports = []string{"more" + t.String()}
				if t == wasm.I32 {
					s.run.I32Const(-1)
				} else {
					s.run.I64Const(-1)
				}
				s.run.GlobalSet(g)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(c *Config) { c.Library = library.Module }, func(t *testing.T, h *Host) {
				s := plain([]string{"a", "b"}, []byte("data of the script"))
				ruin(s)
				m := s.finish(t, h, 0)
				want := stateOf(t, h, m)
				_, _, _ = h.Run(context.Background(), m, &Input{Variables: []byte(`{"a":"secret"}`)}, testLimits, nil)
				if idleSlot(t, h).keeps() != m {
					t.Fatal("the pair is not kept")
				}
				if got := stateOf(t, h, m); got.size != want.size || !bytes.Equal(got.memory, want.memory) || got.fuel != want.fuel || !slices.Equal(got.others, want.others) {
					t.Errorf("kept pair: size %d, fuel %v, others %v; fresh: size %d, fuel %v, others %v; memory equal: %v",
						got.size, got.fuel, got.others, want.size, want.fuel, want.others, bytes.Equal(got.memory, want.memory))
				}
			})
		})
	}
}

func TestPairsThatAreNotKept(t *testing.T) {
	limits := testLimits
	limits.Fuel = 10_000
	for name, script := range map[string]func(s *script){
		"trap":            func(s *script) { s.run.Op(wasm.OpUnreachable) },
		"out of fuel":     func(s *script) { s.endless() },
		"second variable": func(s *script) { s.module.NewGlobal("more", wasm.I64, 7) },
		"float variable":  func(s *script) { s.module.NewGlobal("more", wasm.F64, 7).Exports = []string{"more"} },
		"hidden fuel cell": func(s *script) {
			s.fuel.Exports = nil
			s.module.NewGlobal("other", wasm.I64, 0).Exports = []string{abi.FuelExport}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(c *Config) { c.Library = library.Module }, func(t *testing.T, h *Host) {
				s := plain(nil, nil)
				script(s)
				m := s.finish(t, h, 0)
				_, _, _ = h.Run(context.Background(), m, &Input{}, limits, nil)
				if kept := idleSlot(t, h).keeps(); kept != nil {
					t.Error("the pair is kept")
				}
			})
		})
	}
}

// A memory that grew is as small in the next run as in the first: the script sees
// that by its size and by zeros where it wrote, and neither it nor the library can
// reach beyond.
func TestKeptPairShrinks(t *testing.T) {
	const far = 3 * abi.PageBytes
	onBothEngines(t, func(c *Config) { c.Library = library.Module }, func(t *testing.T, h *Host) {
		s := plain([]string{"reads", "asks"}, nil)
		length := s.module.ImportFunc(abi.LibraryModule, "ListLen", wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I64}, Results: []wasm.ValType{wasm.I32}})
		s.expect(func() { s.run.MemorySize() }, abi.StartPages)
		s.ifGiven(0, func() { s.load(far) })
		s.ifGiven(1, func() { s.run.I32Const(abi.KindList); s.run.I64Const(far); s.run.Call(length) })
		s.expect(func() { s.run.I32Const(3); s.run.MemoryGrow() }, abi.StartPages)
		s.expect(func() { s.load(far) }, 0)
		s.store32(far, 7)
		m := s.finish(t, h, 0)
		for _, in := range []string{`{"reads":1}`, `{"asks":1}`} {
			for range 3 {
				mustRun(t, h, m, Input{})
				if idleSlot(t, h).keeps() != m {
					t.Fatal("the pair is not kept")
				}
			}
			failure := mustFail(t, h, m, Input{Variables: []byte(in)}, testLimits, diag.Internal)
			if failure.Cause == nil || !strings.Contains(failure.Cause.Error(), "out of bounds memory access") {
				t.Errorf("%s: %v", in, failure.Cause)
			}
		}
	})
}

// expect traps unless what is emitted gives a value.
func (s *script) expect(emit func(), want int32) {
	emit()
	s.run.I32Const(want)
	s.run.Op(wasm.OpI32Ne)
	s.run.If()
	s.run.Op(wasm.OpUnreachable)
	s.run.End()
}

// ifGiven emits what is done when the request brings a global, and gives a value.
func (s *script) ifGiven(global int, emit func()) {
	s.load(globalCell(global))
	s.run.If()
	emit()
	s.run.Op(wasm.OpDrop)
	s.run.End()
}

func (s *script) load(p uint32) {
	s.run.I32Const(int32(p))
	s.run.Mem(wasm.OpI32Load, 2, 0)
}

// A slot that keeps a pair serves another script when no other is free, and an
// evicted pair's memory is as empty as any.
func TestKeptPairGivesWay(t *testing.T) {
	onBothEngines(t, func(c *Config) { c.Library = library.Module; c.MaxInstances = 1; c.IdleInstances = 1 }, func(t *testing.T, h *Host) {
		one, two := plain([]string{"a"}, nil), plain([]string{"b"}, nil)
		one.overwrite(0x55)
		first, second := one.finish(t, h, 0), two.finish(t, h, 0)
		want := stateOf(t, h, second)
		_, _, _ = h.Run(context.Background(), first, &Input{}, testLimits, nil)
		if idleSlot(t, h).keeps() != first {
			t.Fatal("the pair is not kept")
		}
		if got := stateOf(t, h, second); !bytes.Equal(got.memory, want.memory) {
			t.Error("the memory of a kept pair shows in another script's")
		}
	})
}

// plain is a script that needs nothing of the library but its memory.
func plain(globals []string, data []byte) *script {
	s := newScript(globals, data)
	s.module.Funcs = []*wasm.Func{s.refuel, s.run}
	return s
}

// idleSlot is the only slot that is idle.
func idleSlot(t *testing.T, h *Host) (only *slot) {
	t.Helper()
	for i := range h.pool.idle {
		if s := h.pool.idle[i].Load(); s != nil {
			if only != nil {
				t.Fatal("more than one slot is idle")
			}
			only = s
		}
	}
	if only == nil {
		t.Fatal("no slot is idle")
	}
	return only
}

// overwrite fills the whole memory.
func (s *script) overwrite(fill byte) {
	s.run.I32Const(0)
	s.run.I32Const(int32(fill))
	s.run.MemorySize()
	s.run.I32Const(16)
	s.run.Op(wasm.OpI32Shl)
	s.run.MemoryFill()
}

// state is what a pair is handed out with.
type state struct {
	memory []byte
	size   uint64
	fuel   [2]uint64
	others []uint64
}

// stateOf takes a pair for a module as a run would, and closes it.
func stateOf(t *testing.T, h *Host, m *Module) state {
	t.Helper()
	e, err := h.takeExecution(m, "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.giveExecution(e)
	e.module, e.limits = m, testLimits
	e.foundFamily()
	if failure := e.instantiate(); failure != nil {
		t.Fatal(failure)
	}
	var others []uint64
	for _, g := range e.others {
		others = append(others, g.Get())
	}
	return state{
		others: others, memory: bytes.Clone(e.slot.base[:16*abi.PageBytes]), size: uint64(e.pair.library.Memory().Size()),
		fuel: [2]uint64{e.libraryFuel.Get(), e.scriptFuel.Get()},
	}
}

// Entries are kept where the stack that comes with them cannot have grown.
func TestEntriesAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		build func(s *script)
		kept  int
	}{
		"no calls": {func(*script) {}, 1},
		"a call":   {func(s *script) { s.run.Call(s.module.NewFunc("leaf", wasm.FuncType{})) }, 1},
		"a function that calls itself": {func(s *script) {
			f := s.module.NewFunc("self", wasm.FuncType{})
			never(f, f)
			s.run.Call(f)
		}, 0},
		"two that call each other": {func(s *script) {
			f, g := s.module.NewFunc("one", wasm.FuncType{}), s.module.NewFunc("other", wasm.FuncType{})
			never(f, g)
			never(g, f)
			s.run.Call(f)
		}, 0},
		"much code": {func(s *script) {
			for range entryCodeBytes {
				s.run.Op(wasm.OpNop)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(c *Config) { c.Library = library.Module }, func(t *testing.T, h *Host) {
				s := plain(nil, nil)
				c.build(s)
				m := s.finish(t, h, 0)
				mustRun(t, h, m, Input{})
				mustRun(t, h, m, Input{})
				if got := len(idleSlot(t, h).owner.entries); got != c.kept {
					t.Errorf("%d entries are kept, want %d", got, c.kept)
				}
			})
		})
	}
}

// never emits a call that is not reached.
func never(f, callee *wasm.Func) {
	f.I32Const(0)
	f.If()
	f.Call(callee)
	f.End()
}

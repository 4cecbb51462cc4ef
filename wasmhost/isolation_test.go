package wasmhost

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// dirtyScript grows the memory, traps if it finds anything in it behind the
// heap's start, and fills it.
func dirtyScript(t *testing.T, h *Host, pages uint32, fill byte) *Module {
	s := newScript(nil, nil)
	s.dirty(pages, fill, 8*64, func() { s.run.Op(wasm.OpUnreachable) })
	return s.finish(t, h, 0)
}

// dirty emits what dirtyScript does, looking at one word in every step bytes;
// found emits what happens when there is something.
func (s *script) dirty(pages uint32, fill byte, step int32, found func()) {
	f := s.run
	f.I32Const(int32(pages))
	f.Call(s.grow)
	f.Op(wasm.OpDrop)
	p, end := f.NewLocal(wasm.I32), f.NewLocal(wasm.I32)
	f.I32Const(abi.ScriptBase + 32<<10)
	f.LocalSet(p)
	f.MemorySize()
	f.I32Const(16)
	f.Op(wasm.OpI32Shl)
	f.LocalSet(end)
	loop := f.Loop()
	f.LocalGet(p)
	f.Mem(wasm.OpI64Load, 3, 0)
	f.I64Const(0)
	f.Op(wasm.OpI64Ne)
	f.If()
	found()
	f.End()
	f.LocalGet(p)
	f.I32Const(step)
	f.Op(wasm.OpI32Add)
	f.LocalTee(p)
	f.LocalGet(end)
	f.Op(wasm.OpI32LtU)
	f.BrIf(loop)
	f.End()
	f.I32Const(abi.ScriptBase + 32<<10)
	f.I32Const(int32(fill))
	f.LocalGet(end)
	f.I32Const(abi.ScriptBase + 32<<10)
	f.Op(wasm.OpI32Sub)
	f.MemoryFill()
}

// intruder is one kind of execution of TestMillionExecutions.
type intruder struct {
	name   string
	module *Module
	limits Limits
	code   diag.Code // of its failure; empty if it succeeds
}

// intruders are scripts that look for what others left, leave their own
// canaries all over their memory, and end in every way there is.
func intruders(t *testing.T, h *Host, step int32) []intruder {
	short := testLimits
	short.Fuel = 1000
	tight := testLimits
	tight.MemoryPages = 2
	tight.CallDepth = 200_000
	kinds := []struct {
		name   string
		pages  uint32
		limits Limits
		code   diag.Code
		end    func(s *script)
	}{
		{"ends", 0, testLimits, "", func(*script) {}},
		{"ends with a grown memory", 2, testLimits, "", func(*script) {}},
		{"traps", 0, testLimits, diag.Internal, func(s *script) { s.run.Op(wasm.OpUnreachable) }},
		{"traps with a grown memory", 1, testLimits, diag.Internal, func(s *script) { s.run.Op(wasm.OpUnreachable) }},
		{"runs out of fuel", 0, short, diag.OutOfFuel, func(s *script) { s.endless() }},
		{"runs out of memory", 0, tight, diag.OutOfMemory, func(*script) {}},
		{"makes the host panic", 0, testLimits, diag.Internal, func(s *script) {
			s.tell("blunder")
		}},
	}
	var all []intruder
	for i, k := range kinds {
		s := newScript([]string{"secret"}, []byte(k.name))
		s.dirty(k.pages, byte(i+1), step, func() { s.tell("found") })
		k.end(s)
		all = append(all, intruder{k.name, s.finish(t, h, 0), k.limits, k.code})
	}
	return all
}

// tell emits a call of a command.
func (s *script) tell(command string) {
	s.run.I32Const(0)
	s.run.Call(s.module.ImportFunc(abi.HostModule, command, i32ToI32))
	s.run.Op(wasm.OpDrop)
}

// TestMillionExecutions mixes executions that end well, fail, trap, reach
// limits, cannot be instantiated and make the host panic, at full concurrency.
// No execution may find a byte of another in its memory, nor get another's
// answer.
func TestMillionExecutions(t *testing.T) {
	share := map[Engine]int{EngineCompiler: 1_000_000, EngineInterpreter: 5_000}
	step := map[Engine]int32{EngineCompiler: 8, EngineInterpreter: 512}
	for name, engine := range map[string]Engine{"compiler": EngineCompiler, "interpreter": EngineInterpreter} {
		t.Run(name, func(t *testing.T) {
			count := share[engine]
			if testing.Short() {
				count /= 50
			}
			var found atomic.Int64
			workers := 4 * runtime.GOMAXPROCS(0)
			h := newHost(t, engine, func(c *Config) {
				c.MaxInstances, c.IdleInstances = workers, workers/2
				c.Commands = map[string]Command{
					"blunder": func(*Call) error { var p *int; *p = 1; return nil },
					"found":   func(*Call) error { found.Add(1); return nil },
				}
			})
			all := intruders(t, h, step[engine])
			var left atomic.Int64
			left.Store(int64(count))
			faults := make(chan error, workers)
			for worker := range workers {
				go func() { faults <- intrude(h, all, &left, uint64(worker)) }()
			}
			for range workers {
				if err := <-faults; err != nil {
					t.Error(err)
				}
			}
			if n := found.Load(); n > 0 {
				t.Errorf("%d executions found what others left", n)
			}
		})
	}
}

// intrude executes until nothing is left to do.
func intrude(h *Host, all []intruder, left *atomic.Int64, worker uint64) error {
	rng := rand.New(rand.NewPCG(worker, 1))
	var dst []byte
	for left.Add(-1) >= 0 {
		one := &all[rng.IntN(len(all))]
		secret := rng.Uint64()
		in := Input{Variables: fmt.Appendf(nil, `{"secret":"%d"}`, secret), EchoVariables: true}
		out, _, failure := h.Run(context.Background(), one.module, &in, one.limits, dst[:0])
		switch {
		case failure == nil && one.code != "":
			return fmt.Errorf("%s: succeeded", one.name)
		case failure == nil:
			if want := fmt.Sprintf(`{"success":true,"result":{},"variables":{"secret":"%d"},"logs":[]}`, secret); string(out.JSON) != want {
				return fmt.Errorf("%s: the answer is %.300s", one.name, out.JSON)
			}
			dst = out.JSON
		case failure.Code != one.code:
			return fmt.Errorf("%s: %s %s (%v)", one.name, failure.Code, failure.Message, failure.Cause)
		}
	}
	return nil
}

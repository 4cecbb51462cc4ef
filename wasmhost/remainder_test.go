package wasmhost

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
)

// pressure is more than there are registers on any machine.
const pressure = 40

// remainders writes a function that keeps many remainders of its two parameters alive at once and mixes them. Neither
// parameter may be near zero.
func remainders(m *wasm.Module, rem wasm.Opcode) {
	f := m.NewFunc("mix", wasm.FuncType{Params: []wasm.ValType{wasm.I64, wasm.I64}, Results: []wasm.ValType{wasm.I64}})
	f.Exports = []string{"mix"}
	locals := make([]wasm.Local, pressure)
	for i := range locals {
		locals[i] = f.NewLocal(wasm.I64)
		f.LocalGet(f.Param(0))
		if i > 0 {
			f.LocalGet(locals[i-1])
			f.Op(wasm.OpI64Add)
		}
		f.LocalGet(f.Param(1))
		f.I64Const(int64(i))
		f.Op(wasm.OpI64Add, rem)
		f.LocalSet(locals[i])
	}
	f.I64Const(0)
	for i := range locals {
		f.I64Const(31)
		f.Op(wasm.OpI64Mul)
		f.LocalGet(locals[(i*7)%pressure])
		f.Op(wasm.OpI64Add)
	}
}

func mixed(a, b int64, rem func(a, b int64) int64) int64 {
	var values [pressure]int64
	for i := range values {
		before := int64(0)
		if i > 0 {
			before = values[i-1]
		}
		values[i] = rem(a+before, b+int64(i))
	}
	sum := int64(0)
	for i := range values {
		sum = sum*31 + values[(i*7)%pressure]
	}
	return sum
}

// minutes writes two digits of a time of day as a date library does: a quotient's remainder by 60, then its tens and ones.
func minutes(m *wasm.Module) {
	f := m.NewFunc("minutes", wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}})
	f.Exports = []string{"minutes"}
	n := f.NewLocal(wasm.I32)
	f.LocalGet(f.Param(0))
	f.I32Const(60)
	f.Op(wasm.OpI32DivU)
	f.I32Const(60)
	f.Op(wasm.OpI32RemU)
	f.I32Const(0xff)
	f.Op(wasm.OpI32And)
	f.LocalTee(n)
	f.I32Const(10)
	f.Op(wasm.OpI32DivU)
	f.I32Const(48)
	f.Op(wasm.OpI32Add)
	f.I32Const(8)
	f.Op(wasm.OpI32Shl)
	f.LocalGet(n)
	f.I32Const(10)
	f.Op(wasm.OpI32RemU)
	f.I32Const(48)
	f.Op(wasm.OpI32Add, wasm.OpI32Or)
}

// TestRemainders holds wazero's engines to the operation whose compilation is known to go wrong in them: wazero#2508 and,
// by what it shows, wazero#2516 on arm64. docs/rationale.md has the story.
func TestRemainders(t *testing.T) {
	ctx := context.Background()
	operations := []struct {
		opcode wasm.Opcode
		rem    func(a, b int64) int64
	}{
		{wasm.OpI64RemS, func(a, b int64) int64 { return a % b }},
		{wasm.OpI64RemU, func(a, b int64) int64 { return int64(uint64(a) % uint64(b)) }},
	}
	for _, engine := range []Engine{EngineCompiler, EngineInterpreter} {
		runtime := wazero.NewRuntimeWithConfig(ctx, runtimeConfig(engine, 1))
		defer runtime.Close(ctx)
		call := func(f api.Function, args ...uint64) uint64 {
			t.Helper()
			got, err := f.Call(ctx, args...)
			if err != nil {
				t.Fatal(err)
			}
			return got[0]
		}
		for _, o := range operations {
			module := &wasm.Module{}
			remainders(module, o.opcode)
			minutes(module)
			instance, err := runtime.InstantiateWithConfig(ctx, module.Encode(), wazero.NewModuleConfig().WithName(""))
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 2000 {
				a, b := int64(random.Uint64()>>random.IntN(40)), int64(random.Uint64()>>(1+random.IntN(40))+pressure)
				if got, want := int64(call(instance.ExportedFunction("mix"), uint64(a), uint64(b))), mixed(a, b, o.rem); got != want {
					t.Fatalf("engine %d, opcode %#x: mix(%d, %d) = %d, want %d", engine, o.opcode, a, b, got, want)
				}
			}
			for second := uint64(0); second < 24*60*60; second += 60 {
				minute := second / 60 % 60
				if got, want := call(instance.ExportedFunction("minutes"), second), (minute/10+48)<<8|(minute%10+48); got != want {
					t.Fatalf("engine %d: the minute of second %d is %#x, want %#x", engine, second, got, want)
				}
			}
		}
	}
}

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

// width is what integers of a width are computed with.
type width struct {
	kind     wasm.ValType
	add, mul wasm.Opcode
	constant func(f *wasm.Func, n int)
}

var (
	width32 = width{wasm.I32, wasm.OpI32Add, wasm.OpI32Mul, func(f *wasm.Func, n int) { f.I32Const(int32(n)) }}
	width64 = width{wasm.I64, wasm.OpI64Add, wasm.OpI64Mul, func(f *wasm.Func, n int) { f.I64Const(int64(n)) }}
)

// remainders writes a function that keeps many remainders of its two parameters alive at once and mixes them. Neither
// parameter may be near zero.
func (w width) remainders(m *wasm.Module, rem wasm.Opcode) {
	f := m.NewFunc("mix", wasm.FuncType{Params: []wasm.ValType{w.kind, w.kind}, Results: []wasm.ValType{w.kind}})
	f.Exports = []string{"mix"}
	locals := make([]wasm.Local, pressure)
	for i := range locals {
		locals[i] = f.NewLocal(w.kind)
		f.LocalGet(f.Param(0))
		if i > 0 {
			f.LocalGet(locals[i-1])
			f.Op(w.add)
		}
		f.LocalGet(f.Param(1))
		w.constant(f, i)
		f.Op(w.add, rem)
		f.LocalSet(locals[i])
	}
	w.constant(f, 0)
	for i := range locals {
		w.constant(f, 31)
		f.Op(w.mul)
		f.LocalGet(locals[(i*7)%pressure])
		f.Op(w.add)
	}
}

// mixed computes the same in Go.
func mixed[T int32 | int64](a, b T, rem func(a, b T) T) T {
	var values [pressure]T
	for i := range values {
		before := T(0)
		if i > 0 {
			before = values[i-1]
		}
		values[i] = rem(a+before, b+T(i))
	}
	sum := T(0)
	for i := range values {
		sum = sum*31 + values[(i*7)%pressure]
	}
	return sum
}

// mixed32 gives the result as the sandbox does, for numbers that end in a and b.
func mixed32(a, b uint64, rem func(a, b int32) int32) uint64 {
	return uint64(uint32(mixed(int32(a), int32(b), rem)))
}

func mixed64(a, b uint64, rem func(a, b int64) int64) uint64 {
	return uint64(mixed(int64(a), int64(b), rem))
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
		width  width
		opcode wasm.Opcode
		want   func(a, b uint64) uint64
	}{
		{width64, wasm.OpI64RemS, func(a, b uint64) uint64 { return mixed64(a, b, func(a, b int64) int64 { return a % b }) }},
		{width64, wasm.OpI64RemU, func(a, b uint64) uint64 {
			return mixed64(a, b, func(a, b int64) int64 { return int64(uint64(a) % uint64(b)) })
		}},
		{width32, wasm.OpI32RemS, func(a, b uint64) uint64 { return mixed32(a, b, func(a, b int32) int32 { return a % b }) }},
		{width32, wasm.OpI32RemU, func(a, b uint64) uint64 {
			return mixed32(a, b, func(a, b int32) int32 { return int32(uint32(a) % uint32(b)) })
		}},
	}
	for _, engine := range []Engine{EngineCompiler, EngineInterpreter} {
		runtime := wazero.NewRuntimeWithConfig(ctx, runtimeConfig(engine))
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
			o.width.remainders(module, o.opcode)
			minutes(module)
			instance, err := runtime.InstantiateWithConfig(ctx, module.Encode(), wazero.NewModuleConfig().WithName(""))
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 2000 {
				a, b := random.Uint64()>>random.IntN(40), random.Uint64()>>(1+random.IntN(40))+pressure
				if o.width.kind == wasm.I32 {
					a, b = a>>32, b>>33>>random.IntN(20)+pressure
				}
				if got, want := call(instance.ExportedFunction("mix"), a, b), o.want(a, b); got != want {
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

package meter

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	nothing = wasm.FuncType{}
	unary   = wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}}
	pairOf  = wasm.FuncType{Results: []wasm.ValType{wasm.I32, wasm.I64}}
)

// sample has every shape that the injector knows, but for a loop with
// parameters, which the suite has.
func sample() *wasm.Module {
	m := &wasm.Module{Name: "sample", Memory: &wasm.Memory{Limits: wasm.Limits{Min: 1, Max: 2, HasMax: true}, Exports: []string{"memory"}}}
	imported := m.ImportFunc("env", "f", unary)
	own := m.NewGlobal("own", wasm.I32, 3)
	m.Table = &wasm.Table{Limits: wasm.Limits{Min: 2}, Elements: []*wasm.Func{imported}}

	leaf := m.NewFunc("leaf", unary)
	leaf.Exports = []string{"leaf"}
	n := leaf.Param(0)
	out := leaf.Block()
	head := leaf.Loop()
	leaf.LocalGet(n)
	leaf.Op(wasm.OpI32Eqz)
	leaf.BrIf(out)
	leaf.LocalGet(n)
	leaf.I32Const(1)
	leaf.Op(wasm.OpI32Sub)
	leaf.LocalSet(n)
	leaf.Br(head)
	leaf.End()
	leaf.End()
	leaf.GlobalGet(own)
	leaf.LocalGet(n)
	leaf.Op(wasm.OpI32DivU)
	leaf.Op(wasm.OpReturn)

	two := m.NewFunc("two", pairOf)
	two.Exports = []string{"two"}
	two.I32Const(1)
	two.I32Const(5)
	two.CallIndirect(unary)
	two.If()
	two.I32Const(1)
	two.I64Const(2)
	two.Op(wasm.OpReturn)
	two.End()
	two.I32Const(0)
	two.I32Const(0)
	two.I32Const(64)
	two.MemoryFill()
	two.I32Const(1)
	two.MemoryGrow()
	two.I64Const(0)

	endless := m.NewFunc("endless", nothing)
	endless.Exports = []string{"endless"}
	endless.Call(endless)
	m.Start = m.NewFunc("start", nothing)
	return m
}

func TestGolden(t *testing.T) {
	o := testOptions
	o.Start = "avap start"
	out, err := metered(sample().Encode(), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := wasm.Decode(out)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := b.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "sample.wat")
	if *update {
		if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every instruction costs something, but for those that only shape the code.
func TestEveryInstructionHasAPrice(t *testing.T) {
	free := map[wasm.Opcode]bool{
		wasm.OpUnreachable: true, wasm.OpNop: true, wasm.OpBlock: true, wasm.OpLoop: true, wasm.OpElse: true, wasm.OpEnd: true,
	}
	for op := wasm.Opcode(0); op <= 0xfcff; op++ {
		if op > 0xff && op < 0xfc00 || op.String() == "unknown" {
			continue
		}
		if op>>8 == 0xfc && int(op&0xff) >= len(prefixed) {
			t.Errorf("%s has no price", op)
			continue
		}
		if (price(op) == 0) != free[op] {
			t.Errorf("%s costs %d", op, price(op))
		}
	}
}

func TestReservedNamesAreRefused(t *testing.T) {
	o := testOptions
	o.Start = "avap start"
	for name, change := range map[string]func(m *wasm.Module){
		"fuel":   func(m *wasm.Module) { m.Funcs[1].Exports = []string{o.Fuel} },
		"depth":  func(m *wasm.Module) { m.Memory.Exports = []string{o.Depth} },
		"start":  func(m *wasm.Module) { m.Funcs[2].Exports = []string{o.Start} },
		"refuel": func(m *wasm.Module) { m.Funcs[0].Import = &o.Refuel },
	} {
		t.Run(name, func(t *testing.T) {
			m := sample()
			change(m)
			_, err := metered(m.Encode(), o)
			var refused *wasm.Error
			if !errors.As(err, &refused) || !strings.Contains(refused.Message, "reserved") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Metered code is at most growth times as long as what was there.
func TestGrowthIsBounded(t *testing.T) {
	const growth, rest = 20, 1000
	for name, body := range map[string]func(f *wasm.Func){
		"loops":    func(f *wasm.Func) { f.Loop(); f.End() },
		"branches": func(f *wasm.Func) { f.I32Const(0); f.BrIf(0) },
		"ifs": func(f *wasm.Func) {
			f.I32Const(0)
			f.If()
			f.Op(wasm.OpNop)
			f.Else()
			f.Op(wasm.OpNop)
			f.End()
		},
		"grows":     func(f *wasm.Func) { f.I32Const(0); f.MemoryGrow(); f.Op(wasm.OpDrop) },
		"calls":     func(f *wasm.Func) { f.Call(f) },
		"constants": func(f *wasm.Func) { f.I32Const(0); f.Op(wasm.OpDrop) },
	} {
		t.Run(name, func(t *testing.T) {
			m := &wasm.Module{Memory: &wasm.Memory{}}
			f := m.NewFunc("f", nothing)
			f.Block()
			for range 10_000 {
				body(f)
			}
			f.End()
			in := m.Encode()
			out, err := metered(in, testOptions)
			if err != nil {
				t.Fatal(err)
			}
			if len(out) > growth*len(in)+rest {
				t.Errorf("%d bytes became %d", len(in), len(out))
			}
		})
	}
	// Tiny functions, each with its own entry.
	m := &wasm.Module{}
	for range 1000 {
		f := m.NewFunc("", nothing)
		f.Call(f)
	}
	in := m.Encode()
	out, err := metered(in, testOptions)
	if err != nil || len(out) > growth*len(in)+rest {
		t.Errorf("%d bytes became %d, %v", len(in), len(out), err)
	}
}

var errOutOfFuel = errors.New("out of fuel")

// instance is a metered module with so many units to spend in all.
func instance(t testing.TB, config wazero.RuntimeConfig, module []byte, budget int64) api.Module {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	t.Cleanup(func() { _ = r.Close(ctx) })
	refuel := api.GoFunc(func(_ context.Context, stack []uint64) {
		if budget <= 0 {
			panic(errOutOfFuel)
		}
		stack[0] = uint64(budget)
		budget = 0
	})
	b := r.NewHostModuleBuilder("avap").NewFunctionBuilder().
		WithGoFunction(refuel, []api.ValueType{api.ValueTypeI32}, []api.ValueType{api.ValueTypeI64}).Export("refuel")
	if _, err := b.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	env := r.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func(n uint32) uint32 { return n }).Export("f")
	if _, err := env.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What a bulk instruction asks for is charged before it is done, and cannot
// overflow the cell.
func TestOperandsAreChargedFirst(t *testing.T) {
	huge := func(f *wasm.Func) { f.I32Const(-1) }
	for name, c := range map[string]struct {
		body func(f *wasm.Func)
		want int64
	}{
		"memory.grow": {func(f *wasm.Func) { huge(f); f.MemoryGrow(); f.Op(wasm.OpDrop) }, (1<<32 - 1) << 12},
		"memory.fill": {func(f *wasm.Func) { f.I32Const(0); f.I32Const(0); huge(f); f.MemoryFill() }, (1<<32 - 1) >> 4},
		"memory.copy": {func(f *wasm.Func) { f.I32Const(0); f.I32Const(0); huge(f); f.MemoryCopy() }, (1<<32 - 1) >> 4},
	} {
		t.Run(name, func(t *testing.T) {
			m := &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: 1, Max: 4, HasMax: true}}}
			f := m.NewFunc("f", nothing)
			f.Exports = []string{"f"}
			c.body(f)
			out, err := metered(m.Encode(), testOptions)
			if err != nil {
				t.Fatal(err)
			}
			i := instance(t, wazero.NewRuntimeConfigInterpreter(), out, 1000)
			_, err = i.ExportedFunction("f").Call(context.Background())
			if !errors.Is(err, errOutOfFuel) {
				t.Errorf("got %v", err)
			}
			left := int64(i.ExportedGlobal(testOptions.Fuel).Get())
			if owed := -left; owed < c.want-1000 || owed > c.want {
				t.Errorf("%d units are owed, want about %d", owed, c.want)
			}
		})
	}
}

// Of a module from elsewhere nobody hid the ands from the engine, which a nop
// stands for here.
func TestAndsAreHidden(t *testing.T) {
	m := &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: 1}}}
	f := m.NewFunc("f", unary)
	f.Exports = []string{"f"}
	f.I32Const(0)
	f.LocalGet(f.Param(0))
	f.I32Const(-8)
	f.Op(wasm.OpI32And, wasm.OpNop, wasm.OpI32GtS)
	f.If(wasm.I32)
	f.I32Const(1)
	f.Else()
	f.I32Const(0)
	f.End()
	out, err := metered(m.Encode(), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	i := instance(t, wazero.NewRuntimeConfigCompiler(), out, 1000)
	for x, want := range map[int32]uint32{8: 0, -8: 1} {
		got, err := i.ExportedFunction("f").Call(context.Background(), api.EncodeI32(x))
		if err != nil || uint32(got[0]) != want {
			t.Errorf("0 > (%d & -8) is %d, %v", x, got, err)
		}
	}
}

// A recursion ends when the calls are used up, sooner for large frames, and
// what returns gives its calls back.
func TestDepth(t *testing.T) {
	count := func(locals int) int {
		m := &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: 1}, Exports: []string{"memory"}}}
		f := m.NewFunc("f", nothing)
		f.Exports = []string{"f"}
		for range locals {
			f.NewLocal(wasm.I64)
		}
		f.I32Const(0)
		f.I32Const(0)
		f.Mem(wasm.OpI32Load, 2, 0)
		f.I32Const(1)
		f.Op(wasm.OpI32Add)
		f.Mem(wasm.OpI32Store, 2, 0)
		f.Call(f)
		out, err := metered(m.Encode(), testOptions)
		if err != nil {
			t.Fatal(err)
		}
		i := instance(t, wazero.NewRuntimeConfigCompiler(), out, 1<<40)
		if _, err := i.ExportedFunction("f").Call(context.Background()); err == nil {
			t.Fatal("it ended")
		}
		if left := int32(i.ExportedGlobal(testOptions.Depth).Get()); left >= 0 {
			t.Errorf("%d calls are left", left)
		}
		n, _ := i.Memory().ReadUint32Le(0)
		return int(n)
	}
	if got := count(0); got != int(testOptions.Calls) {
		t.Errorf("%d calls", got)
	}
	if got := count(63 * localsPerLevel); got != int(testOptions.Calls)/64 {
		t.Errorf("%d calls of a large frame", got)
	}

	out, err := metered(sample().Encode(), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	i := instance(t, wazero.NewRuntimeConfigCompiler(), out, 1<<40)
	for range 3 {
		if _, err := i.ExportedFunction("two").Call(context.Background()); err == nil {
			t.Fatal("the table has no function 5")
		}
	}
	if left := int32(i.ExportedGlobal(testOptions.Depth).Get()); left != testOptions.Calls-3 {
		t.Errorf("%d calls are left after three traps", left)
	}
}

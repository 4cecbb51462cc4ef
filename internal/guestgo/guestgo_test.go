package guestgo

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

var update = flag.Bool("update", false, "write the messages that testdata/reject expects")

// prelude is what every test program is compiled with: values, and the
// signatures of the intrinsics.
var prelude = []string{"value.go", "memory_native.go", "imports_native.go"}

func testSources(t *testing.T, files ...Source) (all, constants []Source) {
	t.Helper()
	for _, name := range prelude {
		text, err := os.ReadFile(filepath.Join("../../runtime/guest", name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Source{name, string(text)})
	}
	constants, err := readDir("../../runtime/abi")
	if err != nil {
		t.Fatal(err)
	}
	return append(all, files...), constants
}

func compileTest(t *testing.T, text string) (*Library, error) {
	t.Helper()
	files, constants := testSources(t, Source{"prog.go", "package guest\n" + text})
	return compile(files, constants, false)
}

// engines runs a test on both of wazero's engines.
func engines(t *testing.T, run func(t *testing.T, config wazero.RuntimeConfig)) {
	t.Run("interpreter", func(t *testing.T) { run(t, wazero.NewRuntimeConfigInterpreter()) })
	t.Run("compiler", func(t *testing.T) { run(t, wazero.NewRuntimeConfigCompiler()) })
}

// instance is a library with host functions that know little: refuel grants
// what the test says, the others give their first argument back.
type instance struct {
	api.Module
	refuels int
	grant   func(refuels int) int64
}

func start(t *testing.T, config wazero.RuntimeConfig, binary []byte) *instance {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	t.Cleanup(func() { r.Close(ctx) })
	in := &instance{grant: func(int) int64 { return 1 << 40 }}
	host := r.NewHostModuleBuilder(abi.HostModule)
	for _, imp := range abi.LibraryImports {
		ft := importType(imp)
		fn := api.GoFunc(func(_ context.Context, stack []uint64) {})
		if imp.Field == abi.RefuelField {
			fn = func(_ context.Context, stack []uint64) {
				in.refuels++
				stack[0] = uint64(in.grant(in.refuels))
			}
		}
		host.NewFunctionBuilder().WithGoFunction(fn, apiTypes(ft.Params), apiTypes(ft.Results)).Export(imp.Field)
	}
	if _, err := host.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, binary)
	if err != nil {
		t.Fatal(err)
	}
	in.Module = m
	return in
}

func apiTypes(ts []wasm.ValType) []api.ValueType {
	out := make([]api.ValueType, len(ts))
	for i, t := range ts {
		out[i] = api.ValueType(t)
	}
	return out
}

// call is a line like Name(1, 2.5) = 3, 4.
type call struct {
	line, name string
	args, want []string
}

func parseCall(t *testing.T, line string) call {
	t.Helper()
	head, want, ok := strings.Cut(line, " = ")
	name, args, ok2 := strings.Cut(strings.TrimSpace(head), "(")
	if !ok || !ok2 {
		t.Fatalf("bad line %q", line)
	}
	return call{line, name, fields(strings.TrimSuffix(args, ")")), fields(want)}
}

func fields(s string) []string {
	var out []string
	for f := range strings.SplitSeq(s, ",") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}

func parseBits(t *testing.T, typ wasm.ValType, s string) uint64 {
	t.Helper()
	if typ == wasm.F64 {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return math.Float64bits(f)
	}
	u, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		i, err := strconv.ParseInt(s, 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		u = uint64(i)
	}
	if typ == wasm.I32 {
		return uint64(uint32(u))
	}
	return u
}

func (in *instance) check(t *testing.T, c call) {
	t.Helper()
	f := in.ExportedFunction(c.name)
	if f == nil {
		t.Fatalf("%s is not exported", c.name)
	}
	var args []uint64
	for i, p := range f.Definition().ParamTypes() {
		args = append(args, parseBits(t, wasm.ValType(p), c.args[i]))
	}
	got, err := f.Call(context.Background(), args...)
	if err != nil {
		if len(c.want) != 1 || c.want[0] != "trap" {
			t.Errorf("%s: %v", c.line, err)
		}
		return
	}
	if len(got) != len(c.want) {
		t.Errorf("%s: %d results", c.line, len(got))
		return
	}
	for i, r := range f.Definition().ResultTypes() {
		if r == api.ValueTypeI32 {
			got[i] = uint64(uint32(got[i])) // the upper half is undefined
		}
		if c.want[i] == "trap" || got[i] != parseBits(t, wasm.ValType(r), c.want[i]) {
			t.Errorf("%s: result %d is %s", c.line, i, showBits(wasm.ValType(r), got[i]))
		}
	}
}

func showBits(t wasm.ValType, bits uint64) string {
	if t == wasm.F64 {
		return fmt.Sprint(math.Float64frombits(bits))
	}
	return fmt.Sprintf("%d (%#x)", int64(bits), bits)
}

// TestRun compiles the programs under testdata/run and calls their functions
// as the archive's comment says.
func TestRun(t *testing.T) {
	for name, ar := range archives(t, "run") {
		t.Run(name, func(t *testing.T) {
			lib, err := compileTest(t, string(ar.Files[0].Data))
			if err != nil {
				t.Fatal(err)
			}
			binary := lib.Module.Encode()
			engines(t, func(t *testing.T, config wazero.RuntimeConfig) {
				in := start(t, config, binary)
				for _, line := range lines(ar.Comment) {
					in.check(t, parseCall(t, line))
				}
			})
		})
	}
}

// TestReject compiles what must be refused: the comment of each archive holds
// the messages.
func TestReject(t *testing.T) {
	for name, ar := range archives(t, "reject") {
		t.Run(name, func(t *testing.T) {
			_, err := compileTest(t, string(ar.Files[0].Data))
			if err == nil {
				t.Fatal("compiled")
			}
			if *update {
				ar.Comment = []byte(err.Error() + "\n")
				if err := os.WriteFile(filepath.Join("testdata/reject", name+".txtar"), txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want := strings.Join(lines(ar.Comment), "\n")
			if err.Error() != want {
				t.Errorf("got:\n%s\nwant:\n%s", err, want)
			}
		})
	}
}

func archives(t *testing.T, dir string) map[string]*txtar.Archive {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives in %s: %v", dir, err)
	}
	all := map[string]*txtar.Archive{}
	for _, p := range paths {
		ar, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(ar.Files) != 1 {
			t.Fatalf("%s: want one file", p)
		}
		all[strings.TrimSuffix(filepath.Base(p), ".txtar")] = ar
	}
	return all
}

func lines(b []byte) []string {
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

func TestEndlessLoopRefuels(t *testing.T) {
	lib, err := compileTest(t, `
func Forever() { for { } }
func Count(n uint32) uint32 {
	sum := uint32(0)
	for i := range n {
		for j := uint32(0); j < 3; j++ {
			sum += i & 1
		}
	}
	return sum
}`)
	if err != nil {
		t.Fatal(err)
	}
	binary := lib.Module.Encode()
	engines(t, func(t *testing.T, config wazero.RuntimeConfig) {
		in := start(t, config, binary)
		in.grant = func(n int) int64 {
			if n == 4 {
				panic("out of fuel")
			}
			return 1000
		}
		if _, err := in.ExportedFunction("Forever").Call(context.Background()); err == nil || in.refuels != 4 {
			t.Errorf("error %v after %d refuels", err, in.refuels)
		}
	})
	// What a loop uses does not depend on the size of the grants.
	engines(t, func(t *testing.T, config wazero.RuntimeConfig) {
		used := map[int64]int64{}
		for _, grant := range []int64{1, 7, 100000} {
			in := start(t, config, binary)
			granted := int64(0)
			in.grant = func(int) int64 { granted += grant; return grant }
			in.check(t, parseCall(t, "Count(100) = 150"))
			used[grant] = granted - int64(in.ExportedGlobal(abi.FuelExport).Get())
		}
		// 101 outer heads and 100 × 4 inner ones.
		for grant, u := range used {
			if u != 501 {
				t.Errorf("grants of %d: used %d, want 501", grant, u)
			}
		}
	})
}

func TestBulkOperationsCost(t *testing.T) {
	lib, err := compileTest(t, `
func Copy(n uint32) { memoryCopy(30000, 40000, n) }
func Small() { memoryFill(30000, 1, 32) }`)
	if err != nil {
		t.Fatal(err)
	}
	in := start(t, wazero.NewRuntimeConfigInterpreter(), lib.Module.Encode())
	for _, c := range []struct {
		line string
		fuel int64
	}{{"Copy(1600) = ", -100}, {"Small() = ", -100}, {"Copy(15) = ", -100}} {
		in.check(t, parseCall(t, c.line))
		if got := int64(in.ExportedGlobal(abi.FuelExport).Get()); got != c.fuel {
			t.Errorf("%s: fuel is %d, want %d", c.line, got, c.fuel)
		}
	}
}

func TestHostCallsCost(t *testing.T) {
	for _, imp := range abi.LibraryImports {
		price, ok := hostPrices[imp.Field]
		if !ok && imp.Field != abi.RefuelField {
			t.Errorf("%s has no price", imp.Field)
		}
		if price.unitsPerByte > 0 && imp.Params[price.lengthParam] != 'i' {
			t.Errorf("%s: parameter %d is no length", imp.Field, price.lengthParam)
		}
	}
	lib, err := compileTest(t, `
func Class(c uint32) { unicodeClass(c) }
func Upper(n uint32) { unicodeCase(0, 30000, n+1, 40000) }`)
	if err != nil {
		t.Fatal(err)
	}
	in := start(t, wazero.NewRuntimeConfigInterpreter(), lib.Module.Encode())
	in.check(t, parseCall(t, "Class(5) = "))
	in.check(t, parseCall(t, "Upper(99) = "))
	if got := int64(in.ExportedGlobal(abi.FuelExport).Get()); got != -16-64-800 {
		t.Errorf("fuel is %d", got)
	}
}

// TestCharge holds that a computed amount is taken, and that the host is asked
// as soon as it is not there.
func TestCharge(t *testing.T) {
	lib, err := compileTest(t, `
func Work(n uint64) { charge(n * 10) }`)
	if err != nil {
		t.Fatal(err)
	}
	engines(t, func(t *testing.T, config wazero.RuntimeConfig) {
		in := start(t, config, lib.Module.Encode())
		in.grant = func(int) int64 { return 1000 }
		for i, c := range []struct {
			line    string
			fuel    int64
			refuels int
		}{{"Work(0) = ", 0, 0}, {"Work(5) = ", 950, 1}, {"Work(95) = ", 0, 1}, {"Work(150) = ", -500, 2}, {"Work(0) = ", 500, 3}} {
			in.check(t, parseCall(t, c.line))
			if got := int64(in.ExportedGlobal(abi.FuelExport).Get()); got != c.fuel || in.refuels != c.refuels {
				t.Errorf("call %d: fuel is %d after %d refuels, want %d after %d", i, got, in.refuels, c.fuel, c.refuels)
			}
		}
	})
}

func TestFallible(t *testing.T) {
	lib, err := compileTest(t, `
func fail(code uint32) Value { return Value{-1, 0} }
func inner(v Value) Value { if v.Tag == 2 { return fail(1) }; return v }
func Direct(v Value) Value { return inner(v) }
func Test(v Value) int32 { if inner(v).failed() { return -1 }; return 0 }
func Count(v Value) uint32 { inner(v); return 1 }
func Void(v Value) { inner(v) }
func Fine(v Value) Value { return v }`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"Direct": true, "Test": true, "Count": false, "Void": false, "Fine": false}
	for _, f := range lib.Functions {
		if f.Fallible != want[f.Name] {
			t.Errorf("%s: fallible is %t", f.Name, f.Fallible)
		}
	}
	if len(lib.Functions) != len(want) {
		t.Errorf("%d functions", len(lib.Functions))
	}
}

func TestDataMustStayBelowTheScript(t *testing.T) {
	_, err := compileTest(t, `
var table = [9000]uint64{1}
func At(i uint32) uint64 { return table[i] }`)
	if err == nil || !strings.Contains(err.Error(), "behind abi.Remembered") {
		t.Errorf("error %v", err)
	}
}

func TestSameSourcesSameBytes(t *testing.T) {
	var first []byte
	for range 3 {
		lib, err := compileTest(t, `
var table = [...]uint32{1, 2, 3}
func Text() Value { return literal("text") }
func First(i uint32) uint32 { return second(table[i]) }
func second(i uint32) uint32 { for i > 9 { i -= 2 }; return i }`)
		if err != nil {
			t.Fatal(err)
		}
		b := lib.Module.Encode()
		if first == nil {
			first = b
		} else if string(first) != string(b) {
			t.Fatal("the bytes differ between two compilations")
		}
	}
}

// TestCode shows the code of small programs, so that a change of what the
// compiler writes is seen.
func TestCode(t *testing.T) {
	paths, err := filepath.Glob("testdata/code/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lib, err := compileTest(t, string(ar.Files[0].Data))
		if err != nil {
			t.Fatal(err)
		}
		b, err := wasm.Decode(lib.Module.Encode())
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := b.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if *update {
			ar.Files[1].Data = text.Bytes()
			if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(text.Bytes(), ar.Files[1].Data) {
			t.Errorf("%s differs; run the test with -update and look at the difference", path)
		}
	}
}

// TestAddressesWithConstants checks that a constant in an address and one in
// the instruction's offset mean the same.
func TestAddressesWithConstants(t *testing.T) {
	lib, err := compileTest(t, `
func Store(p Ptr, v uint32) { store32(p + 100 + 28, v) }
func Direct(p Ptr) uint32 { return load32(p + 128) }
func Moved(p Ptr) uint32 { q := p + 100; return load32(28 + q) }
func Big(p Ptr) uint32 { return load32(p + 0x10000 - 0x10000 + 128) }
func Down(p Ptr) uint32 { q := p + 256; return load32(q - 128) }
func Through(p Ptr) uint32 { return at(p + 64) }
func at(p Ptr) uint32 { return load32(p + 64) }
func Index(p Ptr, i uint32) uint32 { return load32(p + Ptr(i*4) + 64) }`)
	if err != nil {
		t.Fatal(err)
	}
	binary := lib.Module.Encode()
	engines(t, func(t *testing.T, config wazero.RuntimeConfig) {
		in := start(t, config, binary)
		for _, line := range []string{
			"Store(30000, 99) = ", "Direct(30000) = 99", "Moved(30000) = 99", "Big(30000) = 99",
			"Down(30000) = 99", "Through(30000) = 99", "Index(30000, 16) = 99", "Index(30064, 0) = 99", "Index(30068, 0xffffffff) = 99",
			"Direct(0xfffffff0) = trap",
		} {
			in.check(t, parseCall(t, line))
		}
	})
}

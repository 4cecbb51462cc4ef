package guest

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/hostcalls"
	"github.com/avapd/avapd/runtime/library"
)

// native calls the Go functions themselves. Its memory only grows, so that
// what package variables remember stays true from case to case.
type native struct{}

func newNative(t *testing.T) native {
	start(t)
	return native{}
}

func (native) base() uint32 { return (load32(abi.HeapTop) + 15) &^ 15 }

func (native) run(c *machineCase, m *image) (o outcome) {
	for uint64(m.base)+uint64(len(m.data)) > uint64(len(memory)) {
		memoryGrow(memorySize())
	}
	copy(memory[abi.ControlBase:], m.control[:])
	copy(memory[m.base:], m.data)
	store32(abi.HeapEnd, memorySize()*65536)
	defer func() {
		o.memory = memory
		if r := recover(); r == "guest trap" {
			o.halted = true
		} else if r != nil {
			o.problem = fmt.Sprint(r)
		}
	}()
	o.results = callNative(nativeFunctions[c.fn.Name], m.words)
	if c.failed(o.results) {
		message := Catch()
		o.message = []uint64{uint64(message.Tag), message.Bits}
	}
	return o
}

// callNative calls a function with its arguments flattened to words.
func callNative(fn any, words []uint64) []uint64 {
	f := reflect.ValueOf(fn)
	var args []reflect.Value
	for i := range f.Type().NumIn() {
		switch t := f.Type().In(i); {
		case t == reflect.TypeFor[Value]():
			args = append(args, reflect.ValueOf(Value{Tag(words[0]), words[1]}))
			words = words[1:]
		case t.Kind() == reflect.Float64:
			args = append(args, reflect.ValueOf(math.Float64frombits(words[0])))
		default:
			args = append(args, reflect.ValueOf(uint32(words[0])).Convert(t))
		}
		words = words[1:]
	}
	var results []uint64
	for _, r := range f.Call(args) {
		switch {
		case r.Type() == reflect.TypeFor[Value]():
			v := r.Interface().(Value)
			results = append(results, uint64(uint32(v.Tag)), v.Bits)
		case r.CanInt():
			results = append(results, uint64(uint32(r.Int())))
		default:
			results = append(results, r.Uint())
		}
	}
	return results
}

// wazeroMachine instantiates rt.wasm for each case, with its imports bound to
// package hostcalls.
type wazeroMachine struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

func newWazero(t *testing.T, compiler bool) *wazeroMachine {
	t.Helper()
	ctx := context.Background()
	config := wazero.NewRuntimeConfigInterpreter()
	if compiler {
		config = wazero.NewRuntimeConfigCompiler()
	}
	r := wazero.NewRuntimeWithConfig(ctx, config)
	t.Cleanup(func() { r.Close(ctx) })
	host := r.NewHostModuleBuilder(abi.HostModule)
	for name, f := range hostFunctions {
		host.NewFunctionBuilder().WithGoModuleFunction(f.call, f.params, f.results).Export(name)
	}
	if _, err := host.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := r.CompileModule(ctx, library.Module)
	if err != nil {
		t.Fatal(err)
	}
	return &wazeroMachine{r, m}
}

type hostFunction struct {
	params, results []api.ValueType
	call            api.GoModuleFunc
}

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
	f64 = api.ValueTypeF64
)

var hostFunctions = map[string]hostFunction{
	"refuel": {[]api.ValueType{i32}, []api.ValueType{i64}, func(_ context.Context, _ api.Module, stack []uint64) {
		stack[0] = 1 << 40
	}},
	"float_digits": {[]api.ValueType{f64, i32, i32, i32}, []api.ValueType{i64}, func(_ context.Context, m api.Module, s []uint64) {
		s[0] = hostcalls.FloatDigits(memoryOf(m), math.Float64frombits(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3]))
	}},
	"float_parse": {[]api.ValueType{i32, i32}, []api.ValueType{f64}, func(_ context.Context, m api.Module, s []uint64) {
		s[0] = math.Float64bits(hostcalls.FloatParse(memoryOf(m), uint32(s[0]), uint32(s[1])))
	}},
	"unicode_case": {[]api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}, func(_ context.Context, m api.Module, s []uint64) {
		s[0] = uint64(hostcalls.UnicodeCase(memoryOf(m), uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3])))
	}},
	"unicode_class": {[]api.ValueType{i32}, []api.ValueType{i32}, func(_ context.Context, _ api.Module, s []uint64) {
		s[0] = uint64(hostcalls.UnicodeClass(uint32(s[0])))
	}},
	"digest": {[]api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}, func(_ context.Context, m api.Module, s []uint64) {
		s[0] = uint64(hostcalls.Digest(memoryOf(m), uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3])))
	}},
	"regex_group": {[]api.ValueType{i32, i32, i32, i32, i32}, []api.ValueType{i64}, func(_ context.Context, m api.Module, s []uint64) {
		s[0] = hostcalls.RegexGroup(memoryOf(m), uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3]), uint32(s[4]))
	}},
	"regex_find": {[]api.ValueType{i32, i32, i32, i32, i32, i32, i32, i32}, []api.ValueType{i64}, func(_ context.Context, m api.Module, s []uint64) {
		s[0] = hostcalls.RegexFind(memoryOf(m), nil, uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3]), uint32(s[4]), uint32(s[5]), uint32(s[6]), uint32(s[7]))
	}},
	"time_format": {[]api.ValueType{f64, i32, i32, i32, i32, i32, i32}, []api.ValueType{i32}, func(_ context.Context, m api.Module, s []uint64) {
		seconds := math.Float64frombits(s[0])
		s[0] = uint64(uint32(hostcalls.TimeFormat(memoryOf(m), nil, seconds, uint32(s[1]), uint32(s[2]), uint32(s[3]), uint32(s[4]), uint32(s[5]), uint32(s[6]))))
	}},
	"time_parse": {[]api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64}, func(_ context.Context, m api.Module, s []uint64) {
		s[0] = uint64(hostcalls.TimeParse(memoryOf(m), nil, uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3])))
	}},
}

func memoryOf(m api.Module) []byte {
	b, _ := m.Memory().Read(0, m.Memory().Size())
	return b
}

func (*wazeroMachine) base() uint32 { return abi.ScriptBase }

func (w *wazeroMachine) run(c *machineCase, m *image) (o outcome) {
	ctx := context.Background()
	mod, err := w.runtime.InstantiateModule(ctx, w.module, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return outcome{problem: err.Error()}
	}
	defer func() {
		o.memory = bytes.Clone(memoryOf(mod))
		mod.Close(ctx)
	}()
	mem := mod.Memory()
	for uint64(m.base)+uint64(len(m.data)) > uint64(mem.Size()) {
		mem.Grow(1)
	}
	mem.Write(abi.ControlBase, m.control[:])
	mem.Write(m.base, m.data)
	mem.WriteUint32Le(abi.HeapEnd, mem.Size())
	o.results, err = mod.ExportedFunction(c.fn.Name).Call(ctx, m.words...)
	switch {
	case err != nil && strings.Contains(err.Error(), "unreachable"):
		o.halted = true
	case err != nil:
		o.problem = err.Error()
	case c.failed(o.results):
		if o.message, err = mod.ExportedFunction("Catch").Call(ctx); err != nil {
			o.problem = err.Error()
		}
	}
	for i, t := range c.fn.Results {
		if err == nil && t == wasm.I32 {
			o.results[i] = uint64(uint32(o.results[i]))
		}
	}
	return o
}

// nodeCase and nodeOutcome cross to the shim in testdata as JSON; words that
// JavaScript's numbers cannot hold are decimal text.
type nodeCase struct {
	Fn       string   `json:"fn"`
	Params   string   `json:"params"`
	Args     []string `json:"args"`
	Fallible bool     `json:"fallible"`
	Control  []byte   `json:"control"`
	Base     uint32   `json:"base"`
	Data     []byte   `json:"data"`
}

type nodeOutcome struct {
	Results []string `json:"results"`
	Message []string `json:"message"`
	Halted  bool     `json:"halted"`
	Problem string   `json:"problem"`
	Memory  string   `json:"memory"` // base64 of zlib
}

// runNode runs all cases in one process of node.
func runNode(t *testing.T, all []*machineCase) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	all = slices.DeleteFunc(slices.Clone(all), func(c *machineCase) bool { return c.notNode })
	images := make([]*image, len(all))
	send := make([]nodeCase, len(all))
	for i, c := range all {
		m := newImage(c, abi.ScriptBase)
		images[i] = m
		send[i] = nodeCase{Fn: c.fn.Name, Fallible: c.fn.Fallible, Control: m.control[:], Base: m.base, Data: m.data}
		for _, p := range c.fn.Params {
			send[i].Params += map[wasm.ValType]string{wasm.I32: "i", wasm.I64: "l", wasm.F64: "d"}[p]
		}
		for _, w := range m.words {
			send[i].Args = append(send[i].Args, strconv.FormatUint(w, 10))
		}
	}
	in, err := json.Marshal(send)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"cases.mjs", "library.mjs", "unicode.mjs"} {
		// Opened here too, a file counts for the cache of test results.
		if _, err := os.ReadFile("../../testdata/node/" + file); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(node, "../../testdata/node/cases.mjs", "../library/rt.wasm")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("node: %v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	var got []nodeOutcome
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(all) {
		t.Fatalf("%d outcomes of %d: %v", len(got), len(all), err)
	}
	for i, c := range all {
		if shown := c.result(got[i].decode(t), images[i]); shown != c.want {
			t.Errorf("%s: got %s\nwant %s", c.where, shown, c.want)
		}
	}
}

func (n *nodeOutcome) decode(t *testing.T) outcome {
	t.Helper()
	o := outcome{halted: n.Halted, problem: n.Problem, results: parseWords(t, n.Results)}
	if n.Message != nil {
		o.message = parseWords(t, n.Message)
	}
	z, err := zlib.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(n.Memory)))
	if err != nil {
		t.Fatal(err)
	}
	if o.memory, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return o
}

func parseWords(t *testing.T, texts []string) []uint64 {
	t.Helper()
	words := make([]uint64, len(texts))
	for i, s := range texts {
		w, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		words[i] = w
	}
	return words
}

package compiler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/compiler/emit"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/library"
	"github.com/avapd/avapd/wasmhost"
)

var limits = wasmhost.Limits{Fuel: 50_000_000, Duration: 30 * time.Second, MemoryPages: 1024, CallDepth: 1000, OutputBytes: 8 << 20}

func newHost(t testing.TB, engine wasmhost.Engine) *wasmhost.Host {
	t.Helper()
	h, err := wasmhost.New(wasmhost.Config{
		Library: library.Module, Engine: engine, MaxMemoryPages: 1024, MaxInstances: 128, IdleInstances: 1,
		HashSeed: func() uint64 { return 7 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// outcome is what a script came to: an answer, or the message of an error.
type outcome struct {
	Result    json.RawMessage
	Variables json.RawMessage
	Logs      []map[string]any
	Message   string
	Failure   *diag.Failure `json:"-"`
	FuelUsed  int64         `json:"-"`
}

// execute compiles a script and runs it.
func execute(t testing.TB, h *wasmhost.Host, script string, in *wasmhost.Input, opts compiler.Options) outcome {
	t.Helper()
	artifact, findings := compiler.Compile(compiler.Source{Text: script}, opts)
	if artifact == nil {
		return outcome{Message: findings.Error()}
	}
	module, err := h.Load(artifact.Wasm, artifact.Manifest)
	if err != nil {
		t.Fatalf("load: %v\n%s", err, script)
	}
	defer module.Release()
	in.EchoVariables = true
	out, usage, failure := h.Run(context.Background(), module, in, limits, nil)
	if failure != nil {
		if failure.Code == diag.Internal {
			t.Errorf("internal error: %v\n%s", failure.Cause, script)
		}
		return outcome{Message: failure.Message, Failure: failure, FuelUsed: usage.FuelUsed}
	}
	o := outcome{FuelUsed: usage.FuelUsed}
	if err := json.Unmarshal(out.JSON, &o); err != nil {
		t.Fatalf("answer %s: %v", out.JSON, err)
	}
	return o
}

// ways are the ways to compile and run a script that must not differ.
var ways = []struct {
	name   string
	engine wasmhost.Engine
	split  bool
	level  compiler.Level
	// collects is by how much the heap grows before a loop gives memory back.
	collects uint32
}{
	{"compiled", wasmhost.EngineCompiler, false, compiler.OptimizeFully, emit.RegionBytes},
	{"split", wasmhost.EngineCompiler, true, compiler.OptimizeFully, 1},
	{"interpreted", wasmhost.EngineInterpreter, false, compiler.OptimizeFully, emit.RegionBytes},
	{"collecting", wasmhost.EngineCompiler, false, compiler.OptimizeFully, 1},
	{"keeping", wasmhost.EngineCompiler, false, compiler.OptimizeFully, 0},
	{"plain", wasmhost.EngineCompiler, false, compiler.OptimizeNothing, emit.RegionBytes},
}

// TestRun runs the scripts of testdata/run. In an archive a script is followed
// by what it must come to: want has the results, error a part of the message,
// variables the names in the answer.
func TestRun(t *testing.T) {
	files, err := filepath.Glob("testdata/run/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, way := range ways {
		h := newHost(t, way.engine)
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(archive.Files); i += 2 {
				script, want := archive.Files[i], archive.Files[i+1]
				t.Run(way.name+"/"+script.Name, func(t *testing.T) {
					if way.split {
						defer compiler.SplitAll()()
					}
					defer compiler.CollectEvery(way.collects)()
					verify(t, execute(t, h, string(script.Data), &wasmhost.Input{}, compiler.Options{Optimize: way.level}), want)
				})
			}
		}
	}
}

// TestPrices runs the same scripts with all the fuel they need and with less:
// how much they use, and where they end, is the same in all ways but for parts,
// whose frames are paid for.
func TestPrices(t *testing.T) {
	files, err := filepath.Glob("testdata/run/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	defer func(l wasmhost.Limits) { limits = l }(limits)
	hosts := make([]*wasmhost.Host, len(ways))
	for i, way := range ways {
		hosts[i] = newHost(t, way.engine)
	}
	for _, file := range files {
		if filepath.Base(file) == "concurrency.txtar" {
			continue // who gets the last fuel is a matter of time
		}
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(archive.Files); i += 2 {
			script := string(archive.Files[i].Data)
			limits.Fuel = 50_000_000
			used := execute(t, hosts[0], script, &wasmhost.Input{}, compiler.Options{}).FuelUsed
			for _, limits.Fuel = range []int64{50_000_000, used - 1, used * 2 / 3, used / 3} {
				var first string
				for j, way := range ways {
					if way.split {
						continue
					}
					o := execute(t, hosts[j], script, &wasmhost.Input{}, compiler.Options{Optimize: way.level})
					got := fmt.Sprint(o.FuelUsed, o.Message, string(o.Result))
					if o.Failure != nil {
						got += fmt.Sprint(o.Failure.Span, o.Failure.Stack)
					}
					if j == 0 {
						first = got
					} else if got != first {
						t.Errorf("%s: %s, fuel %d: %s: %s, %s: %s", filepath.Base(file), archive.Files[i].Name, limits.Fuel, ways[0].name, first, way.name, got)
					}
				}
			}
		}
	}
}

func verify(t *testing.T, got outcome, want txtar.File) {
	t.Helper()
	text := strings.TrimSpace(string(want.Data))
	if want.Name == "error" {
		if !strings.Contains(got.Message, text) || got.Message == "" {
			t.Errorf("message %q, want %q", got.Message, text)
		}
		return
	}
	if got.Message != "" {
		t.Fatalf("error %q", got.Message)
	}
	if want.Name == "variables" {
		var names []string
		if err := json.Unmarshal(want.Data, &names); err != nil {
			t.Fatal(err)
		}
		if all := memberNames(t, got.Variables); !slices.Equal(all, names) {
			t.Errorf("variables %v, want %v", all, names)
		}
		return
	}
	if diff := cmp.Diff(decode(t, want.Data), decode(t, got.Result)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func decode(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func memberNames(t *testing.T, object []byte) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(object)))
	var names []string
	for depth, key := 0, false; ; {
		token, err := d.Token()
		if err != nil {
			return names
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			key = depth == 1
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
		default:
			if depth == 1 && key {
				names = append(names, token.(string))
				key = false
				continue
			}
		}
		key = depth == 1
	}
}

// TestGrowingCostsTheSame has a list and a dict grow that can do so where they lie, but
// not where the function keeps its variables behind them.
func TestGrowingCostsTheSame(t *testing.T) {
	hosts := hostsOfWays(t)
	for name, script := range map[string]string{
		"list":                "function f(xs) {\nstartLoop(i, 1, 20000)\nxs.append(i)\nendLoop()\nreturn(len(xs))\n}\nn = f([])\naddResult(n)",
		"two lists that move": "function f(xs, ys) {\nstartLoop(i, 1, 20000)\nxs.append(i)\nif(i % 3, 0, '==')\nys.append(xs[-1])\nend()\nendLoop()\nreturn(len(xs) + len(ys))\n}\nn = f([], [])\naddResult(n)",
		"dict":                "function f(d) {\nstartLoop(i, 1, 5000)\nd[i] = i\nendLoop()\nreturn(len(d))\n}\nn = f({})\naddResult(n)",
	} {
		agree(t, hosts, name, script, nil, false)
	}
}

func hostsOfWays(t *testing.T) []*wasmhost.Host {
	t.Helper()
	hosts := make([]*wasmhost.Host, len(ways))
	for i, way := range ways {
		hosts[i] = newHost(t, way.engine)
	}
	return hosts
}

// agree runs a script in all ways. By the clock ends what has a child that uses an
// uncertain amount of fuel.
func agree(t *testing.T, hosts []*wasmhost.Host, name, script string, variables []byte, byClock bool) {
	t.Helper()
	var first outcome
	for i, way := range ways {
		restore, every := func() {}, compiler.CollectEvery(way.collects)
		if way.split {
			restore = compiler.SplitAll()
		}
		o := execute(t, hosts[i], script, &wasmhost.Input{Variables: variables}, compiler.Options{Optimize: way.level})
		restore()
		every()
		o.Failure = nil
		if byClock {
			o.FuelUsed = first.FuelUsed
		}
		if i == 0 {
			first = o
		} else if diff := cmp.Diff(first, o); diff != "" {
			t.Errorf("%s %s (-compiled +%s):\n%s\n%s", name, way.name, way.name, diff, script)
		}
	}
}

// TestWaysAgree runs every conformance script in all ways: splitting, the level,
// the engine and collecting must change neither the answer nor the price.
func TestWaysAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	files, err := filepath.Glob("../testdata/conformance/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	hosts := hostsOfWays(t)
	defer func(l wasmhost.Limits) { limits = l }(limits)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			ID, Script string
			Variables  json.RawMessage
		}
		if err := json.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if strings.Contains(c.Script, "{PORT}") || strings.Contains(c.Script, "000000") {
				continue // needs a server, or much time
			}
			// The cases need less, but for an endless loop, and the interpreter is slow.
			// A child that the clock ends must not end by its fuel before.
			limits.Fuel = 1_000_000
			byClock := strings.Contains(c.Script, "gather(h, 0)")
			if byClock {
				limits.Fuel = 1_000_000_000
			}
			agree(t, hosts, c.ID, c.Script, c.Variables, byClock)
		}
	}
}

func TestCallStack(t *testing.T) {
	script := "function inner(a){\n  x = 1 / a\n  return(x)\n}\nfunction outer(a){\n  b = 1\n  return(inner(a))\n}\ny = 1\nz = [y,\n  outer(0)]"
	for _, way := range ways {
		h := newHost(t, way.engine)
		o := execute(t, h, script, &wasmhost.Input{}, compiler.Options{Optimize: way.level})
		if o.Failure == nil {
			t.Fatal("no failure")
		}
		var got []string
		for _, f := range o.Failure.Stack {
			got = append(got, f.Function+" "+f.Position.String())
		}
		want := []string{"inner script:2:3", "outer script:7:3", " script:11:3"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", way.name, diff)
		}
	}
}

// TestCallStackAtLimits ends runs by limits after calls have come back: the call
// stack is that of the function which met the limit.
func TestCallStackAtLimits(t *testing.T) {
	const inner = "function inner(a){\n  return([str(a)])\n}\n"
	for _, c := range []struct {
		script string
		want   []string
	}{
		{inner + "function f(){\n  x = inner(1)\n  while(True)\n  end()\n}\nf()", []string{"f script:6:3", " script:9:1"}},
		{inner + "function f(){\n  x = inner(1)\n  while(True)\n    x = [inner(2),\n      x * 40]\n  end()\n}\nf()", []string{"f script:8:7", " script:11:1"}},
		{inner + "function f(n){\n  x = inner(1)\n  return(f(n + 1) + f(2))\n}\nf(1)", []string{"f script:5:3", "f script:6:3"}},
	} {
		for _, way := range ways {
			if way.split || way.engine == wasmhost.EngineInterpreter {
				continue // takes long, and shows nothing about what is emitted
			}
			o := execute(t, newHost(t, way.engine), c.script, &wasmhost.Input{}, compiler.Options{Optimize: way.level})
			if o.Failure == nil {
				t.Fatal("no failure: " + o.Message)
			}
			var got []string
			for _, f := range o.Failure.Stack[:len(c.want)] {
				got = append(got, f.Function+" "+f.Position.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: %s: %s\n%s", way.name, o.Message, diff, c.script)
			}
		}
	}
}

func TestStatementLogs(t *testing.T) {
	script := "x = 1\nfunction f(){ return(2) }\nf()\nstartLoop(i, 1, 3)\nx = x + i\nendLoop()\ntry()\ny = 1 / 0\nexception(e)\nend()\nprint(x)\naddResult(x)\nreturn(x)"
	h := newHost(t, wasmhost.EngineCompiler)
	for _, split := range []bool{false, true} {
		restore := func() {}
		if split {
			restore = compiler.SplitAll()
		}
		o := execute(t, h, script, &wasmhost.Input{}, compiler.Options{Logs: true})
		restore()
		if o.Message != "" {
			t.Fatal(o.Message)
		}
		var got []string
		for _, entry := range o.Logs {
			got = append(got, entry["command"].(string))
		}
		want := []string{"assign", "f", "startLoop", "assign", "try", "print", "print", "addResult", "return"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("split %v: %s", split, diff)
		}
	}
}

func TestDepthLimit(t *testing.T) {
	h := newHost(t, wasmhost.EngineCompiler)
	o := execute(t, h, "function f(n){\nreturn(f(n + 1))\n}\ntry()\nx = f(1)\nexception(e)\nend()", &wasmhost.Input{}, compiler.Options{})
	if o.Failure == nil || o.Failure.Code != diag.RecursionLimit || o.Failure.Span.Start.Line != 2 {
		t.Errorf("%+v", o)
	}
}

// TestRemainders compares remainders by constants with those of Go, for
// numbers about the multiples of the divisor and the ends of 31 and 64 bits.
func TestRemainders(t *testing.T) {
	h := newHost(t, wasmhost.EngineCompiler)
	for _, c := range []int64{1, 2, 3, 5, 6, 7, 10, 12, 641, 1000003, 1<<30 - 1, 1 << 30, 1<<30 + 1, 1<<31 - 1} {
		var numbers, want []int64
		for _, n := range []int64{0, 1, c - 1, c, c + 1, 1<<31/c*c - 1, 1<<31/c*c - c, 1<<31 - 1, 1 << 31, 1<<32 + 5, 1<<63 - 1} {
			for _, a := range []int64{n, -n, -n - 1} {
				numbers, want = append(numbers, a), append(want, ((a%c)+c)%c)
			}
		}
		list, err := json.Marshal(numbers)
		if err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf("function f(a){\n  return(a %% %[1]d)\n}\n"+
			"function small(a){\n  if(None, None, `0 <= a and a < 2147483648`)\n    return(a %% %[1]d)\n  end()\n  return(f(a))\n}\n"+
			"l = %[2]s\nr = []\nstartLoop(i, 0, %[3]d)\nr.append(f(int(l[i])))\nr.append(small(int(l[i])))\nendLoop()\naddResult(r)", c, list, len(numbers)-1)
		o := execute(t, h, script, &wasmhost.Input{}, compiler.Options{})
		var got struct{ R []int64 }
		if err := json.Unmarshal(o.Result, &got); err != nil {
			t.Fatal(err, o.Message, script)
		}
		for i, a := range numbers {
			if got.R[2*i] != want[i] || got.R[2*i+1] != want[i] {
				t.Errorf("%d %% %d = %d, %d, want %d", a, c, got.R[2*i], got.R[2*i+1], want[i])
			}
		}
	}
}

func TestProducts(t *testing.T) {
	var script strings.Builder
	var want []string
	script.WriteString("function f(a, b){\n  r = 'over'\n  try()\n    r = a * b\n  exception(e)\n  end()\n  return(r)\n}\nr = []\n")
	numbers := []int64{0, 1, -1, 2, 3, -3, 1 << 31, 1<<31 - 1, -1 << 31, 1 << 32, 3037000499, 3037000500, -3037000500, 1 << 62, 1<<63 - 1, -1<<63 + 1, -1 << 63}
	for _, a := range numbers {
		for _, b := range numbers {
			product := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
			result := "over"
			if product.IsInt64() {
				result = product.String()
			}
			want = append(want, result)
			fmt.Fprintf(&script, "r.append(str(f(%s, %s)))\n", literal(a), literal(b))
		}
	}
	script.WriteString("addResult(r)")
	for _, engine := range []wasmhost.Engine{wasmhost.EngineCompiler, wasmhost.EngineInterpreter} {
		o := execute(t, newHost(t, engine), script.String(), &wasmhost.Input{}, compiler.Options{})
		var got struct{ R []string }
		if err := json.Unmarshal(o.Result, &got); err != nil {
			t.Fatal(err, o.Message)
		}
		if !slices.Equal(got.R, want) {
			t.Errorf("got %v, want %v", got.R, want)
		}
	}
}

// literal writes a number, also that whose magnitude is no integer.
func literal(n int64) string {
	if n == math.MinInt64 {
		return "-9223372036854775807 - 1"
	}
	return fmt.Sprint(n)
}

// Without its manifest a module is the same module.
func TestDetached(t *testing.T) {
	whole, _ := compiler.Compile(compiler.Source{Text: fiveLines}, compiler.Options{})
	detached, _ := compiler.Compile(compiler.Source{Text: fiveLines}, compiler.Options{Detached: true})
	if !bytes.HasPrefix(whole.Wasm, detached.Wasm) || !reflect.DeepEqual(whole.Manifest, detached.Manifest) {
		t.Error("there is more that differs")
	}
	if _, err := wasmhost.ReadManifest(detached.Wasm); err == nil {
		t.Error("the manifest is there")
	}
}

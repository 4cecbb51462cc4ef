package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/signature"
	v8 "github.com/avapd/avapd/internal/v8"
	"github.com/avapd/avapd/runtime/abi"
)

// hashSeed is the same everywhere: how dicts collide is part of the price.
const hashSeed = 7

// runInNode runs modules in V8, all in one process.
func runInNode(t *testing.T, modules []v8.Module, requests []v8.Request) []v8.Outcome {
	t.Helper()
	if !v8.Installed() {
		t.Skip("node is not installed")
	}
	outcomes, err := v8.Run(t.Context(), "../..", modules, requests)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// parity collects runs on wazero and holds V8 to them.
type parity struct {
	engines []*engine.Engine
	// standalone asks for modules with their part of the library.
	standalone bool
	// key signs the modules, unless it is nil.
	key      *signature.PrivateKey
	names    []string
	modules  []v8.Module
	requests []v8.Request
	want     []v8.Outcome
}

func newParity(t *testing.T) *parity {
	t.Helper()
	p := &parity{}
	for _, interpreter := range []bool{false, true} {
		p.engines = append(p.engines, newEngine(t, engine.Config{Interpreter: interpreter, HashSeed: func() uint64 { return hashSeed }}))
	}
	return p
}

// module compiles a script, unless it imports what only a server has.
func (p *parity) module(t *testing.T, name, script string) (wasm []byte, ok bool) {
	t.Helper()
	artifact, _ := compiler.Compile(compiler.Source{Name: name, Text: script}, compiler.Options{Debug: true, Standalone: p.standalone})
	if artifact == nil {
		return nil, false
	}
	if !slices.Equal(artifact.Manifest.Imports, []string{abi.RefuelField}) {
		return nil, false
	}
	wasm = artifact.Wasm
	if p.key != nil {
		var err error
		if wasm, err = signature.Sign(wasm, *p.key); err != nil {
			t.Fatal(err)
		}
	}
	p.modules = append(p.modules, v8.Module{Wasm: wasm, Map: string(artifact.SourceMap)})
	return wasm, true
}

// limits end a run from outside, each host in its own words.
var limits = []diag.Code{diag.OutOfFuel, diag.DeadlineReached, diag.OutOfMemory, diag.RecursionLimit}

// add runs the last module on both engines, which must agree, and notes how it went. A run that meets a limit does not
// count.
func (p *parity) add(t *testing.T, name string, wasm []byte, r *engine.Request) {
	t.Helper()
	var want [2]v8.Outcome
	for i, e := range p.engines {
		answer, err := e.RunArtifact(context.Background(), wasm, r)
		if failure, ok := errors.AsType[*diag.Failure](err); ok && slices.Contains(limits, failure.Code) {
			return
		}
		want[i] = outcomeOf(answer, err)
	}
	if diff := cmp.Diff(want[0], want[1]); diff != "" {
		t.Errorf("%s (-compiled +interpreted):\n%s", name, diff)
	}
	request := v8.Request{
		Module: len(p.modules) - 1, Variables: string(r.Variables), Body: string(r.Body), Query: [][2]string{},
		Fuel: engine.DefaultLimits.Fuel, CallDepth: engine.DefaultLimits.CallDepth, HashSeed: hashSeed,
	}
	for _, q := range r.Query {
		request.Query = append(request.Query, [2]string{q.Name, q.Value})
	}
	p.names, p.requests, p.want = append(p.names, name), append(p.requests, request), append(p.want, want[0])
}

func outcomeOf(a *engine.Answer, err error) v8.Outcome {
	if failure, ok := errors.AsType[*diag.Failure](err); ok {
		start := failure.Span.Start
		return v8.Outcome{Code: string(failure.Code), Message: failure.Message, Fuel: strconv.FormatInt(failure.Usage.FuelUsed, 10), Position: []int{start.Line, start.Column}}
	}
	if err != nil {
		return v8.Outcome{Message: err.Error()}
	}
	return v8.Outcome{Result: string(a.Result), Fuel: strconv.FormatInt(a.Usage.FuelUsed, 10)}
}

// check runs everything in V8.
func (p *parity) check(t *testing.T) {
	t.Helper()
	for i, got := range runInNode(t, p.modules, p.requests) {
		got.Logs = "" // a failure has none here
		if diff := cmp.Diff(p.want[i], got); diff != "" {
			t.Errorf("%s (-wazero +V8):\n%s", p.names[i], diff)
		}
	}
	t.Logf("%d runs of %d modules", len(p.requests), len(p.modules))
}

// TestProgramsInNode runs every program that needs no server in V8: results, byte by byte, and fuel are those of the
// sandbox's engines. A signature changes nothing.
func TestProgramsInNode(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/programs/*.txtar")
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d programs, %v", len(paths), err)
	}
	key, err := signature.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, standalone := range []bool{false, true} {
		for signed, key := range map[bool]*signature.PrivateKey{false: nil, true: &key} {
			t.Run(fmt.Sprintf("standalone=%v/signed=%v", standalone, signed), func(t *testing.T) {
				p := newParity(t)
				p.standalone, p.key = standalone, key
				p.programs(t, paths)
			})
		}
	}
}

func (p *parity) programs(t *testing.T, paths []string) {
	t.Helper()
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		script, exchanges := readProgram(t, path)
		wasm, ok := p.module(t, name+".avap", script)
		if !ok {
			continue
		}
		for i, x := range exchanges {
			r := &engine.Request{Variables: x.Variables, Body: x.Body}
			for _, q := range slices.Sorted(maps.Keys(x.Query)) {
				r.Query = append(r.Query, engine.Pair{Name: q, Value: x.Query[q]})
			}
			p.add(t, name+"/"+strconv.Itoa(i+1), wasm, r)
		}
	}
	if len(p.modules) < 10 {
		t.Errorf("only %d programs need no server", len(p.modules))
	}
	p.check(t)
}

// TestValuesInNode sends values through a script that only publishes them: what a request's JSON becomes in memory, and
// how it is written.
func TestValuesInNode(t *testing.T) {
	p := newParity(t)
	wasm, ok := p.module(t, "values.avap", `keys = {}
startLoop(i, 0, len(numbers) - 1)
    keys[numbers[i]] = str(numbers[i])
endLoop()
addResult(numbers)
addResult(keys)
addResult(rest)
`)
	if !ok {
		t.Fatal("the script does not compile")
	}
	p.add(t, "values", wasm, &engine.Request{Variables: []byte(`{"numbers": [` + strings.Join(numberTexts(), ",") + `], "rest": ` + restText + `}`)})
	if len(p.want) != 1 || p.want[0].Result == "" {
		t.Fatalf("%+v", p.want)
	}
	p.check(t)
}

// restText has what JSON has beside numbers.
const restText = `{"a": [true, false, null, {}, [], {"b": [[1]]}], "a2": "é\u00e9 😀\ud83d\ude00 \u0000\u001f\u007f\u2028\"\\\/\b\f\n\r\t",
	"same": 1, "other": 2, "same": 3, "": "", "\ufeff": "\ufeffx"}`

// numberTexts are the ends of all ranges that numbers have, and numbers at random.
func numberTexts() []string {
	texts := []string{
		"0", "-0", "0.0", "-0.0", "1e2", "1E-2", "9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"-9223372036854775809", "1e400", "-1e400", "5e-324", "2e-324", "1.7976931348623157e308", "0.0001", "0.00099", "0.00009999", "1e16", "9999999999999998.0", "1e15", "123456789012345680.0", "1e21", "1e22", "1e23", "1e100", "1e-7",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		f := math.Float64frombits(random.Uint64())
		if random.IntN(2) == 0 {
			f = math.Ldexp(random.Float64()-0.5, random.IntN(90)-30)
		}
		if !math.IsNaN(f) && !math.IsInf(f, 0) {
			texts = append(texts, strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	return texts
}

// notInNode are functions of the library whose part of the host the shim lacks, or has without its price.
var notInNode = []string{"FormatTime", "ParseTime", "GetRegex", "ReplacePattern"}

// TestCasesInNode does the same with the scripts of the conformance cases.
func TestCasesInNode(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	p := newParity(t)
	for _, c := range slices.Concat(loadCases(t, "../../testdata/conformance"), loadCases(t, "../../testdata/conformance/extra")) {
		if strings.Contains(c.Script, "000000") {
			continue // runs until a limit
		}
		wasm, ok := p.module(t, c.ID, c.Script)
		if !ok || slices.ContainsFunc(notInNode, func(f string) bool { return bytes.Contains(wasm, []byte(f)) }) {
			continue
		}
		r := &engine.Request{Variables: c.Variables, Body: c.body(t)}
		values, err := url.ParseQuery(string(c.Query))
		if err != nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			for _, v := range values[name] {
				r.Query = append(r.Query, engine.Pair{Name: name, Value: v})
			}
		}
		p.add(t, c.ID, wasm, r)
	}
	p.check(t)
}

func loadCases(t *testing.T, dir string) []Case {
	t.Helper()
	cases, err := Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// body is the members of a case's body.
func (c *Case) body(t *testing.T) []byte {
	t.Helper()
	if c.Body == nil {
		return nil
	}
	body, err := json.Marshal(c.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestSourceMapInNode maps the places in V8's stack trace of a trap to the script's lines.
func TestSourceMapInNode(t *testing.T) {
	p := newParity(t)
	if _, ok := p.module(t, "deep.avap", "x = 1\nfunction f(n){\n    return(1 + f(n + 1))\n}\n\ny = f(x)\n"); !ok {
		t.Fatal("the script does not compile")
	}
	got := runInNode(t, p.modules, []v8.Request{{Fuel: 1e6, CallDepth: 3, Query: [][2]string{}}})
	want := []string{
		"script.f deep.avap:2:1", "script.f deep.avap:3:5", "script.f deep.avap:3:5", "script.f deep.avap:3:5",
		"script.run deep.avap:6:1",
	}
	if diff := cmp.Diff(want, got[0].Stack); diff != "" || got[0].Message != "recursion too deep" {
		t.Errorf("%s (-want +got):\n%s", got[0].Message, diff)
	}
}

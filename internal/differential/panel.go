package differential

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/reference"
	v8 "github.com/avapd/avapd/internal/v8"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/catalog"
)

// hashSeed is the same everywhere: how dicts collide is part of the price.
const hashSeed = 7

// limits keep a program that grows from costing more than it can show.
var limits = engine.Limits{Fuel: 3_000_000, Duration: 20 * time.Second, MemoryPages: 512, CallDepth: 1000, OutputBytes: 4 << 20}

// way is one way to run a module.
type way struct {
	name       string
	level      compiler.Level
	standalone bool
	host       *engine.Engine
}

// panel has the engines ready. V8 runs many programs at once and is asked for separately.
type panel struct {
	// ways are taken for every program, rare ones for some: their modules take long to compile.
	ways, rare []way
	engines    []*engine.Engine
}

func newPanel() (*panel, error) {
	b := &panel{}
	for _, interpreter := range []bool{false, true} {
		e, err := engine.New(engine.Config{
			Interpreter: interpreter, Limits: limits, HashSeed: func() uint64 { return hashSeed }, CacheBytes: 8 << 20,
		})
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
		b.engines = append(b.engines, e)
	}
	b.ways = []way{
		{"compiled", compiler.OptimizeFully, false, b.engines[0]},
		{"again", compiler.OptimizeFully, false, b.engines[0]}, // on instances that were used before
		{"plain", compiler.OptimizeNothing, false, b.engines[0]},
		{"interpreted", compiler.OptimizeFully, false, b.engines[1]},
	}
	b.rare = []way{{"standalone", compiler.OptimizeFully, true, b.engines[0]}}
	return b, nil
}

func (b *panel) close() error {
	var problems []error
	for _, e := range b.engines {
		problems = append(problems, e.Close(context.Background()))
	}
	return errors.Join(problems...)
}

func (p *program) load(path string) ([]byte, error) {
	text, ok := p.Imports[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

// form is how a module is made.
type form struct {
	level      compiler.Level
	standalone bool
}

func (p *program) compile(f form) (*compiler.Artifact, diag.List) {
	return compiler.Compile(compiler.Source{Name: "script", Text: p.Script}, compiler.Options{
		Logs: p.Logs, Load: p.load, Optimize: f.level, Standalone: f.standalone,
	})
}

// trial is a program with the verdicts on it.
type trial struct {
	program  program
	verdicts []verdict
	// refused has the findings of a compiler that did not take the program.
	refused diag.List
	// module is what V8 is to run; nil if it needs what only the sandbox has.
	module []byte
}

// try runs a program in the given ways.
func (b *panel) try(p *program, ways ...way) (*trial, error) {
	t := &trial{program: *p}
	artifacts := map[form]*compiler.Artifact{}
	for _, w := range ways {
		f := form{w.level, w.standalone}
		if artifacts[f] != nil {
			continue
		}
		artifact, findings := p.compile(f)
		if artifact == nil {
			t.refused = findings
			return t, nil
		}
		artifacts[f] = artifact
	}
	t.verdicts = append(t.verdicts, evaluate(p))
	for _, w := range ways {
		v, err := w.run(p, artifacts[form{w.level, w.standalone}].Wasm)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		t.verdicts = append(t.verdicts, v)
	}
	if full := artifacts[form{}]; runsInV8(full) && !slices.ContainsFunc(t.verdicts[1:], func(v verdict) bool { return v.limited }) {
		t.module = full.Wasm
	}
	return t, nil
}

// notInV8 are functions of the library whose part of the host is missing in testdata/node.
var notInV8 = []string{"FormatTime", "ParseTime", "GetRegex", "ReplacePattern"}

// runsInV8 reports whether the host in testdata/node has what a module imports.
func runsInV8(a *compiler.Artifact) bool {
	return !slices.ContainsFunc(a.Manifest.Imports, func(field string) bool {
		return field != abi.RefuelField && field != abi.ClockField && field != abi.RegisteredField
	}) && !slices.ContainsFunc(notInV8, imported(a.Wasm))
}

// imported tells which fields a module imports.
func imported(module []byte) func(field string) bool {
	b, err := wasm.Decode(module)
	return func(field string) bool {
		return err != nil || slices.ContainsFunc(b.Imports, func(i wasm.Import) bool { return i.Field == field })
	}
}

// evaluate asks the reference.
func evaluate(p *program) verdict {
	r := &reference.Request{
		Variables: []byte(p.Variables), Body: []byte(p.Body), Logs: p.Logs, Load: p.load,
		Parse: syntax.Options{RawParam: catalog.RawParam},
	}
	for _, q := range p.Query {
		r.Query = append(r.Query, reference.Pair{Name: q[0], Text: q[1]})
	}
	o := reference.Evaluate(p.Script, r)
	return verdict{
		engine: "reference", code: o.Code, message: o.Message, line: o.Line, column: o.Column,
		result: o.Result, variables: o.Variables, log: o.Logs, status: o.Status,
		limited: o.Open != "" || o.Refused != nil,
	}
}

var durations = regexp.MustCompile(`,"duration_ms":[-+.e0-9]+`)

// stops are the codes of limits.
var stops = []diag.Code{diag.OutOfFuel, diag.DeadlineReached, diag.OutOfMemory, diag.RecursionLimit, diag.OutputLimit}

func (w *way) run(p *program, module []byte) (verdict, error) {
	r := &engine.Request{Variables: []byte(p.Variables), Body: []byte(p.Body), EchoVariables: true, Logs: p.Logs}
	for _, q := range p.Query {
		r.Query = append(r.Query, engine.Pair{Name: q[0], Value: q[1]})
	}
	answer, err := w.host.RunArtifact(context.Background(), module, r)
	if failure, ok := errors.AsType[*diag.Failure](err); ok {
		if failure.Code == diag.Internal {
			return verdict{}, errors.Join(failure.Cause, errors.New(failure.Message))
		}
		start := failure.Span.Start
		return verdict{
			engine: w.name, code: string(failure.Code), message: failure.Message, line: start.Line, column: start.Column,
			fuel: strconv.FormatInt(failure.Usage.FuelUsed, 10), limited: slices.Contains(stops, failure.Code),
		}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	return verdict{
		engine: w.name, result: string(answer.Result), variables: string(answer.Variables), log: durations.ReplaceAllString(string(answer.Logs), ""),
		status: answer.Status, fuel: strconv.FormatInt(answer.Usage.FuelUsed, 10),
	}, nil
}

// runInV8 adds V8's verdicts to trials, all in one process.
func runInV8(ctx context.Context, trials []*trial) (int, error) {
	var modules []v8.Module
	var requests []v8.Request
	var asked []*trial
	for _, t := range trials {
		if t.module == nil {
			continue
		}
		requests = append(requests, v8.Request{
			Module: len(modules), Variables: t.program.Variables, Body: t.program.Body, Query: append([][2]string{}, t.program.Query...),
			Fuel: limits.Fuel, CallDepth: limits.CallDepth, HashSeed: hashSeed,
		})
		modules, asked = append(modules, v8.Module{Wasm: t.module}), append(asked, t)
	}
	if len(asked) == 0 {
		return 0, nil
	}
	outcomes, err := v8.Run(ctx, "../..", modules, requests)
	if err != nil {
		return 0, err
	}
	for i, o := range outcomes {
		v := verdict{engine: "V8", code: o.Code, message: o.Message, result: o.Result, log: o.Logs, fuel: o.Fuel}
		if len(o.Position) == 2 {
			v.line, v.column = o.Position[0], o.Position[1]
		}
		asked[i].verdicts = append(asked[i].verdicts, v)
	}
	return len(asked), nil
}

package differential

import (
	"cmp"
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
	name string
	form form
	host *engine.Engine
}

// panel has the engines ready. V8 runs many programs at once and is asked for separately.
type panel struct {
	// ways are taken for every program, rare ones for some: their modules take long to compile, or to run.
	ways, rare, slow []way
	engines          []*engine.Engine
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
		{"compiled", formFull, b.engines[0]},
		{"again", formFull, b.engines[0]}, // on instances that were used before
		{"plain", formPlain, b.engines[0]},
		{"interpreted", formFull, b.engines[1]},
	}
	b.rare = []way{{"standalone", formStandalone, b.engines[0]}}
	b.slow = []way{{"interpreted plain", formPlain, b.engines[1]}}
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

var (
	formFull       = form{}
	formPlain      = form{level: compiler.OptimizeNothing}
	formStandalone = form{standalone: true}
)

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
	// artifacts are its modules, and inV8 those that V8 is to run.
	artifacts map[form]*compiler.Artifact
	inV8      []moduleOf
}

// moduleOf is a module with its form.
type moduleOf struct {
	form form
	wasm []byte
}

// try compiles a program and runs it in the given ways.
func (b *panel) try(p *program, ways ...way) (*trial, error) {
	artifacts := map[form]*compiler.Artifact{}
	for _, w := range ways {
		if artifacts[w.form] != nil {
			continue
		}
		artifact, findings := p.compile(w.form)
		if artifact == nil {
			return &trial{program: *p, refused: findings}, nil
		}
		artifacts[w.form] = artifact
	}
	return b.run(p, artifacts, ways)
}

// run runs a program's modules in the given ways. They are for V8, too, if it can run them.
func (b *panel) run(p *program, artifacts map[form]*compiler.Artifact, ways []way) (*trial, error) {
	t := &trial{program: *p, artifacts: artifacts}
	if p.Fuel == 0 {
		t.verdicts = append(t.verdicts, evaluate(p))
	}
	endless := false
	for _, w := range ways {
		v, err := w.run(p, artifacts[w.form])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		t.verdicts = append(t.verdicts, v)
		endless = endless || v.isLimit() && !v.holdsFor(&verdict{inV8: true, fuel: "0"})
	}
	forms := []form{formFull}
	if slices.ContainsFunc(ways, func(w way) bool { return w == b.slow[0] }) {
		forms = append(forms, formPlain)
	}
	for _, f := range forms {
		if a := artifacts[f]; a != nil && !endless && runsInV8(a) {
			t.inV8 = append(t.inV8, moduleOf{f, a.Wasm})
		}
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

// hasChildren reports whether a module starts children.
func hasChildren(a *compiler.Artifact) bool {
	return slices.Contains(a.Manifest.Imports, abi.SpawnField)
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
		open: o.Open != "" || o.Refused != nil,
	}
}

var durations = regexp.MustCompile(`,"duration_ms":[-+.e0-9]+`)

func (w *way) run(p *program, a *compiler.Artifact) (verdict, error) {
	r := &engine.Request{Variables: []byte(p.Variables), Body: []byte(p.Body), EchoVariables: true, Logs: p.Logs, Limits: engine.Limits{Fuel: p.Fuel}}
	for _, q := range p.Query {
		r.Query = append(r.Query, engine.Pair{Name: q[0], Value: q[1]})
	}
	answer, err := w.host.RunArtifact(context.Background(), a.Wasm, r)
	if failure, ok := errors.AsType[*diag.Failure](err); ok {
		if failure.Code == diag.Internal {
			return verdict{}, errors.Join(failure.Cause, errors.New(failure.Message))
		}
		start := failure.Span.Start
		v := verdict{
			engine: w.name, form: w.form, code: string(failure.Code), message: failure.Message, line: start.Line, column: start.Column,
			fuel: strconv.FormatInt(failure.Usage.FuelUsed, 10),
		}
		v.open = v.isLimit() && hasChildren(a)
		return v, nil
	}
	if err != nil {
		return verdict{}, err
	}
	return verdict{
		engine: w.name, form: w.form, result: string(answer.Result), variables: string(answer.Variables), log: durations.ReplaceAllString(string(answer.Logs), ""),
		status: answer.Status, fuel: strconv.FormatInt(answer.Usage.FuelUsed, 10),
	}, nil
}

// runInV8 adds V8's verdicts to trials, all in one process.
func runInV8(ctx context.Context, trials []*trial) error {
	var modules []v8.Module
	var requests []v8.Request
	var seen []func(v verdict)
	for _, t := range trials {
		for _, m := range t.inV8 {
			r := v8.Request{
				Module: len(modules), Variables: t.program.Variables, Body: t.program.Body, Query: append([][2]string{}, t.program.Query...),
				Fuel: cmp.Or(t.program.Fuel, limits.Fuel), CallDepth: limits.CallDepth, HashSeed: hashSeed,
			}
			modules, requests = append(modules, v8.Module{Wasm: m.wasm}), append(requests, r)
			seen = append(seen, func(v verdict) {
				v.form = m.form
				t.verdicts = append(t.verdicts, v)
			})
		}
	}
	if len(modules) == 0 {
		return nil
	}
	outcomes, err := v8.Run(ctx, "../..", modules, requests)
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		v := verdict{engine: "V8", inV8: true, code: o.Code, message: o.Message, result: o.Result, log: o.Logs, fuel: o.Fuel}
		if len(o.Position) == 2 {
			v.line, v.column = o.Position[0], o.Position[1]
		}
		seen[i](v)
	}
	return nil
}

// Package compiler turns AVAP source into a WebAssembly module.
//
// A compilation is a list of named stages (see reading), each of which reads
// what the ones before it made and stops the rest when it finds errors:
//
//	parse   source and imports to trees             package syntax
//	check   names, scopes, arguments                package check
//	lower   trees to the intermediate form          package lower
//	price   fuel, before anything is optimised      package ir
//	fold    constant operations                     package ir
//	prune   statements that cannot be reached       package ir
//	infer   kinds of values and bounds of integers,
//	        with copies of functions for some kinds package ir
//	split   long functions into parts               package ir
//	share   operations that were made before        package ir
//	emit    WebAssembly functions                   package emit
//	encode  bytes and manifest
//
// Nothing here knows how a module is run.
package compiler

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/avapd/avapd/compiler/check"
	"github.com/avapd/avapd/compiler/emit"
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/compiler/lower"
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/catalog"
	"github.com/avapd/avapd/runtime/library"
)

// Version is in the manifest of every artifact; it changes whenever the same source
// compiles to something else.
const Version = "1"

// Source is a script to compile.
type Source struct {
	// Name is what diagnostics call the file; it may be empty.
	Name string
	Text string
}

// Options change what is compiled.
type Options struct {
	// Logs makes the script record every top-level statement.
	Logs bool
	// Debug adds a DWARF line table to the module and makes a source map. The
	// code is the same either way.
	Debug bool
	// Optimize says how much is known about a script before it is emitted. What
	// a script does and what it costs is the same at every level; the lower ones
	// are there to show that.
	Optimize Level
	// Standalone makes one module of the script and what it needs of the guest
	// library. It costs the same fuel.
	Standalone bool
	// Unmetered leaves out all charges, to measure what they cost. What it makes
	// cannot be stopped.
	Unmetered bool
	// Interface names the parameters of the script as a command; nil for those
	// that it reads with addParam.
	Interface []abi.Parameter
	// Detached leaves the manifest out of the module, for who takes it from the
	// artifact: to write it takes a sixth of the time of compiling a short script.
	Detached bool
	// Registered are the names of the commands that are registered where the script
	// will run, sorted; nil when nobody knows. Findings follow it, the module does
	// not: commands come and go.
	Registered []string
	// Load gives the text of a file that the script imports, by the path as
	// written there. Without it, every import is an error.
	Load func(path string) ([]byte, error)
	// GiveWay, if there is one, is called between two stages of what may take long,
	// for who has something more urgent to do.
	GiveWay func()
}

// Level says which passes run between the prices and the emitter.
type Level uint8

// The levels.
const (
	OptimizeFully Level = iota
	// OptimizeNothing takes every value for unknown. Constants are folded all
	// the same: the library charges for what it computes, so folding is part of
	// the price.
	OptimizeNothing
)

// Artifact is a compiled script.
type Artifact struct {
	Wasm     []byte
	Manifest abi.Manifest
	// SourceMap is a source map of version 3, as JSON; with Options.Debug only.
	SourceMap []byte
	// Imports are the files spliced in, by path, with their texts.
	Imports []Source
}

// Compile makes the module of a script. The list holds errors and warnings in
// source order; with an error in it there is no artifact.
func Compile(src Source, opts Options) (*Artifact, diag.List) {
	c := &compilation{source: src, opts: opts}
	c.run(reading, shaping, writing)
	return c.artifact, c.diags.Sorted()
}

// Check finds what is wrong with a script, and what looks wrong, without
// making its module.
func Check(src Source, opts Options) diag.List {
	c := &compilation{source: src, opts: opts}
	c.run(reading)
	if !c.diags.HasErrors() {
		c.diags = append(c.diags, check.Warnings(c.files, c.info)...)
	}
	return c.diags.Sorted()
}

// Intermediate gives the program as the emitter sees it, for people to read.
func Intermediate(src Source, opts Options) (*ir.Program, diag.List) {
	c := &compilation{source: src, opts: opts}
	c.run(reading, shaping)
	return c.program, c.diags.Sorted()
}

type stage struct {
	name string
	run  func(*compilation)
}

// bounds is a variable for the tests, which split everything.
var bounds = ir.DefaultBounds

// regionBytes is a variable for the tests, whose loops give memory back often.
var regionBytes uint32 = emit.RegionBytes

// share is a variable for the benchmark that runs without.
var share = ir.Share

// The stages, in three parts: what a script is, what becomes of it, and its
// module.
var (
	reading = []stage{
		{"parse", (*compilation).parse},
		{"check", (*compilation).check},
	}
	shaping = []stage{
		{"lower", (*compilation).lower},
		{"price", (*compilation).price},
		{"fold", func(c *compilation) { ir.Fold(c.program) }},
		{"prune", func(c *compilation) { ir.Prune(c.program) }},
		{"infer", (*compilation).infer},
		{"split", (*compilation).split},
		{"share", (*compilation).share},
	}
	writing = []stage{
		{"emit", (*compilation).emit},
		{"encode", (*compilation).encode},
	}
)

// compilation is what the stages work on.
type compilation struct {
	source Source
	opts   Options
	diags  diag.List

	files    []*syntax.Script // the main file first
	paths    map[string]int   // imported files by path
	imports  []Source
	info     *check.Info
	program  *ir.Program
	emitted  *emit.Result
	artifact *Artifact
}

func (c *compilation) run(parts ...[]stage) {
	for _, part := range parts {
		for _, s := range part {
			s.run(c)
			if c.diags.HasErrors() {
				return
			}
			if c.opts.GiveWay != nil {
				c.opts.GiveWay()
			}
		}
	}
}

func (c *compilation) check() {
	info, diags := check.Check(c.files, c.opts.Registered)
	c.info = info
	c.diags = append(c.diags, diags...)
}

func (c *compilation) lower() {
	spliced := map[int]bool{}
	c.program = lower.Lower(c.files, c.info, lower.Options{
		Logs: c.opts.Logs,
		Imported: func(_ int, s *syntax.Import) (int, bool) {
			file := c.paths[s.Path]
			first := !spliced[file]
			spliced[file] = true
			return file, first
		},
	})
}

func (c *compilation) price() {
	if !c.opts.Unmetered {
		ir.Price(c.program)
	}
}

func (c *compilation) infer() {
	ir.Infer(c.program)
	ir.Join(c.program)
	ir.Regions(c.program)
	if c.opts.Optimize == OptimizeFully {
		ir.Items(c.program)
		ir.Specialise(c.program)
		ir.Ranges(c.program)
	} else {
		ir.KnowNothing(c.program)
	}
}

func (c *compilation) split() {
	for _, number := range ir.Split(c.program, bounds) {
		c.diags = append(c.diags, diag.New(diag.TooComplex, c.siteSpan(number), "the statement is too complex: it has too many parts that can fail"))
	}
}

func (c *compilation) share() {
	if c.opts.Optimize == OptimizeFully {
		share(c.program)
	}
}

func (c *compilation) siteSpan(number int) diag.Span {
	site := c.program.Sites[number]
	p := diag.Position{File: c.files[site.File].Source.File, Line: site.Line, Column: site.Column}
	return diag.Span{Start: p, End: p}
}

func (c *compilation) emit() {
	if site := c.program.CopiesTooMany; site != 0 {
		c.diags = append(c.diags, diag.New(diag.TooComplex, c.siteSpan(site), "the script is too complex: too many variables are copied between tasks"))
		return
	}
	c.emitted = emit.Emit(c.program, emit.Options{Logs: c.opts.Logs, RegionBytes: regionBytes})
	if c.emitted.TooComplex != "" {
		c.diags = append(c.diags, diag.New(diag.TooComplex, c.start(), "the script is too complex: %s", c.emitted.TooComplex))
	}
}

// start is the place of findings about the script as a whole.
func (c *compilation) start() diag.Span {
	p := diag.Position{File: c.source.Name, Line: 1, Column: 1}
	return diag.Span{Start: p, End: p}
}

func (c *compilation) encode() {
	m := c.manifest()
	module := c.emitted.Module
	if !c.opts.Detached {
		section, err := json.Marshal(m)
		if err != nil {
			// A manifest is plain data; that it cannot be written is our mistake.
			c.diags = append(c.diags, diag.New(diag.Internal, c.start(), "%s", err.Error()))
			return
		}
		module.Customs = append(module.Customs, wasm.Custom{Name: abi.ManifestSection, Bytes: section})
	}
	code, layout := module.EncodeLayout()
	if c.opts.Standalone {
		merged, err := library.Merge(code)
		if err == nil {
			code = merged.Wasm
			layout, err = merged.Layout(&layout)
		}
		if err != nil {
			c.diags = append(c.diags, diag.New(diag.Internal, c.start(), "%s", err.Error()))
			return
		}
	}
	artifact := &Artifact{Wasm: code, Manifest: m, Imports: c.imports}
	if c.opts.Debug {
		if err := c.debug(artifact, &layout); err != nil {
			c.diags = append(c.diags, diag.New(diag.Internal, c.start(), "%s", err.Error()))
			return
		}
	}
	c.artifact = artifact
}

func (c *compilation) manifest() abi.Manifest {
	digest := sha256.Sum256([]byte(c.source.Text))
	m := abi.Manifest{
		Format: abi.ManifestFormat, ABI: abi.Version, Compiler: Version, FuelSchedule: ir.ScheduleVersion,
		SourceSHA256: hex.EncodeToString(digest[:]),
		Globals:      c.program.Globals,
		DataEnd:      c.emitted.DataEnd,
		EntryFuel:    c.emitted.EntryFuel,
		Logs:         c.opts.Logs,
		Imports:      c.emitted.Imports,
		Capabilities: catalog.Capabilities(c.emitted.Imports),
	}
	for _, f := range c.files {
		m.Files = append(m.Files, f.Source.File)
	}
	for _, s := range c.program.Sites {
		m.Sites = append(m.Sites, abi.SourceSite(s))
	}
	for _, e := range c.program.Endpoints {
		m.Endpoints = append(m.Endpoints, abi.Endpoint{
			Path: e.Path, Method: e.Method, Middleware: e.Middleware, Description: e.Description,
			Handler: e.Handler, Output: e.Output, Site: e.Site,
		})
	}
	for _, fn := range c.program.Functions {
		if fn.CopyOf == nil {
			m.Functions = append(m.Functions, fn.Name)
		}
	}
	m.Interface = c.opts.Interface
	if m.Interface == nil {
		for _, name := range c.program.Parameters {
			m.Interface = append(m.Interface, abi.Parameter{Name: name, Kind: abi.ParameterValue})
		}
	}
	for _, t := range c.program.Tasks {
		m.Tasks = append(m.Tasks, task(t))
	}
	m.Needs = needs(c.emitted)
	return m
}

func task(t ir.Task) abi.Task {
	out := abi.Task{Function: t.Func.Number, Globals: t.Globals, Request: t.Request, Block: t.Block}
	if t.Block {
		for _, v := range t.Func.Params {
			out.Locals = append(out.Locals, v.Name)
		}
	}
	return out
}

// needs finds out which parts of the request the script reads.
func needs(r *emit.Result) abi.Needs {
	var n abi.Needs
	for _, f := range r.Module.Funcs {
		if f.Import == nil || f.Import.Module != abi.LibraryModule {
			continue
		}
		switch f.Import.Field {
		case "Param":
			n.Path, n.Query, n.Body, n.Form = true, true, true, true
		case "QueryParamList":
			n.Query = true
		}
	}
	return n
}

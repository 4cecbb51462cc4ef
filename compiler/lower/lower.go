// Package lower turns a checked tree into the intermediate form: it resolves
// names to variables, reads command arguments as section 6 of the language
// says, and spells out everything that is short for something else.
//
// It is one walk in source order and decides nothing by value: constants are
// folded and kinds are found by the passes of package ir, after prices were
// attached.
package lower

import (
	"slices"

	"github.com/avapd/avapd/compiler/check"
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/runtime/catalog"
)

// Options change what is generated.
type Options struct {
	// Logs records every top-level statement.
	Logs bool
	// Entry is the number of the main file; the others are imported by it.
	Entry int
	// Imported gives the file that an import statement splices in, and whether
	// this is where it happens: repeats are ignored.
	Imported func(file int, s *syntax.Import) (int, bool)
}

// lastError is the global that holds the message of the last caught error.
const lastError = "__last_error__"

// Lower makes the program of a script's files.
func Lower(files []*syntax.Script, info *check.Info, opts Options) *ir.Program {
	l := &lowerer{
		files: files, info: info, opts: opts,
		prog:    &ir.Program{Sites: make([]ir.Site, 1), LastError: -1, SQL: info.SQL},
		globals: map[string]int{}, funcs: map[string]*ir.Func{}, tasks: map[*ir.Func]int{},
	}
	main := l.newFunc("", 0)
	for _, f := range info.Functions {
		fn := l.newFunc(f.Decl.Name.Name, len(f.Decl.Params))
		fn.IsHandler = info.Handlers[fn.Name]
		l.funcs[fn.Name] = fn
	}
	l.main(main)
	for _, f := range info.Functions {
		l.function(f, l.funcs[f.Decl.Name.Name])
	}
	l.endpoints(main)
	if l.prog.HasTry {
		l.prog.LastError = l.globalNumber(lastError)
	}
	l.findReach()
	l.findWrites()
	return l.prog
}

type lowerer struct {
	files []*syntax.Script
	info  *check.Info
	opts  Options
	prog  *ir.Program

	globals map[string]int
	funcs   map[string]*ir.Func
	tasks   map[*ir.Func]int
	// copies counts what was written to take over variables of blocks.
	copies int

	// The function at hand.
	fn     *ir.Func
	locals map[string]bool // nil at the top level
	params map[string]*ir.Var
	vars   map[varKey]*ir.Var
	bound  map[string][]*ir.Var // names that comprehensions bind, innermost last

	// The statement at hand.
	file      int
	source    *syntax.Source
	site      int
	line      int
	loopDepth int
	soft      bool // names are read softly
	logging   bool // statements of the list at hand are logged
}

type varKey struct {
	name  string
	scope ir.Scope
}

func (l *lowerer) newFunc(name string, params int) *ir.Func {
	fn := &ir.Func{Name: name, Number: len(l.prog.Functions), Params: make([]*ir.Var, params)}
	l.prog.Functions = append(l.prog.Functions, fn)
	return fn
}

func (l *lowerer) enter(fn *ir.Func, locals map[string]bool, file int) {
	l.fn, l.locals = fn, locals
	l.vars, l.params, l.bound = map[varKey]*ir.Var{}, map[string]*ir.Var{}, map[string][]*ir.Var{}
	l.loopDepth, l.soft, l.logging = 0, false, false
	l.setFile(file)
}

func (l *lowerer) setFile(file int) {
	l.file, l.source = file, l.files[file].Source
}

func (l *lowerer) main(fn *ir.Func) {
	l.enter(fn, nil, l.opts.Entry)
	fn.Site = l.newSite(syntax.Extent{}, "")
	l.logging = l.opts.Logs
	fn.Body = l.stmts(l.files[l.opts.Entry].Body)
}

func (l *lowerer) function(f *check.Function, fn *ir.Func) {
	l.enter(fn, f.Locals, f.File)
	for i, p := range f.Decl.Params {
		v := l.newVar(p.Name, ir.Local)
		fn.Params[i] = v
		l.params[p.Name] = v
		l.vars[varKey{p.Name, ir.Local}] = v
	}
	l.at(f.Decl, fn.Name)
	fn.Site = l.site
	fn.Body = l.stmts(f.Decl.Body)
}

// endpoints copies what is registered. An output that no line mentions is never
// defined, so it needs no global.
func (l *lowerer) endpoints(main *ir.Func) {
	l.fn = main
	for _, e := range l.info.Endpoints {
		l.setFile(slices.IndexFunc(l.files, func(f *syntax.Script) bool { return f.Source == e.Source }))
		l.prog.Endpoints = append(l.prog.Endpoints, ir.Endpoint{
			Path: e.Path, Method: e.Method, Description: e.Description,
			Middleware: e.Middleware, Handler: e.Handler, Output: e.Output,
			Site: l.newSite(e.At, "registerEndpoint"),
		})
	}
}

// at makes the site of a statement.
func (l *lowerer) at(n syntax.Node, command string) {
	l.site = l.newSite(n, command)
	l.line = l.prog.Sites[l.site].Line
}

func (l *lowerer) newSite(n syntax.Node, command string) int {
	p := l.source.Position(n.Start())
	l.prog.Sites = append(l.prog.Sites, ir.Site{
		File: l.file, Line: p.Line, Column: p.Column, Function: l.fn.Number, Command: command,
	})
	return len(l.prog.Sites) - 1
}

// siteOf gives an expression a site of its own when it stands on another line
// than its statement.
func (l *lowerer) siteOf(n syntax.Node) int {
	if p := l.source.Position(n.Start()); p.Line != l.line {
		return l.newSite(n, l.prog.Sites[l.site].Command)
	}
	return 0
}

func (l *lowerer) newVar(name string, scope ir.Scope) *ir.Var {
	v := &ir.Var{Name: name, Scope: scope, Slot: len(l.fn.Vars)}
	l.fn.Vars = append(l.fn.Vars, v)
	return v
}

// hidden makes a variable that scripts cannot see.
func (l *lowerer) hidden(name string) *ir.Var { return l.newVar(name, ir.Hidden) }

func (l *lowerer) globalNumber(name string) int {
	n, ok := l.globals[name]
	if !ok {
		n = len(l.prog.Globals)
		l.globals[name] = n
		l.prog.Globals = append(l.prog.Globals, name)
	}
	return n
}

func (l *lowerer) global(name string) *ir.Var {
	key := varKey{name, ir.Global}
	v, ok := l.vars[key]
	if !ok {
		v = l.newVar(name, ir.Global)
		v.Global = l.globalNumber(name)
		l.vars[key] = v
	}
	return v
}

// variable resolves a name by section 3 of the language.
func (l *lowerer) variable(name string) *ir.Var {
	if stack := l.bound[name]; len(stack) > 0 {
		return stack[len(stack)-1]
	}
	if !l.locals[name] {
		return l.global(name)
	}
	key := varKey{name, ir.Local}
	v, ok := l.vars[key]
	if !ok {
		v = l.newVar(name, ir.Local)
		v.Fallback = l.global(name)
		l.vars[key] = v
	}
	return v
}

func (l *lowerer) bind(name string, v *ir.Var) { l.bound[name] = append(l.bound[name], v) }

func (l *lowerer) unbind(name string) {
	stack := l.bound[name]
	l.bound[name] = stack[:len(stack)-1]
}

// use counts a mention of a variable; mentions in inner loops count more.
func (l *lowerer) use(v *ir.Var) {
	v.Uses++
	if l.loopDepth > 0 {
		v.LoopUses += 1 << (3 * min(l.loopDepth-1, 4))
	}
	if v.Fallback != nil {
		l.use(v.Fallback)
	}
}

// findWrites notes which globals a call of a script function may assign.
func (l *lowerer) findWrites() {
	written := make([]bool, len(l.prog.Globals))
	for _, fn := range l.prog.Functions[1:] {
		ir.WalkStmts(fn.Body, func(s *ir.Stmt) {
			if s.Var != nil && s.Var.Scope == ir.Global {
				written[s.Var.Global] = true
			}
			if s.Op == ir.StmtTry && l.prog.LastError >= 0 {
				written[l.prog.LastError] = true
			}
		})
	}
	for _, t := range l.prog.Tasks {
		for _, g := range t.Globals {
			written[g] = written[g] || t.Block
		}
	}
	l.prog.WrittenByCalls = written
}

// commandOf finds the catalogue's entry for a call.
func commandOf(call *syntax.CommandCall) *catalog.Command {
	c, _ := catalog.LookupCommand(call.Name.Name)
	return c
}

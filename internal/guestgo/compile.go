package guestgo

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

const (
	wasmI32 = wasm.I32
	wasmI64 = wasm.I64
	wasmF64 = wasm.F64
)

// compiler turns a checked program into a module. Functions are compiled when
// the first call to them is, from the exported ones on, so that what nothing
// reaches, or what is inlined everywhere, is not in the module.
type compiler struct {
	*program
	*layout
	module *wasm.Module
	fuel   *wasm.Global
	refuel *wasm.Func
	// unmetered leaves out the charges of all functions.
	unmetered bool

	funcs  map[*types.Func]*wasm.Func
	queue  []*types.Func
	shapes map[*types.Func]shape
}

func newCompiler(p *program) *compiler {
	c := &compiler{
		program: p,
		layout:  newLayout(p),
		module:  &wasm.Module{Name: abi.LibraryModule},
		funcs:   map[*types.Func]*wasm.Func{},
		shapes:  map[*types.Func]shape{},
	}
	c.module.Memory = &wasm.Memory{Limits: wasm.Limits{Min: abi.StartPages}, Exports: []string{abi.MemoryExport}}
	c.fuel = c.module.NewGlobal(abi.FuelExport, wasm.I64, 0)
	c.fuel.Exports = []string{abi.FuelExport}
	for _, imp := range abi.LibraryImports {
		if imp.Field == abi.RefuelField {
			c.refuel = c.module.ImportFunc(abi.HostModule, imp.Field, importType(imp))
		}
	}
	return c
}

func (c *compiler) compile() *Library {
	lib := &Library{Module: c.module}
	fallible := c.fallible()
	for _, fn := range c.order {
		if !fn.Exported() || fn.Signature().Recv() != nil {
			continue
		}
		f := c.function(fn)
		f.Exports = []string{fn.Name()}
		lib.Functions = append(lib.Functions, Function{fn.Name(), f.Type.Params, f.Type.Results, fallible[fn]})
	}
	for len(c.queue) > 0 {
		fn := c.queue[0]
		c.queue = c.queue[1:]
		c.body(fn)
	}
	c.sortFuncs()
	slices.SortFunc(lib.Functions, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	if offset, data := c.segment(); len(data) > 0 {
		c.module.Data = []wasm.Data{{Offset: offset, Bytes: data}}
	}
	lib.DataEnd = c.next()
	if lib.DataEnd > abi.Remembered {
		c.errorf(token.NoPos, "static data ends at %d, behind abi.Remembered", lib.DataEnd)
	}
	return lib
}

// sortFuncs puts defined functions into the order of the sources, so that a
// new call does not move code about.
func (c *compiler) sortFuncs() {
	rank := map[*wasm.Func]int{}
	for i, fn := range c.order {
		if f := c.funcs[fn]; f != nil {
			rank[f] = i + 1
		}
	}
	slices.SortStableFunc(c.module.Funcs, func(a, b *wasm.Func) int { return rank[a] - rank[b] })
}

// function gives the module's function for one of the sources or the host.
func (c *compiler) function(fn *types.Func) *wasm.Func {
	if f := c.funcs[fn]; f != nil {
		return f
	}
	if imp, ok := c.hosts[fn]; ok {
		f := c.module.ImportFunc(abi.HostModule, imp.Field, importType(imp))
		c.funcs[fn] = f
		return f
	}
	f := c.module.NewFunc(funcName(fn), signature(fn.Signature()))
	c.funcs[fn] = f
	c.queue = append(c.queue, fn)
	return f
}

// funcName is Name, or Type.Name for a method.
func funcName(fn *types.Func) string {
	if r := fn.Signature().Recv(); r != nil {
		if named, ok := r.Type().(*types.Named); ok {
			return named.Obj().Name() + "." + fn.Name()
		}
	}
	return fn.Name()
}

// body compiles a function on its own.
func (c *compiler) body(fn *types.Func) {
	d := c.decls[fn]
	g := &gen{compiler: c, f: c.funcs[fn], unmetered: c.unmetered}
	s := newScope([]*types.Func{fn})
	next := 0
	for _, v := range paramVars(fn.Signature()) {
		n := len(parts(v.Type()))
		locals := make([]wasm.Local, n)
		for i := range n {
			locals[i] = g.f.Param(next + i)
		}
		next += n
		s.vars[v] = binding{locals: locals}
	}
	g.scope = s
	g.results(fn.Signature())
	g.stmts(d.Body.List, true)
	if !endsInReturn(d.Body) && fn.Signature().Results().Len() > 0 {
		g.out().Op(wasm.OpUnreachable)
	}
	g.out()
}

// paramVars lists the receiver and the parameters.
func paramVars(sig *types.Signature) []*types.Var {
	var vars []*types.Var
	if r := sig.Recv(); r != nil {
		vars = append(vars, r)
	}
	for v := range sig.Params().Variables() {
		vars = append(vars, v)
	}
	return vars
}

func endsInReturn(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return false
	}
	_, ok := b.List[len(b.List)-1].(*ast.ReturnStmt)
	return ok
}

package guestgo

import (
	"go/ast"
	"go/types"
	"slices"

	"github.com/avapd/avapd/internal/wasm"
)

// gen writes one function of the module.
type gen struct {
	*compiler
	f       *wasm.Func
	scope   *scope
	targets []target
	// held is a local whose set has not been written yet: a get that follows
	// at once turns the pair into a tee.
	held    wasm.Local
	holding bool
	// unmetered is set in a function that says so: its loops pay nothing.
	unmetered bool
}

// scope maps the variables of one function, or one inlined call, to where
// they are.
type scope struct {
	vars map[types.Object]binding
	// active are the functions being written here: the outer one and those
	// inlined into it. None of them is inlined again.
	active []*types.Func
	// results are the variables of named results.
	results []*types.Var
	// exit is the block that an inlined function's return leaves.
	exit    wasm.Label
	inlined bool
	// owned are the locals to give back when the scope ends.
	owned []wasm.Local
}

func newScope(active []*types.Func) *scope {
	return &scope{vars: map[types.Object]binding{}, active: active}
}

// binding is a variable's locals, or for a parameter of an inlined function
// an argument that can be written wherever the parameter stands.
type binding struct {
	locals []wasm.Local
	expr   ast.Expr
	scope  *scope
}

// target is where break and continue go.
type target struct {
	label       string
	isLoop      bool
	end, repeat wasm.Label
}

// out gives the function after the held set was written.
func (g *gen) out() *wasm.Func {
	if g.holding {
		g.holding = false
		g.f.LocalSet(g.held)
	}
	return g.f
}

func (g *gen) get(l wasm.Local) {
	if g.holding && g.held == l {
		g.holding = false
		g.f.LocalTee(l)
		return
	}
	g.out().LocalGet(l)
}

func (g *gen) set(l wasm.Local) {
	g.out()
	g.held, g.holding = l, true
}

// setAll pops into locals, the last one first.
func (g *gen) setAll(locals []wasm.Local) {
	for _, l := range slices.Backward(locals) {
		g.set(l)
	}
}

func (g *gen) getAll(locals []wasm.Local) {
	for _, l := range locals {
		g.get(l)
	}
}

func (g *gen) temps(ts []wasm.ValType) []wasm.Local {
	locals := make([]wasm.Local, len(ts))
	for i, t := range ts {
		locals[i] = g.f.Temp(t)
	}
	return locals
}

// constant pushes a constant given as bits.
func (g *gen) constant(t wasm.ValType, bits uint64) {
	switch t {
	case wasm.I32:
		g.out().I32Const(int32(bits))
	case wasm.I64:
		g.out().I64Const(int64(bits))
	default:
		g.out().F64Const(float64FromBits(bits))
	}
}

// define gives a new variable its locals.
func (g *gen) define(v types.Object) []wasm.Local {
	locals := g.temps(parts(v.Type()))
	g.scope.owned = append(g.scope.owned, locals...)
	g.scope.vars[v] = binding{locals: locals}
	return locals
}

// block runs write and gives back the locals of the variables it defined.
func (g *gen) block(write func()) {
	mark := len(g.scope.owned)
	write()
	g.f.Release(g.scope.owned[mark:]...)
	g.scope.owned = g.scope.owned[:mark]
}

// zero sets locals to zero.
func (g *gen) zero(locals []wasm.Local) {
	for _, l := range locals {
		g.constant(g.f.LocalType(l), 0)
		g.set(l)
	}
}

// results defines the variables of named results.
func (g *gen) results(sig *types.Signature) {
	g.scope.results = nil
	for v := range sig.Results().Variables() {
		if v.Name() == "" {
			return
		}
		g.zero(g.define(v))
		g.scope.results = append(g.scope.results, v)
	}
}

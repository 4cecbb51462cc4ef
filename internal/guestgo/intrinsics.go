package guestgo

import (
	"go/ast"
	"go/constant"

	"github.com/avapd/avapd/internal/wasm"
)

// intrinsic is a function that is one or a few instructions.
type intrinsic struct {
	ops []wasm.Opcode
	// free is set when it has no effect and cannot trap.
	free bool
	// load is set when it could be called free but for a trap.
	load bool
	// write is used instead of ops where the operands need care.
	write func(g *gen, e *ast.CallExpr)
}

func pureOps(ops ...wasm.Opcode) intrinsic { return intrinsic{ops: ops, free: true} }

// intrinsics are the functions of memory_native.go.
var intrinsics map[string]intrinsic

func init() { //nolint:gochecknoinits // a literal would refer to itself through the functions in it
	intrinsics = map[string]intrinsic{
		"load8":   loadOp(wasm.OpI32Load8U, 0),
		"load16":  loadOp(wasm.OpI32Load16U, 1),
		"load32":  loadOp(wasm.OpI32Load, 2),
		"load64":  loadOp(wasm.OpI64Load, 3),
		"store8":  storeOp(wasm.OpI32Store8, 0),
		"store16": storeOp(wasm.OpI32Store16, 1),
		"store32": storeOp(wasm.OpI32Store, 2),
		"store64": storeOp(wasm.OpI64Store, 3),

		"memoryCopy": {write: func(g *gen, e *ast.CallExpr) { g.bulk(e, (*wasm.Func).MemoryCopy) }},
		"memoryFill": {write: func(g *gen, e *ast.CallExpr) { g.bulk(e, (*wasm.Func).MemoryFill) }},
		"memorySize": {write: func(g *gen, _ *ast.CallExpr) { g.out().MemorySize() }},
		"memoryGrow": {write: func(g *gen, e *ast.CallExpr) {
			g.expr(e.Args[0])
			g.out().MemoryGrow()
		}},

		"float64bits":     pureOps(wasm.OpI64ReinterpretF64),
		"float64frombits": pureOps(wasm.OpF64ReinterpretI64),
		"clz32":           pureOps(wasm.OpI32Clz),
		"clz64":           pureOps(wasm.OpI64Clz, wasm.OpI32WrapI64),
		"ctz64":           pureOps(wasm.OpI64Ctz, wasm.OpI32WrapI64),
		"popcnt64":        pureOps(wasm.OpI64Popcnt, wasm.OpI32WrapI64),
		"rotl64":          pureOps(wasm.OpI64ExtendI32U, wasm.OpI64Rotl),
		"floor64":         pureOps(wasm.OpF64Floor),
		"trunc64":         pureOps(wasm.OpF64Trunc),
		"nearest64":       pureOps(wasm.OpF64Nearest),
		"sqrt64":          pureOps(wasm.OpF64Sqrt),
		"abs64":           pureOps(wasm.OpF64Abs),
		"copysign64":      pureOps(wasm.OpF64Copysign),

		"charge":    {write: (*gen).charge},
		"unmetered": {write: func(g *gen, _ *ast.CallExpr) { g.unmetered = true }},

		"trap":    {ops: []wasm.Opcode{wasm.OpUnreachable}},
		"literal": {write: (*gen).literal},
	}
}

func loadOp(op wasm.Opcode, align uint32) intrinsic {
	return intrinsic{load: true, write: func(g *gen, e *ast.CallExpr) {
		offset := g.address(e.Args[0])
		g.out().Mem(op, align, offset)
	}}
}

func storeOp(op wasm.Opcode, align uint32) intrinsic {
	return intrinsic{write: func(g *gen, e *ast.CallExpr) {
		offset := g.address(e.Args[0])
		g.expr(e.Args[1])
		g.out().Mem(op, align, offset)
	}}
}

// Bulk operations move about sixteen bytes in the time of a simple
// instruction, so that many bytes cost a unit of fuel. Small constant sizes
// are covered by the loop that they stand in.
const (
	bulkShift     = 4
	bulkFreeBytes = 64
)

// bulk writes a copy or fill and charges for its length. The fuel is looked
// at by the next loop.
func (g *gen) bulk(e *ast.CallExpr, write func(*wasm.Func)) {
	for _, a := range e.Args {
		g.expr(a)
	}
	if g.unmetered {
		write(g.out())
		return
	}
	if v := g.info.Types[e.Args[2]].Value; v != nil {
		if n, _ := constant.Int64Val(constant.ToInt(v)); n <= bulkFreeBytes {
			write(g.out())
			return
		}
	}
	n := g.f.Temp(wasm.I32)
	g.set(n)
	g.get(n)
	write(g.out())
	f := g.out()
	f.GlobalGet(g.fuel)
	f.LocalGet(n)
	f.I32Const(bulkShift)
	f.Op(wasm.OpI32ShrU, wasm.OpI64ExtendI32U, wasm.OpI64Sub)
	f.GlobalSet(g.fuel)
	f.Release(n)
}

// call writes a call, a conversion, or what stands for it.
func (g *gen) call(e *ast.CallExpr) {
	tv := g.info.Types[e.Fun]
	switch {
	case tv.IsType():
		g.convert(e.Args[0], tv.Type)
		return
	case tv.IsBuiltin():
		g.extremum(e)
		return
	}
	fn, recv := g.callee(e)
	if g.decls[fn] == nil {
		if _, host := g.hosts[fn]; host {
			g.hostCall(fn, e.Args)
		} else {
			g.intrinsic(intrinsics[fn.Name()], e)
		}
		return
	}
	if g.inlineExpr(e, g.expr) || g.inlineChoice(fn, recv, e) || g.inlineBody(fn, recv, e) {
		return
	}
	for _, a := range arguments(recv, e.Args) {
		g.expr(a)
	}
	g.out().Call(g.function(fn))
}

func (g *gen) intrinsic(in intrinsic, e *ast.CallExpr) {
	if in.write != nil {
		in.write(g, e)
		return
	}
	for _, a := range e.Args {
		g.expr(a)
	}
	g.out().Op(in.ops...)
}

// extremum writes min or max of two integers.
func (g *gen) extremum(e *ast.CallExpr) {
	typ := g.info.TypeOf(e)
	t := scalar(typ)
	locals := g.temps([]wasm.ValType{t, t})
	for i, a := range e.Args {
		g.expr(a)
		g.set(locals[i])
	}
	g.getAll(locals)
	g.getAll(locals)
	if e.Fun.(*ast.Ident).Name == "min" {
		g.out().Op(pick(t, signed(typ, wasm.OpI32LtS, wasm.OpI32LtU), signed(typ, wasm.OpI64LtS, wasm.OpI64LtU), 0))
	} else {
		g.out().Op(pick(t, signed(typ, wasm.OpI32GtS, wasm.OpI32GtU), signed(typ, wasm.OpI64GtS, wasm.OpI64GtU), 0))
	}
	g.out().Op(wasm.OpSelect)
	g.f.Release(locals...)
}

package guestgo

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"math"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

func float64FromBits(bits uint64) float64 { return math.Float64frombits(bits) }

// expr pushes all parts of an expression.
func (g *gen) expr(e ast.Expr) {
	if tv := g.info.Types[e]; tv.Value != nil {
		g.constExpr(tv)
		return
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		g.expr(e.X)
	case *ast.Ident:
		g.ident(e)
	case *ast.SelectorExpr:
		from, n := fieldRange(g.info.TypeOf(e.X), g.info.Selections[e].Index()[0])
		g.project(e.X, from, n)
	case *ast.CallExpr:
		g.call(e)
	case *ast.UnaryExpr:
		g.unary(e)
	case *ast.BinaryExpr:
		g.binary(e)
	case *ast.IndexExpr:
		g.index(e)
	case *ast.CompositeLit:
		for _, part := range g.elements(e) {
			g.element(part)
		}
	default:
		g.errorf(e.Pos(), "%s is not available", describe(e))
	}
}

func (g *gen) constExpr(tv types.TypeAndValue) {
	t := scalar(tv.Type)
	if t == 0 {
		t = wasm.I32
	}
	g.constant(t, constBits(tv.Type, tv.Value))
}

func (g *gen) ident(e *ast.Ident) {
	v := g.info.Uses[e]
	if b, ok := g.scope.vars[v]; ok {
		if b.locals != nil {
			g.getAll(b.locals)
			return
		}
		g.within(b.scope, func() { g.expr(b.expr) })
		return
	}
	addr := g.vars[v.(*types.Var)]
	g.out().I32Const(int32(addr))
	g.load(scalar(v.Type()), 0)
}

// within runs write in another scope.
func (g *gen) within(s *scope, write func()) {
	saved := g.scope
	g.scope = s
	write()
	g.scope = saved
}

func (g *gen) load(t wasm.ValType, offset uint32) {
	switch t {
	case wasm.I32:
		g.out().Mem(wasm.OpI32Load, 2, offset)
	case wasm.I64:
		g.out().Mem(wasm.OpI64Load, 3, offset)
	default:
		g.out().Mem(wasm.OpF64Load, 3, offset)
	}
}

func (g *gen) store(t wasm.ValType, offset uint32) {
	switch t {
	case wasm.I32:
		g.out().Mem(wasm.OpI32Store, 2, offset)
	case wasm.I64:
		g.out().Mem(wasm.OpI64Store, 3, offset)
	default:
		g.out().Mem(wasm.OpF64Store, 3, offset)
	}
}

// element is one field of a struct literal; without an expression it is zero.
type element struct {
	expr ast.Expr
	typ  types.Type
}

// elements lists a struct literal's fields in the order of the type.
func (g *gen) elements(e *ast.CompositeLit) []element {
	s := g.info.TypeOf(e).Underlying().(*types.Struct)
	list := make([]element, s.NumFields())
	for i := range list {
		list[i].typ = s.Field(i).Type()
	}
	for i, x := range e.Elts {
		if kv, ok := x.(*ast.KeyValueExpr); ok {
			x = kv.Value
			i = fieldIndex(s, kv.Key.(*ast.Ident).Name)
		}
		list[i].expr = x
	}
	return list
}

func fieldIndex(s *types.Struct, name string) int {
	for i := range s.NumFields() {
		if s.Field(i).Name() == name {
			return i
		}
	}
	return 0
}

func (g *gen) element(part element) {
	if part.expr != nil {
		g.expr(part.expr)
		return
	}
	for _, t := range parts(part.typ) {
		g.constant(t, 0)
	}
}

// project pushes n parts of a struct from the given one on. Where the struct
// is written out, what the others would compute is left out if it has no
// effect.
func (g *gen) project(e ast.Expr, from, n int) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		g.project(x.X, from, n)
		return
	case *ast.Ident:
		b := g.scope.vars[g.info.Uses[x]]
		if b.locals != nil {
			g.getAll(b.locals[from : from+n])
			return
		}
		g.within(b.scope, func() { g.project(b.expr, from, n) })
		return
	case *ast.SelectorExpr:
		outer, _ := fieldRange(g.info.TypeOf(x.X), g.info.Selections[x].Index()[0])
		g.project(x.X, outer+from, n)
		return
	case *ast.CompositeLit:
		if g.projectLiteral(x, from, n) {
			return
		}
	case *ast.CallExpr:
		if g.info.Types[x.Fun].IsType() {
			g.project(x.Args[0], from, n)
			return
		}
		if g.inlineExpr(x, func(body ast.Expr) { g.project(body, from, n) }) {
			return
		}
	}
	g.expr(e)
	g.keep(parts(g.info.TypeOf(e)), from, n)
}

// keep drops all parts on the stack but n.
func (g *gen) keep(ts []wasm.ValType, from, n int) {
	for range len(ts) - from - n {
		g.out().Op(wasm.OpDrop)
	}
	if from == 0 {
		return
	}
	kept := g.temps(ts[from : from+n])
	g.setAll(kept)
	g.out()
	for range from {
		g.out().Op(wasm.OpDrop)
	}
	g.getAll(kept)
	g.f.Release(kept...)
}

func (g *gen) projectLiteral(e *ast.CompositeLit, from, n int) bool {
	list := g.elements(e)
	at := 0
	var wanted []element
	for _, part := range list {
		size := len(parts(part.typ))
		switch {
		case at >= from && at+size <= from+n:
			wanted = append(wanted, part)
		case part.expr != nil && !g.pure(part.expr):
			return false
		case at < from+n && at+size > from:
			return false
		}
		at += size
	}
	for _, part := range wanted {
		g.element(part)
	}
	return true
}

func (g *gen) unary(e *ast.UnaryExpr) {
	t := scalar(g.info.TypeOf(e))
	switch e.Op {
	case token.NOT:
		g.negated(e.X)
	case token.SUB:
		if t == wasm.F64 {
			g.expr(e.X)
			g.out().Op(wasm.OpF64Neg)
			return
		}
		g.constant(t, 0)
		g.expr(e.X)
		g.out().Op(pick(t, wasm.OpI32Sub, wasm.OpI64Sub, 0))
	case token.XOR:
		g.expr(e.X)
		g.constant(t, math.MaxUint64)
		g.out().Op(pick(t, wasm.OpI32Xor, wasm.OpI64Xor, 0))
	default:
		g.expr(e.X)
	}
}

// pick chooses the instruction for a type.
func pick(t wasm.ValType, i32, i64, f64 wasm.Opcode) wasm.Opcode {
	switch t {
	case wasm.I32:
		return i32
	case wasm.I64:
		return i64
	}
	return f64
}

// signed chooses between an instruction for signed and one for unsigned
// integers.
func signed(t types.Type, s, u wasm.Opcode) wasm.Opcode {
	if isSigned(t) {
		return s
	}
	return u
}

func (g *gen) binary(e *ast.BinaryExpr) {
	switch e.Op {
	case token.LAND, token.LOR:
		g.logical(e)
		return
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		g.compare(e, true)
		return
	}
	g.expr(e.X)
	g.operand(e.Op, e.X, e.Y)
	g.operate(e.Op, g.info.TypeOf(e))
}

// operate applies an operator to the two operands on the stack.
func (g *gen) operate(op token.Token, typ types.Type) {
	if op == token.AND_NOT || op == token.AND_NOT_ASSIGN {
		t := scalar(typ)
		g.constant(t, math.MaxUint64)
		g.out().Op(pick(t, wasm.OpI32Xor, wasm.OpI64Xor, 0), pick(t, wasm.OpI32And, wasm.OpI64And, 0))
		return
	}
	g.out().Op(arithmetic(op, typ))
}

// operand pushes the right operand; a shift's count gets the type of the left
// one, and loses a mask that the instruction applies by itself.
func (g *gen) operand(op token.Token, x, y ast.Expr) {
	if op != token.SHL && op != token.SHR && op != token.SHL_ASSIGN && op != token.SHR_ASSIGN {
		g.expr(y)
		return
	}
	t := scalar(g.info.TypeOf(x))
	if v := g.info.Types[y].Value; v != nil {
		n, _ := constant.Int64Val(constant.ToInt(v))
		g.constant(t, uint64(n))
		return
	}
	limit := int64(32)
	if t == wasm.I64 {
		limit = 64
	}
	count, _ := g.masked(y, limit)
	g.expr(count)
	from := g.info.TypeOf(count)
	switch {
	case scalar(from) == wasm.I32 && t == wasm.I64:
		g.out().Op(wasm.OpI64ExtendI32U)
	case scalar(from) == wasm.I64 && t == wasm.I32:
		g.out().Op(wasm.OpI32WrapI64)
	}
}

func arithmetic(op token.Token, typ types.Type) wasm.Opcode {
	t := scalar(typ)
	switch op {
	case token.ADD, token.ADD_ASSIGN:
		return pick(t, wasm.OpI32Add, wasm.OpI64Add, wasm.OpF64Add)
	case token.SUB, token.SUB_ASSIGN:
		return pick(t, wasm.OpI32Sub, wasm.OpI64Sub, wasm.OpF64Sub)
	case token.MUL, token.MUL_ASSIGN:
		return pick(t, wasm.OpI32Mul, wasm.OpI64Mul, wasm.OpF64Mul)
	case token.QUO, token.QUO_ASSIGN:
		return pick(t, signed(typ, wasm.OpI32DivS, wasm.OpI32DivU), signed(typ, wasm.OpI64DivS, wasm.OpI64DivU), wasm.OpF64Div)
	case token.REM, token.REM_ASSIGN:
		return pick(t, signed(typ, wasm.OpI32RemS, wasm.OpI32RemU), signed(typ, wasm.OpI64RemS, wasm.OpI64RemU), 0)
	case token.AND, token.AND_ASSIGN:
		return pick(t, wasm.OpI32And, wasm.OpI64And, 0)
	case token.OR, token.OR_ASSIGN:
		return pick(t, wasm.OpI32Or, wasm.OpI64Or, 0)
	case token.XOR, token.XOR_ASSIGN:
		return pick(t, wasm.OpI32Xor, wasm.OpI64Xor, 0)
	case token.SHL, token.SHL_ASSIGN:
		return pick(t, wasm.OpI32Shl, wasm.OpI64Shl, 0)
	case token.SHR, token.SHR_ASSIGN:
		return pick(t, signed(typ, wasm.OpI32ShrS, wasm.OpI32ShrU), signed(typ, wasm.OpI64ShrS, wasm.OpI64ShrU), 0)
	}
	return wasm.OpUnreachable
}

// index reads an element of a table.
func (g *gen) index(e *ast.IndexExpr) {
	table := g.info.Uses[ast.Unparen(e.X).(*ast.Ident)].(*types.Var)
	elem := table.Type().Underlying().(*types.Array).Elem()
	base := g.vars[table]
	size := uint32(elementSize(elem))
	if v := g.info.Types[e.Index].Value; v != nil {
		i, _ := constant.Int64Val(constant.ToInt(v))
		g.out().I32Const(int32(base + size*uint32(i)))
		base = 0
	} else {
		g.expr(e.Index)
		if scalar(g.info.TypeOf(e.Index)) == wasm.I64 {
			g.out().Op(wasm.OpI32WrapI64)
		}
		if shift := map[uint32]int32{2: 1, 4: 2, 8: 3}[size]; shift > 0 {
			g.out().I32Const(shift)
			g.out().Op(wasm.OpI32Shl)
		}
	}
	switch size {
	case 1:
		g.out().Mem(wasm.OpI32Load8U, 0, base)
	case 2:
		g.out().Mem(wasm.OpI32Load16U, 1, base)
	default:
		g.load(scalar(elem), base)
	}
}

// convert pushes a conversion between numbers. Floats beyond the integer's
// range saturate.
func (g *gen) convert(x ast.Expr, to types.Type) {
	from := g.info.TypeOf(x)
	g.expr(x)
	f, t := scalar(from), scalar(to)
	if small(from) {
		f = wasm.I32
	}
	switch {
	case f == t || t == 0:
	case f == wasm.I32 && t == wasm.I64:
		g.out().Op(signed(from, wasm.OpI64ExtendI32S, wasm.OpI64ExtendI32U))
	case f == wasm.I64 && t == wasm.I32:
		g.out().Op(wasm.OpI32WrapI64)
	case t == wasm.F64:
		g.out().Op(pick(f, signed(from, wasm.OpF64ConvertI32S, wasm.OpF64ConvertI32U), signed(from, wasm.OpF64ConvertI64S, wasm.OpF64ConvertI64U), 0))
	default:
		g.out().Op(pick(t, signed(to, wasm.OpI32TruncSatF64S, wasm.OpI32TruncSatF64U), signed(to, wasm.OpI64TruncSatF64S, wasm.OpI64TruncSatF64U), 0))
	}
}

// foldLimit bounds the constants that may become a load's or store's offset;
// the package comment says why there is a bound.
const foldLimit = 1 << 16

// address pushes an address without its constant summands and gives their
// sum, for use as the instruction's offset.
func (g *gen) address(e ast.Expr) uint32 {
	return g.addressPlus(e, 0)
}

func (g *gen) addressPlus(e ast.Expr, offset uint32) uint32 {
	if tv := g.info.Types[e]; tv.Value != nil {
		g.constant(wasm.I32, constBits(tv.Type, tv.Value)+uint64(offset))
		return 0
	}
	switch x := e.(type) {
	case *ast.ParenExpr:
		return g.addressPlus(x.X, offset)
	case *ast.Ident:
		if b, ok := g.scope.vars[g.info.Uses[x]]; ok && b.locals == nil {
			g.within(b.scope, func() { offset = g.addressPlus(b.expr, offset) })
			return offset
		}
	case *ast.CallExpr:
		if g.info.Types[x.Fun].IsType() && sameBits(g.info.TypeOf(x.Args[0]), g.info.TypeOf(x)) {
			return g.addressPlus(x.Args[0], offset)
		}
		sum := offset
		if !g.info.Types[x.Fun].IsType() && g.inlineExpr(x, func(body ast.Expr) { sum = g.addressPlus(body, offset) }) {
			return sum
		}
	case *ast.BinaryExpr:
		if x.Op != token.ADD {
			break
		}
		for _, s := range [2][2]ast.Expr{{x.X, x.Y}, {x.Y, x.X}} {
			if tv := g.info.Types[s[1]]; tv.Value != nil {
				if c := constBits(tv.Type, tv.Value); c+uint64(offset) < foldLimit {
					return g.addressPlus(s[0], offset+uint32(c))
				}
			}
		}
	}
	g.expr(e)
	return offset
}

// literal pushes a text that lies in the library's data.
func (g *gen) literal(e *ast.CallExpr) {
	s := constant.StringVal(g.info.Types[e.Args[0]].Value)
	tag := int32(abi.KindText | abi.FlagASCII)
	for i := range len(s) {
		if s[i] >= 0x80 {
			tag = abi.KindText
		}
	}
	g.out().I32Const(tag)
	g.out().I64Const(int64(uint64(g.compiler.literal(s)) | uint64(len(s))<<32))
}

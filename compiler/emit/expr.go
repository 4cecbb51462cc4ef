package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// rep is how an expression's value lies on the operand stack.
type rep uint8

const (
	pair    rep = iota // tag i32, payload i64
	integer            // i64
	float              // f64
	boolean            // i32, 0 or 1
)

func (r rep) types() []wasm.ValType {
	switch r {
	case integer:
		return []wasm.ValType{wasm.I64}
	case float:
		return []wasm.ValType{wasm.F64}
	case boolean:
		return []wasm.ValType{wasm.I32}
	}
	return []wasm.ValType{wasm.I32, wasm.I64}
}

// tag is that of values which lie on the stack without one.
func (r rep) tag() int32 {
	switch r {
	case integer:
		return abi.KindInt
	case float:
		return abi.KindFloat
	default:
		return abi.KindBool
	}
}

// result gives the types in which a script function yields a value of this
// form: always the tag first, as it may be that of a failure.
func (r rep) result() []wasm.ValType {
	types := []wasm.ValType{wasm.I32}
	if r == pair {
		return append(types, wasm.I64)
	}
	return append(types, r.types()...)
}

// pushZero leaves what stands for a value after a failure.
func (r rep) pushZero(f *wasm.Func) {
	switch r {
	case float:
		f.F64Const(0)
	case boolean:
		f.I32Const(0)
	default:
		f.I64Const(0)
	}
}

func repOfKinds(k ir.Kinds) rep {
	switch k {
	case ir.Int:
		return integer
	case ir.Float:
		return float
	case ir.Bool:
		return boolean
	}
	return pair
}

// rep tells in which form natural leaves an expression.
func (u *unit) rep(x *ir.Expr) rep {
	switch x.Op {
	case ir.OpInt:
		return integer
	case ir.OpFloat:
		return float
	case ir.OpBool, ir.OpDefined, ir.OpCompare, ir.OpNot, ir.OpTruth, ir.OpIsKind, ir.OpIfCompare:
		return boolean
	case ir.OpBinary, ir.OpUnary:
		return u.arithmeticRep(x)
	case ir.OpLoad, ir.OpCall, ir.OpHost, ir.OpKeep, ir.OpKept:
		return repOfKinds(x.Type)
	case ir.OpAnd, ir.OpOr:
		for _, a := range x.Args {
			if u.rep(a) != boolean {
				return pair
			}
		}
		return boolean
	case ir.OpCond:
		if value, known := x.Args[0].Decide(); known {
			return u.rep(x.Args[2-b2i(value)])
		}
		return u.common(x.Args[1], x.Args[2])
	case ir.OpSoft:
		return u.common(x.Args[0], x.Args[1])
	case ir.OpDo:
		return u.rep(x.Args[0])
	case ir.OpLib:
		return repOfKinds(x.Type)
	}
	return pair
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (u *unit) common(x, y *ir.Expr) rep {
	if r := u.rep(x); r == u.rep(y) {
		return r
	}
	return pair
}

// value leaves an expression as a pair.
func (u *unit) value(x *ir.Expr) {
	switch u.rep(x) {
	case integer:
		u.f.I32Const(abi.KindInt)
	case float:
		u.f.I32Const(abi.KindFloat)
	case boolean:
		u.f.I32Const(abi.KindBool)
	default:
		u.natural(x)
		return
	}
	u.payload(x)
}

// payload leaves the payload of an expression that is no pair.
func (u *unit) payload(x *ir.Expr) {
	u.natural(x)
	u.toPayload(u.rep(x))
}

// toPayload makes a payload of a value on the stack that has the form r.
func (u *unit) toPayload(r rep) { r.toPayload(u.f) }

func (r rep) toPayload(f *wasm.Func) {
	switch r {
	case float:
		f.Op(wasm.OpI64ReinterpretF64)
	case boolean:
		f.Op(wasm.OpI64ExtendI32U)
	}
}

// fromPayload is the way back.
func (r rep) fromPayload(f *wasm.Func) {
	switch r {
	case float:
		f.Op(wasm.OpF64ReinterpretI64)
	case boolean:
		f.Op(wasm.OpI32WrapI64)
	}
}

// unboxed leaves an expression in the form r, in which values of its kinds lie.
func (u *unit) unboxed(x *ir.Expr, r rep) {
	if r == pair {
		u.value(x)
		return
	}
	u.natural(x)
	if own := u.rep(x); own != r {
		if own == pair {
			u.keepPayload()
		}
		own.toPayload(u.f)
		r.fromPayload(u.f)
	}
}

// int leaves an expression known to be an integer as i64.
func (u *unit) int(x *ir.Expr) {
	u.natural(x)
	if u.rep(x) == pair {
		u.keepPayload()
	}
}

// keepPayload drops the tag of a pair.
func (u *unit) keepPayload() {
	p := u.f.Temp(wasm.I64)
	u.f.LocalSet(p)
	u.f.Op(wasm.OpDrop)
	u.f.LocalGet(p)
	u.f.Release(p)
}

// number leaves an expression known to be an integer or a float as f64.
func (u *unit) number(x *ir.Expr) {
	switch {
	case x.Op == ir.OpInt:
		u.f.F64Const(float64(x.Int))
	case x.Type == ir.Int:
		u.int(x)
		u.f.Op(wasm.OpF64ConvertI64S)
	default:
		u.int(x)
		if u.rep(x) == pair {
			u.f.Op(wasm.OpF64ReinterpretI64)
		}
	}
}

// drop computes an expression for its effect.
func (u *unit) drop(x *ir.Expr) {
	if u.fastEffect(x) || u.status(x) {
		return
	}
	u.natural(x)
	u.f.Op(wasm.OpDrop)
	if u.rep(x) == pair {
		u.f.Op(wasm.OpDrop)
	}
}

// truth leaves whether an expression counts as true, as i32 0 or 1.
func (u *unit) truth(x *ir.Expr) {
	if x.Op == ir.OpAnd || x.Op == ir.OpOr {
		u.truthChain(x)
		return
	}
	switch u.rep(x) {
	case boolean:
		u.natural(x)
	case integer:
		u.natural(x)
		u.f.I64Const(0)
		u.f.Op(wasm.OpI64Ne)
	case float:
		u.natural(x)
		u.f.F64Const(0)
		u.f.Op(wasm.OpF64Ne)
	default:
		u.value(x)
		u.pairTruth(x.Type)
	}
}

func (u *unit) pairTruth(k ir.Kinds) {
	f := u.f
	switch {
	case k.Is(ir.Text):
		u.keepPayload()
		f.I64Const(32)
		f.Op(wasm.OpI64ShrU)
		f.I64Const(0)
		f.Op(wasm.OpI64Ne)
	case k.Is(ir.Null):
		f.Op(wasm.OpDrop, wasm.OpDrop)
		f.I32Const(0)
	case u.hot() && k.May(ir.Bool|ir.Int) && !k.Is(ir.List|ir.Dict|ir.Text|ir.Null):
		u.fastTruth()
	default:
		u.call("Truthy")
	}
}

// fastTruth tests booleans and integers in place.
func (u *unit) fastTruth() {
	f := u.f
	t, p := f.Temp(wasm.I32), f.Temp(wasm.I64)
	f.LocalSet(p)
	f.LocalTee(t)
	f.I32Const(abi.KindBool)
	f.Op(wasm.OpI32Sub)
	f.I32Const(2) // bool and int are neighbours
	f.Op(wasm.OpI32LtU)
	f.If(wasm.I32)
	f.LocalGet(p)
	f.I64Const(0)
	f.Op(wasm.OpI64Ne)
	f.Else()
	f.LocalGet(t)
	f.LocalGet(p)
	u.call("Truthy")
	f.End()
	f.Release(t, p)
}

// hot reports whether code at this point is likely to run often, so that fast
// paths are worth their compile time.
func (u *unit) hot() bool { return u.fn.Number != 0 || len(u.loops) > 0 }

// natural leaves an expression in the form rep tells.
func (u *unit) natural(x *ir.Expr) {
	f := u.f
	switch x.Op {
	case ir.OpMissing:
		f.I32Const(abi.KindUndefined)
		f.I64Const(0)
	case ir.OpNull:
		f.I32Const(abi.KindNull)
		f.I64Const(0)
	case ir.OpBool:
		f.I32Const(int32(x.Int))
	case ir.OpInt:
		f.I64Const(x.Int)
	case ir.OpFloat:
		f.F64Const(x.Float)
	case ir.OpText:
		tag, payload := u.e.text(x.Text)
		f.I32Const(tag)
		f.I64Const(payload)
	case ir.OpLoad:
		u.load(x)
	case ir.OpBinary:
		u.binary(x)
	case ir.OpUnary:
		u.unary(x)
	case ir.OpCompare, ir.OpIfCompare:
		u.compare(x)
	case ir.OpLib:
		u.libCall(x)
	case ir.OpHost:
		u.hostCall(x)
	case ir.OpCall:
		u.scriptCall(x)
	case ir.OpNewList, ir.OpNewDict:
		u.display(x)
	case ir.OpConcat:
		u.concat(x)
	default:
		u.control(x)
	}
}

// control writes expressions that decide what is computed.
func (u *unit) control(x *ir.Expr) {
	f := u.f
	switch x.Op {
	case ir.OpDefined:
		u.defined(x)
	case ir.OpNot:
		u.truth(x.Args[0])
		f.Op(wasm.OpI32Eqz)
	case ir.OpTruth:
		u.truth(x.Args[0])
	case ir.OpIsKind:
		u.isKind(x)
	case ir.OpAnd, ir.OpOr:
		u.chain(x)
	case ir.OpCond:
		u.cond(x)
	case ir.OpDo:
		u.stmts(x.Body)
		u.natural(x.Args[0])
	case ir.OpSoft:
		u.softly(x)
	case ir.OpKeep:
		u.keepValue(x)
	case ir.OpKept:
		for _, l := range u.kept[x.Var.Slot] {
			f.LocalGet(l)
		}
	}
}

// keepValue leaves a value and has it in locals from here on.
func (u *unit) keepValue(x *ir.Expr) {
	f := u.f
	r := repOfKinds(x.Type)
	u.unboxed(x.Args[0], r)
	locals := make([]wasm.Local, len(r.types()))
	for i, t := range r.types() {
		locals[i] = f.NewLocal(t)
	}
	u.kept[x.Var.Slot] = locals
	last := len(locals) - 1
	for i := last; i > 0; i-- {
		f.LocalSet(locals[i])
	}
	f.LocalTee(locals[0])
	for _, l := range locals[1:] {
		f.LocalGet(l)
	}
}

// as leaves x in the form r, which is its own or a pair.
func (u *unit) as(x *ir.Expr, r rep) {
	if r == pair {
		u.value(x)
		return
	}
	u.natural(x)
}

func (u *unit) cond(x *ir.Expr) {
	test, then, otherwise := x.Args[0], x.Args[1], x.Args[2]
	if value, known := test.Decide(); known {
		if value {
			u.natural(then)
		} else {
			u.natural(otherwise)
		}
		return
	}
	r := u.rep(x)
	u.truth(test)
	u.f.If(r.types()...)
	site := u.site
	u.as(then, r)
	after := u.site
	u.f.Else()
	u.site, u.slot = site, 0
	u.as(otherwise, r)
	u.f.End()
	u.mergeSite(after)
}

// mergeSite joins what two ways know about the site cell.
func (u *unit) mergeSite(other int) {
	u.slot = 0
	if u.site != other {
		u.site = 0
	}
}

// softly computes the first operand; an undefined name in it leads to the
// second.
func (u *unit) softly(x *ir.Expr) {
	r, f := u.rep(x), u.f
	done := f.Block(r.types()...)
	soft := f.Block()
	u.softs = append(u.softs, soft)
	u.as(x.Args[0], r)
	u.softs = u.softs[:len(u.softs)-1]
	f.Br(done)
	f.End()
	u.forget()
	u.as(x.Args[1], r)
	f.End()
	u.forget()
}

// truthChain leaves the truth of `and` or `or`.
func (u *unit) truthChain(x *ir.Expr) {
	f := u.f
	done := f.Block(wasm.I32)
	for i, a := range x.Args {
		u.truth(a)
		if i == len(x.Args)-1 {
			break
		}
		t := f.Temp(wasm.I32)
		f.LocalTee(t)
		f.LocalGet(t)
		f.Release(t)
		u.leaveChain(x, done)
		f.Op(wasm.OpDrop)
	}
	f.End()
	u.forget()
}

// leaveChain leaves when the truth on the stack decides `and` or `or`.
func (u *unit) leaveChain(x *ir.Expr, done wasm.Label) {
	if x.Op == ir.OpAnd {
		u.f.Op(wasm.OpI32Eqz)
	}
	u.f.BrIf(done)
}

// chain is `and` or `or`: the value of the operand that decides.
func (u *unit) chain(x *ir.Expr) {
	if u.rep(x) == boolean {
		u.truthChain(x)
		return
	}
	f := u.f
	done := f.Block(pair.types()...)
	for i, a := range x.Args {
		if i == len(x.Args)-1 {
			u.value(a)
			break
		}
		u.heldTruth(a)
		u.leaveChain(x, done)
		f.Op(wasm.OpDrop, wasm.OpDrop)
	}
	f.End()
	u.forget()
}

// heldTruth leaves a pair and on top whether it counts as true.
func (u *unit) heldTruth(x *ir.Expr) {
	f := u.f
	t, p := f.Temp(wasm.I32), f.Temp(wasm.I64)
	u.value(x)
	f.LocalSet(p)
	f.LocalSet(t)
	for range 2 {
		f.LocalGet(t)
		f.LocalGet(p)
	}
	f.Release(t, p)
	u.pairTruth(x.Type)
}

func (u *unit) isKind(x *ir.Expr) {
	f := u.f
	if value, known := x.Decide(); known {
		f.I32Const(int32(b2i(value)))
		return
	}
	a := x.Args[0]
	u.value(a)
	f.Op(wasm.OpDrop)
	if tag, ok := singleKind(x.Kinds); ok {
		f.I32Const(tag)
		f.Op(wasm.OpI32Eq)
		return
	}
	// The kind's bit in the set: set >> kind & 1.
	t := f.Temp(wasm.I32)
	f.LocalSet(t)
	f.I32Const(int32(x.Kinds))
	f.LocalGet(t)
	f.I32Const(abi.KindMask)
	f.Op(wasm.OpI32And)
	f.Op(wasm.OpI32ShrU)
	f.I32Const(1)
	f.Op(wasm.OpI32And)
	f.Release(t)
}

// mayBeUndefined reports whether one of the variables of x may be undefined, so
// that somebody has to look.
func mayBeUndefined(x *ir.Expr, i int) bool {
	return i >= len(x.BeforeAll) || x.BeforeAll[i].May(ir.Undef)
}

func (u *unit) defined(x *ir.Expr) {
	f := u.f
	tests := 0
	for i, v := range x.Vars {
		if !mayBeUndefined(x, i) {
			continue
		}
		u.pushTag(u.at(v))
		if v.Fallback != nil {
			u.pushTag(u.at(v.Fallback))
			f.Op(wasm.OpI32Or)
		}
		f.I32Const(0)
		f.Op(wasm.OpI32Ne)
		if tests++; tests > 1 {
			f.Op(wasm.OpI32And)
		}
	}
	if tests == 0 {
		f.I32Const(1)
	}
}

// load reads a variable as its mode says.
func (u *unit) load(x *ir.Expr) {
	v := x.Var
	if v.Fallback != nil && x.Before.May(ir.Undef) {
		u.loadFallback(x)
		return
	}
	at := u.at(v)
	if v.Scope != ir.Hidden && x.Mode != ir.Raw && x.Before.May(ir.Undef) {
		u.check(x, at)
	}
	u.pushAs(at, x.Type)
}

// pushAs leaves a variable in the form its kinds have.
func (u *unit) pushAs(at *place, k ir.Kinds) {
	f := u.f
	switch repOfKinds(k) {
	case integer:
		u.pushPayload(at)
	case float:
		if at.isFloat {
			f.LocalGet(at.payload)
			return
		}
		u.pushPayload(at)
		f.Op(wasm.OpF64ReinterpretI64)
	case boolean:
		u.pushPayload(at)
		f.Op(wasm.OpI32WrapI64)
	default:
		if tag, ok := singleKind(k); ok {
			f.I32Const(tag)
		} else {
			u.pushTag(at)
		}
		u.pushPayload(at)
	}
}

// check leaves when a variable is undefined.
func (u *unit) check(x *ir.Expr, at *place) {
	if x.Mode == ir.Soft {
		u.pushTag(at)
		u.f.Op(wasm.OpI32Eqz)
		u.f.BrIf(u.softs[len(u.softs)-1])
		return
	}
	u.coldIf(x.Site, x.Var.Name, func() {
		u.pushTag(at)
		u.f.Op(wasm.OpI32Eqz)
	})
}

// loadFallback reads a local, or the global of its name while it is not
// assigned.
func (u *unit) loadFallback(x *ir.Expr) {
	f := u.f
	r := repOfKinds(x.Type)
	local, global := u.at(x.Var), u.at(x.Var.Fallback)
	u.pushTag(local)
	f.If(r.types()...)
	u.pushAs(local, x.Type)
	f.Else()
	if x.Mode != ir.Raw && (len(x.BeforeAll) == 0 || x.BeforeAll[0].May(ir.Undef)) {
		u.check(x, global)
	}
	u.pushAs(global, x.Type)
	f.End()
}

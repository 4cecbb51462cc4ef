package emit

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// quiet are library functions that can neither fail nor allocate nor take long,
// and so need no site.
var quiet = map[string]bool{
	"ListLen": true, "ListAt": true, "UnpackItem": true, "Is": true, "TypeName": true, "Truthy": true,
}

// libCall calls a library function and leaves its result as rep tells.
func (u *unit) libCall(x *ir.Expr) {
	if isSpecial(x) {
		u.special(x)
		return
	}
	if u.fastResult(x) {
		return
	}
	u.libArguments(x)
	u.f.Call(u.e.lib(x.Lib))
	switch _, results, _ := strings.Cut(x.Lib.Sig, ":"); results {
	case "V":
		u.pairResult(x.Type, x.Lib.Fallible)
	case "i":
		u.statusResult(x)
	default:
		u.natural(&ir.Expr{Op: ir.OpNull})
	}
}

// untested leaves the pair that a library function gives, which may be that of
// a failure. It reports whether x is of that kind; if not, it writes nothing.
func (u *unit) untested(x *ir.Expr) bool {
	switch {
	case x.Op == ir.OpLib && x.Lib.Fallible && strings.HasSuffix(x.Lib.Sig, ":V") && !isSpecial(x):
		u.libArguments(x)
		u.f.Call(u.e.lib(x.Lib))
		return true
	case x.Op == ir.OpBinary && !u.inPlace(x):
		u.libraryBinary(x)
		return true
	}
	return false
}

// status writes a call that is made for its effect, and tests for failure. It
// reports whether x is of that kind; if not, it writes nothing.
func (u *unit) status(x *ir.Expr) bool {
	if x.Op != ir.OpLib || !x.Lib.Fallible || isSpecial(x) {
		return false
	}
	u.libArguments(x)
	u.f.Call(u.e.lib(forKinds(x)))
	if strings.HasSuffix(x.Lib.Sig, ":V") {
		u.f.Op(wasm.OpDrop)
	}
	u.failIfNegative()
	return true
}

// forKinds is the library function that the one of x calls for such operands, and
// else that one.
func forKinds(x *ir.Expr) *ir.Lib {
	if x.Lib.Name == "SetIndex" && x.Args[0].Type == ir.Dict {
		return ir.Library("DictSet")
	}
	return x.Lib
}

func (u *unit) libArguments(x *ir.Expr) {
	params, _, _ := strings.Cut(x.Lib.Sig, ":")
	for i, a := range x.Args {
		if params[i] == 'i' {
			u.f.I32Const(int32(a.Int))
			continue
		}
		u.value(a)
	}
	if !quiet[x.Lib.Name] {
		u.setSite(x.Site)
	}
}

// pairResult tests a value for failure and leaves it in the form of its kinds.
func (u *unit) pairResult(k ir.Kinds, fallible bool) {
	f := u.f
	r := repOfKinds(k)
	if r == pair && !fallible {
		return
	}
	p := f.Temp(wasm.I64)
	f.LocalSet(p)
	switch {
	case r == pair:
		t := f.Temp(wasm.I32)
		f.LocalTee(t)
		u.failIfNegative()
		f.LocalGet(t)
		f.Release(t)
	case fallible:
		u.failIfNegative()
	default:
		f.Op(wasm.OpDrop)
	}
	f.LocalGet(p)
	switch r {
	case float:
		f.Op(wasm.OpF64ReinterpretI64)
	case boolean:
		f.Op(wasm.OpI32WrapI64)
	}
	f.Release(p)
}

func (u *unit) failIfNegative() {
	u.f.I32Const(0)
	u.f.Op(wasm.OpI32LtS)
	u.failIf()
}

// statusResult tests an i32 result, negative for failure.
func (u *unit) statusResult(x *ir.Expr) {
	f := u.f
	if x.Lib.Fallible {
		t := f.Temp(wasm.I32)
		f.LocalTee(t)
		u.failIfNegative()
		f.LocalGet(t)
		f.Release(t)
	}
	switch x.Lib.Result {
	case ir.Int:
		f.Op(wasm.OpI64ExtendI32U)
		if repOfKinds(x.Type) == pair { // code that is never reached
			u.repair(ir.Int)
		}
	case ir.Bool:
		if repOfKinds(x.Type) == pair {
			f.Op(wasm.OpI64ExtendI32U)
			u.repair(ir.Bool)
		}
	default:
		f.Op(wasm.OpDrop)
		u.natural(&ir.Expr{Op: ir.OpNull})
	}
}

// repair puts the tag under a payload.
func (u *unit) repair(k ir.Kinds) {
	p := u.f.Temp(wasm.I64)
	tag, _ := singleKind(k)
	u.f.LocalSet(p)
	u.f.I32Const(tag)
	u.f.LocalGet(p)
	u.f.Release(p)
}

// isSpecial reports whether the outcome of a call is known from the kinds.
func isSpecial(x *ir.Expr) bool {
	if len(x.Args) == 0 {
		return false
	}
	a := x.Args[0].Type
	switch x.Lib.Name {
	case "CommandAddVar":
		return a != 0 && !a.May(ir.Text) && x.Type == a
	case "Str", "ToText":
		return a.Is(ir.Text)
	case "LoopBound":
		return a.Is(ir.Int)
	case "Iterable":
		return a.Is(ir.List)
	}
	return false
}

// special writes a call whose outcome is known.
func (u *unit) special(x *ir.Expr) {
	a := x.Args[0]
	switch {
	case x.Lib.Name == "LoopBound":
		u.int(a)
	case x.Lib.Name != "CommandAddVar":
		u.value(a)
	case u.rep(a) == u.rep(x):
		u.natural(a)
	default:
		u.natural(a)
		u.fixRep(a, x)
	}
}

// fixRep turns what a left into the form of x; both are of the same kinds.
func (u *unit) fixRep(a, x *ir.Expr) {
	f := u.f
	switch {
	case u.rep(a) == pair:
		u.keepPayload()
		switch u.rep(x) {
		case float:
			f.Op(wasm.OpF64ReinterpretI64)
		case boolean:
			f.Op(wasm.OpI32WrapI64)
		}
	case u.rep(x) == pair:
		switch u.rep(a) {
		case float:
			f.Op(wasm.OpI64ReinterpretF64)
		case boolean:
			f.Op(wasm.OpI64ExtendI32U)
		}
		u.repair(x.Type)
	}
}

// scriptCall calls a script function. The site goes to this call's slot in the
// call stack just before the call, since arguments may call functions too.
func (u *unit) scriptCall(x *ir.Expr) {
	f := u.f
	u.pushFrame()
	f.I32Const(stackSlot)
	f.Op(wasm.OpI32Add)
	for i, a := range x.Args {
		r := pair
		if x.Callee.Reached {
			r = repOfKinds(x.Callee.ParamKinds[i])
		}
		u.unboxed(a, r)
	}
	site := x.Site
	if site == 0 {
		site = u.stmtSite
	}
	if u.slot != site {
		u.pushFrame()
		f.I32Const(int32(site))
		f.Mem(wasm.OpI32Store, 2, 0)
	}
	u.mark(site)
	if x.Callee.Reached {
		f.Call(u.e.funcs[x.Callee.Number])
	} else { // only code behind a jump calls it
		f.Op(wasm.OpUnreachable)
	}
	u.site, u.slot = 0, site
	if r := repOfKinds(x.Callee.Result); r != pair && x.Callee.Reached {
		u.unboxedResult(r, repOfKinds(x.Type))
	} else {
		u.pairResult(x.Type, true)
	}
}

// unboxedResult tests a result of the form r for failure and leaves it in the
// form that the caller expects, which in code that never runs may be another.
func (u *unit) unboxedResult(r, want rep) {
	f := u.f
	v := f.Temp(r.types()[0])
	f.LocalSet(v)
	u.failIfNegative()
	if want == pair {
		f.I32Const(r.tag())
	}
	f.LocalGet(v)
	if want != r {
		r.toPayload(f)
		want.fromPayload(f)
	}
	f.Release(v)
}

// display builds a list or dict. Where code runs often, it is written cell by
// cell: nobody else knows it before it is finished, so that its cells stay where
// they were made, and a length of zero keeps collections from looking at them.
func (u *unit) display(x *ir.Expr) {
	f := u.f
	u.setSite(x.Site)
	if x.Op == ir.OpNewList && len(x.Args) >= minTable && x.AllConst() {
		u.table(x)
		return
	}
	t, p := f.Temp(wasm.I32), f.Temp(wasm.I64)
	push := func() { f.LocalGet(t); f.LocalGet(p) }
	if x.Op == ir.OpNewList {
		f.I32Const(int32(len(x.Args)))
		u.call("NewList")
	} else {
		f.I32Const(int32(len(x.Args) / 2))
		u.call("NewDict")
	}
	f.LocalSet(p)
	f.LocalSet(t)
	switch {
	case u.hot() && (x.Op == ir.OpNewList || hasNewKeys(x)):
		u.cellByCell(x, p)
	case x.Op == ir.OpNewDict:
		u.entries(x, push)
	default:
		for _, a := range x.Args {
			push()
			u.value(a)
			u.setSite(x.Site)
			u.call("Push")
		}
	}
	push()
	f.Release(t, p)
}

// hasNewKeys reports whether the keys of a dict display are different texts.
// Then none has to be looked for.
func hasNewKeys(x *ir.Expr) bool {
	seen := map[string]bool{}
	for i := 0; i < len(x.Args); i += 2 {
		key := x.Args[i]
		if key.Op != ir.OpText || seen[key.Text] {
			return false
		}
		seen[key.Text] = true
	}
	return true
}

// cellByCell fills a new list or dict, in which the cells follow the header.
// The entry of a dict is two cells.
func (u *unit) cellByCell(x *ir.Expr, payload wasm.Local) {
	f := u.f
	header := f.Temp(wasm.I32)
	f.LocalGet(payload)
	f.Op(wasm.OpI32WrapI64)
	f.LocalSet(header)
	offset, lengths, length := uint32(abi.ListSize), []uint32{abi.ListLen}, len(x.Args)
	if x.Op == ir.OpNewDict {
		offset, lengths, length = abi.DictSize, []uint32{abi.DictUsed, abi.DictCount}, length/2
	}
	if length > 0 { // the check of the last address does for all
		f.LocalGet(header)
		f.Mem(wasm.OpI32Load8U, 0, offset+uint32(len(x.Args))*abi.CellSize-1)
		f.Op(wasm.OpDrop)
	}
	for _, a := range x.Args {
		o := u.hold(a)
		f.LocalGet(header)
		u.pushOperandPayload(o)
		f.Mem(wasm.OpI64Store, 3, offset+abi.CellPayload)
		f.LocalGet(header)
		u.pushOperandTag(o)
		f.Mem(wasm.OpI32Store, 2, offset+abi.CellTag)
		u.release(o)
		offset += abi.CellSize
	}
	for _, at := range lengths {
		f.LocalGet(header)
		f.I32Const(int32(length))
		f.Mem(wasm.OpI32Store, 2, at)
	}
	f.Release(header)
}

// entries sets the keys of a dict display; push puts the dict on the stack. A
// key that is none fails when all entries have been computed.
func (u *unit) entries(x *ir.Expr, push func()) {
	f := u.f
	var bad badKey
	isNew := hasNewKeys(x)
	last := len(x.Args) - 2
	for i := 0; i <= last; i += 2 {
		key := x.Args[i]
		push()
		u.value(key)
		waits := i < last && key.Type.May(ir.List|ir.Dict|ir.Conn)
		if waits {
			u.look(&bad)
		}
		u.value(x.Args[i+1])
		u.setSite(x.Site)
		if i == last && bad.used {
			u.failBadKey(&bad, push)
		}
		if isNew {
			u.call("DictAdd")
			continue
		}
		u.call("DictSet")
		if waits || key.IsConst() { // a constant is always a good key
			f.Op(wasm.OpDrop)
		} else {
			u.failIfNegative()
		}
	}
}

// badKey is the first key of a display that is none; its tag is that of null
// if there is no such key.
type badKey struct {
	used    bool
	tag     wasm.Local
	payload wasm.Local
}

// look takes note of the key on the stack if it is none, and leaves it there.
func (u *unit) look(bad *badKey) {
	f := u.f
	if !bad.used {
		*bad = badKey{used: true, tag: f.Temp(wasm.I32), payload: f.Temp(wasm.I64)}
		f.I32Const(abi.KindNull)
		f.LocalSet(bad.tag)
	}
	tag, payload := f.Temp(wasm.I32), f.Temp(wasm.I64)
	f.LocalSet(payload)
	f.LocalTee(tag)
	f.I32Const(abi.KindMask)
	f.Op(wasm.OpI32And)
	f.I32Const(abi.KindText)
	f.Op(wasm.OpI32GtU)
	f.LocalGet(bad.tag)
	f.I32Const(abi.KindNull)
	f.Op(wasm.OpI32Eq, wasm.OpI32And)
	f.If()
	f.LocalGet(tag)
	f.LocalSet(bad.tag)
	f.LocalGet(payload)
	f.LocalSet(bad.payload)
	f.End()
	f.LocalGet(tag)
	f.LocalGet(payload)
	f.Release(tag, payload)
}

// failBadKey fails if a key was none, by setting it once more.
func (u *unit) failBadKey(bad *badKey, push func()) {
	f := u.f
	f.LocalGet(bad.tag)
	f.I32Const(abi.KindNull)
	f.Op(wasm.OpI32Ne)
	f.If()
	push()
	f.LocalGet(bad.tag)
	f.LocalGet(bad.payload)
	f.I32Const(abi.KindNull)
	f.I64Const(0)
	u.call("DictSet")
	u.failIfNegative()
	f.End()
	f.Release(bad.tag, bad.payload)
}

// concat joins parts from left to right, as many at once as the library takes.
// What has been joined is the first part of the next, which lets the library
// append in place.
func (u *unit) concat(x *ir.Expr) {
	if u.e.prog.SQL || len(x.Args) == 1 {
		u.concatParts(x)
		return
	}
	u.value(x.Args[0])
	for rest := x.Args[1:]; len(rest) > 0; {
		name, n := "Join3", 2
		if len(rest) > n {
			name, n = "Join6", 5
		}
		for i := range n {
			if i < len(rest) {
				u.value(rest[i])
			} else {
				u.natural(&ir.Expr{Op: ir.OpText})
			}
		}
		rest = rest[min(n, len(rest)):]
		u.setSite(x.Site)
		u.call(name)
	}
}

// concatParts joins texts one by one.
func (u *unit) concatParts(x *ir.Expr) {
	for i, a := range x.Args {
		u.value(a)
		u.forgetParts()
		if i > 0 {
			u.setSite(x.Site)
			u.call("Concat")
		}
	}
}

// forgetParts makes a text on the stack one that is neither constant nor has
// parts: only templates and + keep values apart.
func (u *unit) forgetParts() {
	if !u.e.prog.SQL {
		return
	}
	f := u.f
	p := f.Temp(wasm.I64)
	f.LocalSet(p)
	f.I32Const(^(abi.FlagConst | abi.FlagParts))
	f.Op(wasm.OpI32And)
	f.LocalGet(p)
	f.Release(p)
}

// minTable is the number of constants from which a list is copied from the
// data as a whole.
const minTable = 8

// table makes a list of constants: its cells lie in the data.
func (u *unit) table(x *ir.Expr) {
	f := u.f
	t, p, list := f.Temp(wasm.I32), f.Temp(wasm.I64), f.Temp(wasm.I32)
	f.I32Const(int32(len(x.Args)))
	u.call("NewList")
	f.LocalTee(p)
	f.Op(wasm.OpI32WrapI64)
	f.LocalSet(list)
	f.LocalSet(t)
	f.LocalGet(list)
	f.Mem(wasm.OpI32Load, 2, abi.ListCells)
	f.I32Const(int32(u.e.cells(x.Args)))
	f.I32Const(int32(len(x.Args)) * abi.CellSize)
	f.MemoryCopy()
	f.LocalGet(list)
	f.I32Const(int32(len(x.Args)))
	f.Mem(wasm.OpI32Store, 2, abi.ListLen)
	f.LocalGet(t)
	f.LocalGet(p)
	f.Release(t, p, list)
}

// cells places constants in the data and gives the offset of the first.
func (e *emitter) cells(list []*ir.Expr) uint32 {
	var cells []byte
	for _, c := range list {
		tag, payload := e.constant(c)
		cells = binary.LittleEndian.AppendUint32(cells, uint32(tag))
		cells = binary.LittleEndian.AppendUint32(cells, 0)
		cells = binary.LittleEndian.AppendUint64(cells, uint64(payload))
	}
	offset := e.dataBase + uint32(len(e.data))
	e.data = append(e.data, cells...)
	return offset
}

// constant gives the tag and payload of a constant.
func (e *emitter) constant(c *ir.Expr) (tag int32, payload int64) {
	switch c.Op {
	case ir.OpBool:
		return abi.KindBool, c.Int
	case ir.OpInt:
		return abi.KindInt, c.Int
	case ir.OpFloat:
		return abi.KindFloat, int64(math.Float64bits(c.Float))
	case ir.OpText:
		return e.text(c.Text)
	}
	return abi.KindNull, 0
}

package ir

import "slices"

// expr finds the kinds of an expression's value and notes them in it.
func (in *inferer) expr(x *Expr) Kinds {
	in.budget--
	k := in.kinds(x)
	x.Type |= k
	return k
}

func (in *inferer) args(x *Expr) {
	for _, a := range x.Args {
		in.expr(a)
	}
}

// kinds finds the kinds of an expression that looks at variables, decides what is
// computed, or computes; operation does those of the rest.
func (in *inferer) kinds(x *Expr) Kinds {
	switch x.Op {
	case OpLoad:
		return in.load(x)
	case OpDefined:
		in.noteAll(x)
		return Bool
	case OpAnd, OpOr:
		return in.chain(x)
	case OpCond:
		k := Kinds(0)
		in.branches(x.Args[0], func() { k |= in.expr(x.Args[1]) }, func() { k |= in.expr(x.Args[2]) })
		return k
	case OpDo:
		in.stmts(x.Body)
		if in.dead {
			return 0
		}
		return in.expr(x.Args[0])
	case OpSoft:
		return in.softly(x)
	case OpBinary:
		return binaryKinds(x.Operator, in.expr(x.Args[0]), in.expr(x.Args[1]))
	case OpUnary:
		return unaryKinds(x.Operator, in.expr(x.Args[0]))
	}
	in.args(x)
	return in.operation(x)
}

// operation finds the kinds of an operation whose operands have been looked at.
func (in *inferer) operation(x *Expr) Kinds {
	switch x.Op {
	case OpCompare, OpIfCompare, OpNot, OpTruth, OpIsKind:
		return Bool
	case OpLib:
		return in.lib(x)
	case OpHost:
		return in.host(x)
	case OpCall:
		in.callee(x, x.Args)
		in.killGlobals()
		return x.Callee.Result
	case OpNewList:
		for _, a := range x.Args {
			in.store(x, a.Type)
		}
		return List
	case OpNewDict:
		return Dict
	case OpConcat:
		return Text
	}
	return x.constant()
}

// constant is the kind of a constant.
func (x *Expr) constant() Kinds {
	switch x.Op {
	case OpMissing:
		return Undef
	case OpNull:
		return Null
	case OpBool:
		return Bool
	case OpInt:
		return Int
	case OpFloat:
		return Float
	case OpText:
		return Text
	}
	return Unknown
}

func (in *inferer) host(x *Expr) Kinds {
	if x.Callee != nil {
		in.callee(x, x.Args[1].Args)
	}
	if x.Host.Name == "gather" {
		in.killGlobals()
	}
	return x.Host.Result
}

func (in *inferer) load(x *Expr) Kinds {
	slot := x.Var.Slot
	k := in.cur[slot]
	x.Before |= k
	if g := x.Var.Fallback; g != nil && k&Undef != 0 {
		if x.BeforeAll == nil {
			x.BeforeAll = make([]Kinds, 1)
		}
		x.BeforeAll[0] |= in.cur[g.Slot]
		k = k&^Undef | in.cur[g.Slot]
	} else if x.Mode != Raw && k&Undef != 0 {
		in.set(slot, k&^Undef)
	}
	if x.Mode != Raw {
		k &^= Undef
	}
	return k
}

func (in *inferer) noteAll(x *Expr) {
	if x.BeforeAll == nil {
		x.BeforeAll = make([]Kinds, len(x.Vars))
	}
	for i, v := range x.Vars {
		k := in.cur[v.Slot]
		if v.Fallback != nil && k&Undef != 0 {
			k = k&^Undef | in.cur[v.Fallback.Slot]
		}
		x.BeforeAll[i] |= k
	}
}

// chain is `and` or `or`: each operand but the first may not be computed.
func (in *inferer) chain(x *Expr) Kinds {
	k := in.expr(x.Args[0])
	mark, dead := len(in.trail), in.dead
	skipped := path{map[int]Kinds{}, dead}
	in.assume(x.Args[0], x.Op == OpAnd)
	for i, a := range x.Args[1:] {
		k |= in.expr(a)
		if i < len(x.Args)-2 {
			in.assume(a, x.Op == OpAnd)
		}
	}
	in.dead = dead
	in.join(skipped, in.endPath(mark))
	return k
}

// softly joins the ways with and without an undefined name.
func (in *inferer) softly(x *Expr) Kinds {
	mark := len(in.trail)
	k := in.expr(x.Args[0])
	all := path{in.snapshot(mark), in.dead}
	in.rollback(mark)
	in.dead = false
	k |= in.expr(x.Args[1])
	in.join(all, in.endPath(mark))
	return k
}

// callee takes up the function that x calls or starts with these arguments.
func (in *inferer) callee(x *Expr, args []*Expr) {
	grown := !x.Callee.Reached
	if x.Callee.ParamKinds == nil {
		x.Callee.ParamKinds = make([]Kinds, len(x.Callee.Params))
	}
	for i, a := range args {
		k := a.Type
		if old := x.Callee.ParamKinds[i]; old|k != old {
			x.Callee.ParamKinds[i] |= k
			grown = true
		}
	}
	if in.callers[x.Callee] == nil {
		in.callers[x.Callee] = map[*Func]bool{}
	}
	in.callers[x.Callee][in.fn] = true
	if grown && !in.unknown {
		in.reach(x.Callee)
	}
}

func (in *inferer) lib(x *Expr) Kinds {
	first := Unknown
	if len(x.Args) > 0 {
		first = x.Args[0].Type
	}
	switch x.Lib.Name {
	case "CommandAddVar":
		k := first &^ Undef
		if first&Undef != 0 {
			k |= Null
		}
		if first.May(Text) {
			k |= Int
		}
		return k
	case "Abs":
		return unaryKinds(Neg, first)
	case "Round":
		if x.Args[1].Op == OpMissing {
			return Int
		}
		kinds := unaryKinds(Neg, first)
		if x.Args[1].Type.May(Null | Undef) {
			kinds |= Int // no digits: a whole number
		}
		return kinds
	case "Index":
		if first.Is(Text) {
			return Text
		}
		return in.read(x.Args[0])
	case "MethodPop", "ListAt", "UnpackItem":
		return in.read(x.Args[0])
	case "SetIndex":
		in.store(x.Args[0], x.Args[2].Type)
		x.Facts &^= SameKind
		if k := in.read(x.Args[0]); k.isScalar() && k == x.Args[2].Type {
			x.Facts |= SameKind
		}
	case "MethodInsert", "MethodAppend", "Push":
		in.store(x.Args[0], x.Args[x.stored()].Type)
	case "Slice":
		return first & (Text | List)
	}
	return x.Lib.Result
}

// assume narrows variables by the outcome of a test that has just been made.
func (in *inferer) assume(test *Expr, outcome bool) {
	switch test.Op {
	case OpNot:
		in.assume(test.Args[0], !outcome)
	case OpTruth:
		in.assume(test.Args[0], outcome)
	case OpSoft:
		if outcome {
			in.assume(test.Args[0], true)
		}
	case OpAnd:
		if outcome && !changesState(test) {
			for _, a := range test.Args {
				in.assume(a, true)
			}
		}
	case OpDefined:
		if outcome {
			for _, v := range test.Vars {
				if k := in.cur[v.Slot] &^ Undef; v.Fallback == nil && k != 0 {
					in.set(v.Slot, k)
				}
			}
		}
	case OpIsKind:
		x := test.Args[0]
		if x.Op != OpLoad || x.Var.Fallback != nil {
			return
		}
		k := in.cur[x.Var.Slot] & test.Kinds
		if !outcome {
			k = in.cur[x.Var.Slot] &^ test.Kinds
		}
		if k != 0 {
			in.set(x.Var.Slot, k)
		}
	}
}

// changesState reports whether computing x may assign a variable, so that what
// one operand tested need not hold any more after the next.
func changesState(x *Expr) bool {
	if x.Op == OpDo || x.Op == OpCall || x.Op == OpHost {
		return true
	}
	return slices.ContainsFunc(x.Args, changesState)
}

// Decide tells the outcome of a test whose operands are known well enough.
func (x *Expr) Decide() (value, known bool) {
	switch x.Op {
	case OpBool:
		return x.Int != 0, true
	case OpNot:
		v, known := x.Args[0].Decide()
		return !v, known
	case OpDefined:
		for _, k := range x.BeforeAll {
			if k.May(Undef) {
				return false, false
			}
		}
		return true, len(x.BeforeAll) == len(x.Vars)
	case OpIsKind:
		a := x.Args[0]
		if a.Op != OpLoad && !a.IsConst() {
			return false, false
		}
		if a.Op == OpLoad && a.Mode != Raw && a.Before.May(Undef) && a.Var.Scope != Hidden {
			return false, false
		}
		switch {
		case a.Type.Is(x.Kinds):
			return true, true
		case a.Type != 0 && a.Type&x.Kinds == 0:
			return false, true
		}
	}
	return false, false
}

const intLike = Int | Bool

// arithmetic is what + - * % make of numbers.
func arithmetic(a, b Kinds) Kinds {
	k := Kinds(0)
	if a&intLike != 0 && b&intLike != 0 {
		k |= Int
	}
	if a&Float != 0 && b&(number|Bool) != 0 || b&Float != 0 && a&(number|Bool) != 0 {
		k |= Float
	}
	return k
}

func binaryKinds(o Operator, a, b Kinds) Kinds {
	k := arithmetic(a, b)
	switch o {
	case Add:
		return k | a&b&(Text|List)
	case Sub:
		return k
	case Mul:
		if b&intLike != 0 {
			k |= a & (Text | List)
		}
		if a&intLike != 0 {
			k |= b & (Text | List)
		}
		return k
	case Div:
		if k != 0 {
			return Float
		}
		return 0
	case Mod:
		return k | a&Text
	case Pow:
		if k&Int != 0 {
			k |= Float
		}
		return k
	case BitAnd, BitOr, BitXor:
		bits := a & b & Bool
		if a&Int != 0 && b&intLike != 0 || b&Int != 0 && a&intLike != 0 {
			bits |= Int
		}
		if o == BitOr {
			bits |= a & b & Dict
		}
		return bits
	case Shl, Shr:
		return k & Int
	}
	return Any
}

func unaryKinds(o Operator, a Kinds) Kinds {
	k := Kinds(0)
	if a&intLike != 0 {
		k = Int
	}
	if o != Invert {
		k |= a & Float
	}
	return k
}

package ir

import "slices"

// What Share may share, and what changes the operands of that.

// weightOf is about how many instructions an operation takes, or 0 for what is
// not shared: what may be done by the library and cost fuel there.
func weightOf(x *Expr) int {
	switch x.Op {
	case OpUnary:
		return b2i(x.Operator == Neg && x.Args[0].Type.Is(number))
	case OpBinary:
		return weightOfBinary(x)
	case OpLib:
		list := x.Args
		switch {
		case x.Lib.Name == "Index" && list[0].Type.Is(List) && list[1].Type.Is(Int):
			return 8
		case x.Lib.Name == "Len" && (list[0].Type.Is(List) || list[0].Type.Is(Dict)):
			return 3
		}
	}
	return 0
}

func weightOfBinary(x *Expr) int {
	a, b := x.Args[0].Type, x.Args[1].Type
	switch {
	case !a.Is(number) || !b.Is(number):
		return 0
	case a == Int && b == Int:
		return weightOfInts(x)
	case x.Operator != Add && x.Operator != Sub && x.Operator != Mul:
		// Where the library divides integers that are no floats exactly, that
		// costs fuel.
		return 10 * b2i(x.Operator == Div && (a == Float || b == Float))
	case !a.isBare() || !b.isBare():
		return 12
	}
	return 1
}

func weightOfInts(x *Expr) int {
	switch x.Operator {
	case Add, Sub:
		return 1 + 2*b2i(!x.Facts.Has(NoOverflow))
	case Mul:
		return 2 + 6*b2i(!x.Facts.Has(NoOverflow))
	case Mod:
		return 6
	case BitAnd, BitOr, BitXor:
		return 1
	case Shl, Shr:
		if c := x.Args[1]; c.Op == OpInt && c.Int >= 0 && c.Int < 64 {
			return 2
		}
	}
	return 0
}

// memory is the slot of the items or the lengths of a class of lists.
func (s *sharer) memory(list *Expr, length bool) int {
	if list.items == nil || !list.Type.Is(List) || list.items.root().unknown {
		return len(s.fn.Vars) + unknownItems + b2i(length)
	}
	class := list.items.root()
	if s.classes == nil {
		s.classes = map[*items]int{}
	}
	if s.classes[class] == 0 {
		s.classes[class] = len(s.versions)
		s.grow(2)
	}
	return s.classes[class] + b2i(length)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// effects notes what an operation changes when it is made.
func (s *sharer) effects(x *Expr) {
	switch x.Op {
	case OpCall, OpHost:
		s.changeLists()
	case OpLib:
		if !slices.ContainsFunc(x.Args, func(a *Expr) bool { return a.Type.May(List | Dict | Conn) }) {
			return
		}
		switch x.Lib.Name {
		case "MethodGet":
		case "SetIndex":
			s.store(x.Args[0], !x.Args[0].Type.Is(List))
		case "MethodAppend", "Push":
			s.store(x.Args[0], true)
		case "MethodSort", "MethodReverse", "MethodRemove", "MethodPop":
			s.changeLists()
		default:
			if e := effects[x.Lib.Name]; e == spoils || e == puts {
				s.changeLists()
			}
		}
	}
}

// store notes that something is stored in a list or dict.
func (s *sharer) store(list *Expr, grows bool) {
	if !list.Type.Is(List) {
		s.changeLists()
		return
	}
	s.change(s.memory(list, false))
	if grows {
		s.change(s.memory(list, true))
	}
}

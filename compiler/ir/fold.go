package ir

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// maxFoldedBytes bounds texts put together at compile time.
const maxFoldedBytes = 4096

// Fold evaluates operations on constants that cannot fail.
func Fold(p *Program) {
	for _, fn := range p.Functions {
		foldStmts(fn.Body)
	}
}

func foldStmts(list []*Stmt) {
	for _, s := range list {
		foldExpr(s.X)
		foldExpr(s.Y)
		foldStmts(s.Then)
		foldStmts(s.Else)
	}
}

// IsConst reports whether x is a constant.
func (x *Expr) IsConst() bool {
	switch x.Op {
	case OpMissing, OpNull, OpBool, OpInt, OpFloat, OpText:
		return true
	}
	return false
}

// AllConst reports whether all operands are constants.
func (x *Expr) AllConst() bool {
	for _, a := range x.Args {
		if !a.IsConst() {
			return false
		}
	}
	return true
}

// become turns x into a constant, in place.
func (x *Expr) become(c Expr) {
	c.Site = x.Site
	*x = c
}

func foldExpr(x *Expr) {
	if x == nil {
		return
	}
	for _, a := range x.Args {
		foldExpr(a)
	}
	foldStmts(x.Body)
	switch x.Op {
	case OpBinary:
		foldBinary(x)
	case OpUnary:
		foldUnary(x)
	case OpConcat:
		foldConcat(x)
	case OpNot, OpTruth:
		if v, ok := constTruth(x.Args[0]); ok {
			x.become(boolConst(v != (x.Op == OpNot)))
		}
	case OpCompare, OpIfCompare:
		foldCompare(x)
	case OpLib:
		foldLib(x)
	}
}

func boolConst(v bool) Expr {
	if v {
		return Expr{Op: OpBool, Int: 1}
	}
	return Expr{Op: OpBool}
}

func constTruth(x *Expr) (value, known bool) {
	switch x.Op {
	case OpNull:
		return false, true
	case OpBool, OpInt:
		return x.Int != 0, true
	case OpFloat:
		return x.Float != 0, true
	case OpText:
		return x.Text != "", true
	}
	return false, false
}

func foldBinary(x *Expr) {
	a, b := x.Args[0], x.Args[1]
	switch {
	case a.Op == OpInt && b.Op == OpInt:
		if v, ok := foldInts(x.Operator, a.Int, b.Int); ok {
			x.become(Expr{Op: OpInt, Int: v})
		}
	case a.Op == OpFloat && b.Op == OpFloat:
		switch x.Operator {
		case Add:
			x.become(Expr{Op: OpFloat, Float: a.Float + b.Float})
		case Sub:
			x.become(Expr{Op: OpFloat, Float: a.Float - b.Float})
		case Mul:
			x.become(Expr{Op: OpFloat, Float: a.Float * b.Float})
		}
	case a.Op == OpText && b.Op == OpText && x.Operator == Add:
		if len(a.Text)+len(b.Text) <= maxFoldedBytes {
			x.become(Expr{Op: OpText, Text: a.Text + b.Text})
		}
	}
}

func foldInts(o Operator, a, b int64) (int64, bool) {
	switch o {
	case Add:
		r := a + b
		return r, (a^r)&(b^r) >= 0
	case Sub:
		r := a - b
		return r, (a^b)&(a^r) >= 0
	case Mul:
		hi, lo := bits.Mul64(uint64(a), uint64(b))
		// The signed high word must repeat the sign of the low one.
		signed := int64(hi) - (a>>63)&b - (b>>63)&a
		return int64(lo), signed == int64(lo)>>63
	case Mod:
		if b <= 0 {
			return 0, false
		}
		return (a%b + b) % b, b < math.MaxInt64/2
	}
	return 0, false
}

func foldUnary(x *Expr) {
	a := x.Args[0]
	switch {
	case a.Op == OpInt && x.Operator == Neg && a.Int != math.MinInt64:
		x.become(Expr{Op: OpInt, Int: -a.Int})
	case a.Op == OpFloat && x.Operator == Neg:
		x.become(Expr{Op: OpFloat, Float: -a.Float})
	case (a.Op == OpInt || a.Op == OpFloat) && x.Operator == Pos:
		x.become(*a)
	}
}

// foldConcat joins neighbouring constants.
func foldConcat(x *Expr) {
	var out []*Expr
	for _, a := range x.Args {
		if a.Op == OpText && a.Text == "" {
			continue
		}
		if n := len(out); n > 0 && a.Op == OpText && out[n-1].Op == OpText {
			out[n-1] = &Expr{Op: OpText, Text: out[n-1].Text + a.Text}
			continue
		}
		out = append(out, a)
	}
	switch {
	case len(out) == 0:
		x.become(Expr{Op: OpText})
	case len(out) == 1 && out[0].Op == OpText:
		x.become(*out[0])
	default:
		x.Args = out
	}
}

func foldCompare(x *Expr) {
	a, b := x.Args[0], x.Args[1]
	if a.Op != OpInt || b.Op != OpInt {
		return
	}
	r := false
	switch x.Operator {
	case Equal:
		r = a.Int == b.Int
	case NotEqual:
		r = a.Int != b.Int
	case Less:
		r = a.Int < b.Int
	case LessEqual:
		r = a.Int <= b.Int
	case Greater:
		r = a.Int > b.Int
	case GreaterEqual:
		r = a.Int >= b.Int
	}
	x.become(boolConst(r))
}

func foldLib(x *Expr) {
	if len(x.Args) == 0 || !x.Args[0].IsConst() || x.Args[0].Op == OpMissing {
		return
	}
	a := x.Args[0]
	switch x.Lib.Name {
	case "Str":
		switch a.Op {
		case OpText:
			x.become(*a)
		case OpInt:
			x.become(Expr{Op: OpText, Text: strconv.FormatInt(a.Int, 10)})
		}
	case "LoopBound":
		if a.Op == OpInt {
			x.become(*a)
		}
	case "CommandAddVar":
		if a.Op != OpText {
			x.become(*a)
		} else if v, ok := digitsOnly(a.Text); ok {
			x.become(v)
		}
	}
}

// digitsOnly is what addVar makes of constant text; not ok means that the
// library must decide.
func digitsOnly(s string) (Expr, bool) {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return Expr{}, false
		}
	}
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return Expr{Op: OpText, Text: s}, true
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return Expr{Op: OpText, Text: s}, true
	}
	return Expr{Op: OpInt, Int: v}, true
}

package ir

import (
	"math"
	"strconv"
	"strings"
)

// maxFoldedBytes bounds texts put together at compile time.
const maxFoldedBytes = 4096

// Fold evaluates operations on constants that cannot fail. What fails is left to
// the run, which knows the place.
func Fold(p *Program) {
	for _, fn := range p.Functions {
		foldStmts(fn.Body)
	}
}

func foldStmts(list []*Stmt) {
	for _, s := range list {
		foldExpr(s.X)
		foldExpr(s.Y)
		if s.Op == StmtIf || s.Op == StmtWhile {
			foldTest(s.X)
		}
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
	case OpCompare:
		foldCompare(x)
	case OpIfCompare:
		if x.Args[0].Op == OpInt && x.Args[1].Op == OpInt { // texts may count as numbers there
			foldCompare(x)
		}
	case OpAnd, OpOr:
		foldChain(x)
	case OpCond:
		foldTest(x.Args[0])
		if test := x.Args[0]; test.Op == OpBool {
			*x = *x.Args[2-test.Int]
		}
	case OpSoft:
		if x.Args[0].IsConst() {
			*x = *x.Args[0]
		}
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
		if v, ok := foldInts(x); ok {
			x.become(v)
		}
	case a.isNumber() && b.isNumber():
		if v, ok := foldFloats(x.Operator, a.float(), b.float()); ok {
			x.become(Expr{Op: OpFloat, Float: v})
		}
	case a.Op == OpText && b.Op == OpText && x.Operator == Add:
		if len(a.Text)+len(b.Text) <= maxFoldedBytes {
			x.become(Expr{Op: OpText, Text: a.Text + b.Text})
		}
	}
}

func foldUnary(x *Expr) {
	a := x.Args[0]
	switch {
	case a.Op == OpInt && x.Operator == Neg && a.Int != math.MinInt64:
		x.become(Expr{Op: OpInt, Int: -a.Int})
	case a.Op == OpInt && x.Operator == Invert:
		x.become(Expr{Op: OpInt, Int: ^a.Int})
	case a.Op == OpFloat && x.Operator == Neg:
		x.become(Expr{Op: OpFloat, Float: -a.Float})
	case a.isNumber() && x.Operator == Pos:
		x.become(*a)
	}
}

// foldChain shortens `and` or `or`: an operand that does not decide is left out
// unless it is the last, and nothing behind one that decides is computed.
func foldChain(x *Expr) {
	var out []*Expr
	for i, a := range x.Args {
		v, known := constTruth(a)
		decides := known && v == (x.Op == OpOr)
		if known && !decides && i < len(x.Args)-1 {
			continue
		}
		out = append(out, a)
		if decides {
			break
		}
	}
	if len(out) == 1 {
		*x = *out[0]
		return
	}
	x.Args = out
}

// foldTest makes a boolean of a constant that is only asked for its truth.
func foldTest(x *Expr) {
	if v, ok := constTruth(x); ok {
		x.become(boolConst(v))
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
	case "Len":
		if a.Op == OpText {
			x.become(Expr{Op: OpInt, Int: countChars(a.Text)})
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

// countChars counts as the library does: bytes that go on with nothing.
func countChars(s string) int64 {
	n := int64(0)
	for i := range len(s) {
		if s[i]&0xc0 != 0x80 {
			n++
		}
	}
	return n
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

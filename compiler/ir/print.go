package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// Print writes the program as text: one statement a line, with the kinds that
// Infer found and the fuel that Price attached. The form is for people and
// golden tests; nothing reads it back.
func Print(p *Program) string {
	pr := &printer{p: p}
	for i, name := range p.Globals {
		pr.line("global %d %s", i, name)
	}
	copied := map[*Func]bool{}
	for _, fn := range p.Functions {
		copied[fn.CopyOf] = copied[fn.CopyOf] || fn.Reached
	}
	for _, fn := range p.Functions {
		if fn.Reached || !copied[fn] && fn.CopyOf == nil {
			pr.function(fn)
		}
	}
	return pr.b.String()
}

type printer struct {
	p      *Program
	b      strings.Builder
	indent int
}

func (pr *printer) line(format string, args ...any) {
	pr.b.WriteString(strings.Repeat("  ", pr.indent))
	fmt.Fprintf(&pr.b, format, args...)
	pr.b.WriteByte('\n')
}

func (pr *printer) function(fn *Func) {
	switch {
	case fn.Number == 0:
		pr.line("top level  ; fuel %d", fn.Fuel)
	case !fn.Reached:
		pr.line("function %s is never called", fn.Name)
		return
	default:
		params := make([]string, len(fn.Params))
		for i, v := range fn.Params {
			params[i] = variable(v) + " " + fn.ParamKinds[i].String()
		}
		word := "function"
		if fn.CopyOf != nil {
			word = "copy of function"
		}
		pr.line("%s %s(%s) %s  ; fuel %d", word, fn.Name, strings.Join(params, ", "), fn.Result, fn.Fuel)
	}
	pr.list(fn.Body)
}

func (pr *printer) list(list []*Stmt) {
	pr.indent++
	for _, s := range list {
		pr.stmt(s)
	}
	pr.indent--
}

// variable tells a hidden variable from one of the script by its number.
func variable(v *Var) string {
	switch v.Scope {
	case Hidden:
		return fmt.Sprintf("%%%s%d", v.Name, v.Slot)
	case Global:
		return "@" + v.Name
	}
	return v.Name
}

func fuelNote(units int64) string {
	if units == 0 {
		return ""
	}
	return fmt.Sprintf("  ; fuel %d", units)
}

func (pr *printer) stmt(s *Stmt) {
	switch s.Op {
	case StmtAssign:
		note := ""
		if s.Var.Scope == Global && s.Before.May(Undef) {
			note = "  ; maybe its first value"
		}
		pr.line("%s = %s%s", variable(s.Var), expr(s.X), note)
	case StmtEval:
		pr.line("%s", expr(s.X))
	case StmtReturn:
		pr.line("return %s", expr(s.X))
	case StmtBreak:
		pr.line("break")
	case StmtContinue:
		pr.line("continue")
	case StmtIf:
		pr.line("if %s%s", expr(s.X), fuelNote(s.Fuel))
		pr.list(s.Then)
		if len(s.Else) > 0 {
			pr.line("else%s", fuelNote(s.ElseFuel))
			pr.list(s.Else)
		}
	case StmtWhile:
		pr.line("while %s%s", expr(s.X), fuelNote(s.Fuel))
		pr.list(s.Then)
	case StmtCount:
		pr.line("count %s from %s to %s%s", variable(s.Var), expr(s.X), expr(s.Y), fuelNote(s.Fuel))
		pr.list(s.Then)
	case StmtEach:
		pr.line("each %s in %s%s", variable(s.Var), expr(s.X), fuelNote(s.Fuel))
		pr.list(s.Then)
	case StmtTry:
		word := "caught"
		if s.Marker {
			word = "in any case"
		}
		pr.line("try")
		pr.list(s.Then)
		pr.line("%s %s%s", word, variable(s.Caught), fuelNote(s.ElseFuel))
		pr.list(s.Else)
	case StmtBlock:
		word := "block"
		if s.Logged {
			word = "logged " + pr.p.Sites[s.Site].Command
		}
		pr.line("%s", word)
		pr.list(s.Then)
	case StmtSplit:
		pr.line("part%s", jumpNames(s.Jumps))
		pr.list(s.Then)
	}
}

func jumpNames(j Jumps) string {
	var s strings.Builder
	for i, name := range []string{" may return", " may break", " may continue"} {
		if j&(1<<i) != 0 {
			s.WriteString(name)
		}
	}
	return s.String()
}

var operatorText = [...]string{
	Add: "+", Sub: "-", Mul: "*", Div: "/", Mod: "%", Pow: "**", BitAnd: "&", BitOr: "|", BitXor: "^",
	Shl: "<<", Shr: ">>", Neg: "-", Pos: "+", Invert: "~",
	Equal: "==", NotEqual: "!=", Less: "<", LessEqual: "<=", Greater: ">", GreaterEqual: ">=",
}

// expr prints an expression; calls and operations carry the kinds of their
// value.
func expr(x *Expr) string {
	switch x.Op {
	case OpMissing:
		return "_"
	case OpNull:
		return "null"
	case OpBool:
		return strconv.FormatBool(x.Int != 0)
	case OpInt:
		return strconv.FormatInt(x.Int, 10)
	case OpFloat:
		return strconv.FormatFloat(x.Float, 'g', -1, 64) + "f"
	case OpText:
		return strconv.Quote(x.Text)
	case OpLoad:
		return load(x)
	}
	return call(x) + kindNote(x)
}

func kindNote(x *Expr) string { return ":" + x.Type.String() }

func load(x *Expr) string {
	name := variable(x.Var)
	if x.Before.May(Undef) && x.Var.Scope != Hidden {
		switch x.Mode {
		case Checked:
			name += "!" // may fail
		case Soft:
			name += "~"
		default:
			name += "?"
		}
	}
	return name + kindNote(x)
}

func call(x *Expr) string {
	args := make([]string, len(x.Args))
	for i, a := range x.Args {
		args[i] = expr(a)
	}
	all := strings.Join(args, ", ")
	switch x.Op {
	case OpDefined:
		names := make([]string, len(x.Vars))
		for i, v := range x.Vars {
			names[i] = variable(v)
		}
		return "defined(" + strings.Join(names, ", ") + ")"
	case OpBinary, OpCompare:
		return "(" + args[0] + " " + operatorText[x.Operator] + " " + args[1] + ")"
	case OpIfCompare:
		return "if(" + all + ", " + operatorText[x.Operator] + ")"
	case OpUnary:
		return "(" + operatorText[x.Operator] + args[0] + ")"
	case OpAnd:
		return "and(" + all + ")"
	case OpOr:
		return "or(" + all + ")"
	case OpNot:
		return "not(" + all + ")"
	case OpTruth:
		return "truth(" + all + ")"
	case OpCond:
		return "(" + args[1] + " if " + args[0] + " else " + args[2] + ")"
	case OpLib:
		return x.Lib.Name + "(" + all + ")"
	case OpHost:
		if x.Callee != nil {
			return "host " + x.Host.Name + " " + x.Callee.Name + "(" + all + ")"
		}
		return "host " + x.Host.Name + "(" + all + ")"
	case OpCall:
		return "call " + x.Callee.Name + "(" + all + ")"
	case OpNewList:
		return "[" + all + "]"
	case OpNewDict:
		return "{" + all + "}"
	case OpConcat:
		return "concat(" + all + ")"
	case OpSoft:
		return "soft(" + all + ")"
	case OpKeep:
		return "(" + variable(x.Var) + " = " + all + ")"
	case OpKept:
		return variable(x.Var)
	case OpIsKind:
		return "(" + args[0] + " is " + x.Kinds.String() + ")"
	case OpDo:
		inner := &printer{}
		for _, s := range x.Body {
			inner.stmt(s)
		}
		lines := strings.ReplaceAll(strings.TrimRight(inner.b.String(), "\n"), "\n", "; ")
		return "do{" + lines + "; " + args[0] + "}"
	}
	return "?"
}

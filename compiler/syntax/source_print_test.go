package syntax

import (
	"fmt"
	"strconv"
	"strings"
)

// Precedences of the printer, loosest first.
const (
	precCond = iota
	precOr
	precAnd
	precNot
	precCompare
	precBitOr
	precBitXor
	precBitAnd
	precShift
	precAdd
	precMul
	precUnary
	precPow
	precSuffix
)

var binaryPrec = [...]int{
	Add: precAdd, Sub: precAdd, Mul: precMul, Div: precMul, Mod: precMul, Pow: precPow,
	Shl: precShift, Shr: precShift, BitAnd: precBitAnd, BitOr: precBitOr, BitXor: precBitXor,
}

// dumpExpr prints an expression as nested lists.
func dumpExpr(x Expr) string {
	var d dumper
	d.expr(x)
	return d.String()
}

// exprString prints an expression as source text in one canonical form.
// Parsing the text again gives an equal tree, but for the positions.
func exprString(x Expr) string {
	var w exprPrinter
	w.expr(x, precCond)
	return w.String()
}

type exprPrinter struct{ strings.Builder }

func (w *exprPrinter) expr(x Expr, least int) {
	prec := precedence(x)
	if prec < least {
		w.WriteByte('(')
		defer w.WriteByte(')')
	}
	switch x := x.(type) {
	case *Unary:
		w.unary(x)
	case *Binary:
		w.binary(x, prec)
	case *Logical:
		for i, o := range x.Operands {
			if i > 0 {
				w.WriteString(map[bool]string{true: " or ", false: " and "}[x.Or])
			}
			w.expr(o, prec+1)
		}
	case *Compare:
		w.expr(x.X, prec+1)
		for _, c := range x.Rest {
			w.WriteString(" " + c.Op.String() + " ")
			w.expr(c.Y, prec+1)
		}
	case *Cond:
		w.expr(x.Then, precOr)
		w.WriteString(" if ")
		w.expr(x.If, precOr)
		w.WriteString(" else ")
		w.expr(x.Else, precCond)
	case *List:
		w.list(x)
	case *Dict, *ListComp, *DictComp:
		w.display(x)
	case *Index, *Slice, *Attr:
		w.suffix(x)
	case *FuncCall, *BuiltinCall, *MethodCall, *CommandCall, *Go:
		w.call(x)
	default:
		w.leaf(x)
	}
}

func precedence(x Expr) int {
	switch x := x.(type) {
	case *Cond:
		return precCond
	case *Logical:
		if x.Or {
			return precOr
		}
		return precAnd
	case *Compare:
		return precCompare
	case *Binary:
		return binaryPrec[x.Op]
	case *Unary:
		if x.Op == Not {
			return precNot
		}
		return precUnary
	case *Int:
		if x.Value < 0 {
			return precUnary
		}
	}
	return precSuffix
}

func (w *exprPrinter) unary(x *Unary) {
	w.WriteString(x.Op.String())
	if x.Op == Not {
		w.WriteByte(' ')
		w.expr(x.X, precNot)
		return
	}
	w.expr(x.X, precUnary)
}

func (w *exprPrinter) binary(x *Binary, prec int) {
	left, right := prec, prec+1
	if x.Op == Pow {
		left, right = precSuffix, precUnary
	}
	w.expr(x.X, left)
	w.WriteString(" " + x.Op.String() + " ")
	w.expr(x.Y, right)
}

func (w *exprPrinter) comma(list []Expr) {
	for i, e := range list {
		if i > 0 {
			w.WriteString(", ")
		}
		w.expr(e, precCond)
	}
}

func (w *exprPrinter) list(x *List) {
	if !x.Paren {
		w.WriteByte('[')
		w.comma(x.Elems)
		w.WriteByte(']')
		return
	}
	w.WriteByte('(')
	w.comma(x.Elems)
	if len(x.Elems) == 1 {
		w.WriteByte(',')
	}
	w.WriteByte(')')
}

func (w *exprPrinter) display(x Expr) {
	switch x := x.(type) {
	case *Dict:
		w.WriteByte('{')
		for i, e := range x.Entries {
			if i > 0 {
				w.WriteString(", ")
			}
			w.pair(e.Key, e.Value)
		}
		w.WriteByte('}')
	case *ListComp:
		w.WriteByte('[')
		w.expr(x.Elem, precCond)
		w.clauses(x.Clauses)
		w.WriteByte(']')
	case *DictComp:
		w.WriteByte('{')
		w.pair(x.Key, x.Value)
		w.clauses(x.Clauses)
		w.WriteByte('}')
	}
}

func (w *exprPrinter) pair(key, value Expr) {
	w.expr(key, precCond)
	w.WriteString(": ")
	w.expr(value, precCond)
}

func (w *exprPrinter) clauses(list []Clause) {
	for _, c := range list {
		names := make([]string, len(c.Targets))
		for i, t := range c.Targets {
			names[i] = t.Name
		}
		w.WriteString(" for " + strings.Join(names, ", "))
		if c.Unpack && len(names) == 1 {
			w.WriteByte(',')
		}
		w.WriteString(" in ")
		w.expr(c.Iter, precOr)
		for _, cond := range c.Ifs {
			w.WriteString(" if ")
			w.expr(cond, precOr)
		}
	}
}

func (w *exprPrinter) suffix(x Expr) {
	switch x := x.(type) {
	case *Index:
		w.operand(x.X)
		w.WriteByte('[')
		w.expr(x.I, precCond)
		w.WriteByte(']')
	case *Slice:
		w.operand(x.X)
		w.WriteByte('[')
		w.optional(x.Lo)
		w.WriteByte(':')
		w.optional(x.Hi)
		if x.Step != nil {
			w.WriteByte(':')
			w.expr(x.Step, precCond)
		}
		w.WriteByte(']')
	case *Attr:
		w.operand(x.X)
		w.WriteString("." + x.Name.Name)
	}
}

// operand prints what a suffix follows; a number needs parentheses there.
func (w *exprPrinter) operand(x Expr) {
	switch x.(type) {
	case *Int, *Float:
		w.WriteByte('(')
		w.expr(x, precCond)
		w.WriteByte(')')
		return
	}
	w.expr(x, precSuffix)
}

func (w *exprPrinter) optional(x Expr) {
	if x != nil {
		w.expr(x, precCond)
	}
}

func (w *exprPrinter) call(x Expr) {
	switch x := x.(type) {
	case *FuncCall:
		w.args(x.Name.Name, x.Args, nil)
	case *BuiltinCall:
		w.args(x.Name.Name, x.Args, x.Keywords)
	case *MethodCall:
		w.operand(x.X)
		w.args("."+x.Name.Name, x.Args, x.Keywords)
	case *Go:
		w.args("go "+x.Func.Name, x.Args, nil)
	case *CommandCall:
		w.WriteString(x.Name.Name + "(")
		for i, a := range x.Args {
			if i > 0 {
				w.WriteString(", ")
			}
			w.arg(a)
		}
		if len(x.Args) == 1 && x.Args[0].Kind == ArgEmpty {
			w.WriteByte(',')
		}
		w.WriteByte(')')
	}
}

func (w *exprPrinter) args(name string, args []Expr, keywords []Keyword) {
	w.WriteString(name + "(")
	w.comma(args)
	for i, k := range keywords {
		if i > 0 || len(args) > 0 {
			w.WriteString(", ")
		}
		w.WriteString(k.Name + "=")
		w.expr(k.Value, precCond)
	}
	// An empty last position needs its comma to be seen.
	if n := len(args); n > 0 && len(keywords) == 0 {
		if null, ok := args[n-1].(*Null); ok && null.Omitted {
			w.WriteByte(',')
		}
	}
	w.WriteByte(')')
}

func (w *exprPrinter) arg(a *Arg) {
	switch a.Kind {
	case ArgEmpty:
	case ArgQuoted:
		w.WriteString(quoteArg(a.Text))
	case ArgDollar:
		w.WriteString("$" + a.Text)
	default:
		w.WriteString(a.Text)
	}
}

// quoteArg quotes text with the two escapes of a command's argument.
func quoteArg(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (w *exprPrinter) leaf(x Expr) {
	switch x := x.(type) {
	case *Null:
		if !x.Omitted {
			w.WriteString("None")
		}
	case *Bool:
		w.WriteString(map[bool]string{true: "True", false: "False"}[x.Value])
	case *Int:
		w.WriteString(strconv.FormatInt(x.Value, 10))
	case *Float:
		w.WriteString(floatText(x.Value))
	case *String:
		w.WriteString(`"` + escapeText(x.Value) + `"`)
	case *Name:
		w.WriteString(x.Name)
	case *Dollar:
		w.WriteString("$" + x.Name)
	case *TypeWord:
		w.WriteString(x.Name)
	case *FuncRef:
		w.WriteString(x.Name)
	case *Template:
		w.template(x)
	case *FString:
		w.WriteString(`f"`)
		w.fparts(x.Parts, 0)
		w.WriteByte('"')
	}
}

// escapeText writes text between double quotes.
func escapeText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (w *exprPrinter) template(x *Template) {
	w.WriteByte('`')
	for _, part := range x.Parts {
		if part.X == nil {
			w.WriteString(strings.NewReplacer(`\`, `\\`, "`", "\\`", "$", `\$`).Replace(part.Text))
			continue
		}
		w.WriteString("${")
		w.expr(part.X, precCond)
		w.WriteByte('}')
	}
	w.WriteByte('`')
}

// fparts prints the inside of an f-string. The fields use single quotes, as
// the f-string itself is in double ones.
func (w *exprPrinter) fparts(parts []FPart, level int) {
	for _, part := range parts {
		if part.X == nil {
			text := escapeText(part.Text)
			if level == 0 {
				text = strings.NewReplacer("{", "{{", "}", "}}").Replace(text)
			}
			w.WriteString(text)
			continue
		}
		text := exprString(part.X)
		if strings.HasPrefix(text, "{") {
			text = " " + text
		}
		w.WriteString("{" + singleQuoted(text))
		if part.Conv != 0 {
			w.WriteString("!" + string(part.Conv))
		}
		if part.Spec != nil {
			w.WriteByte(':')
			w.fparts(part.Spec.Parts, level+1)
		}
		w.WriteByte('}')
	}
}

// singleQuoted turns the double quotes of printed source into single ones.
func singleQuoted(s string) string { return strings.ReplaceAll(s, `"`, `'`) }

package syntax

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Dump prints a script as nested lists, one statement per line. Scripts with
// the same dump are the same script, which is how Format checks itself. With
// positions each statement begins with its extent as line:column-line:column.
func Dump(s *Script, positions bool) string {
	d := dumper{source: s.Source, positions: positions}
	d.list(s.Body, 0)
	return d.String()
}

type dumper struct {
	strings.Builder
	source    *Source
	positions bool
}

func (d *dumper) f(format string, args ...any) { fmt.Fprintf(&d.Builder, format, args...) }

func (d *dumper) list(list []Stmt, indent int) {
	for _, s := range list {
		d.WriteString(strings.Repeat("  ", indent))
		if d.positions {
			span := d.source.Span(s)
			d.f("%d:%d-%d:%d ", span.Start.Line, span.Start.Column, span.End.Line, span.End.Column)
		}
		d.stmt(s, indent)
	}
}

func (d *dumper) block(word string, list []Stmt, indent int) {
	d.WriteString(strings.Repeat("  ", indent))
	d.WriteString(word + "\n")
	d.list(list, indent+1)
}

func (d *dumper) stmt(s Stmt, indent int) {
	switch s := s.(type) {
	case *Assign:
		d.f("(assign%s ", strings.TrimRight(" "+s.Op.String(), " "))
		d.expr(s.Target)
		d.WriteByte(' ')
		d.expr(s.Value)
		d.WriteString(")\n")
	case *CallStmt:
		d.expr(s.Call)
		d.WriteByte('\n')
	case *If:
		d.WriteString("(if ")
		d.condition(s.Cond)
		d.WriteString(")\n")
		d.list(s.Then, indent+1)
		if s.HasElse {
			d.block("else", s.Else, indent)
		}
	case *Loop:
		d.f("(loop %s ", s.Var.Name)
		d.arg(s.First)
		d.WriteByte(' ')
		d.arg(s.Last)
		d.WriteString(")\n")
		d.list(s.Body, indent+1)
	case *While:
		d.WriteString("(while ")
		d.expr(s.Cond)
		d.WriteString(")\n")
		d.list(s.Body, indent+1)
	default:
		d.otherStmt(s, indent)
	}
}

func (d *dumper) otherStmt(s Stmt, indent int) {
	switch s := s.(type) {
	case *Try:
		d.WriteString(map[bool]string{true: "(try-marker)\n", false: "(try)\n"}[s.Marker])
		d.list(s.Body, indent+1)
		d.WriteString(strings.Repeat("  ", indent) + "(exception")
		if s.Exception.Var != nil {
			d.WriteString(" " + s.Exception.Var.Name)
		}
		if s.Exception.Target != nil {
			d.WriteString(" target ")
			d.expr(s.Exception.Target)
		}
		d.WriteString(")\n")
		d.list(s.Handler, indent+1)
	case *Break:
		d.WriteString("(break)\n")
	case *Continue:
		d.WriteString("(continue)\n")
	case *Return:
		d.WriteString("(return")
		if s.Value != nil {
			d.WriteByte(' ')
			d.expr(s.Value)
		}
		d.WriteString(")\n")
	case *Function:
		d.f("(function %s", s.Name.Name)
		for _, p := range s.Params {
			d.WriteString(" " + p.Name)
		}
		d.WriteString(")\n")
		d.list(s.Body, indent+1)
	case *Import:
		d.f("(%s %s)\n", s.Word, strconv.Quote(s.Path))
	case *Async:
		d.WriteString("(go_async ")
		if s.ID != nil {
			d.arg(s.ID)
		}
		d.WriteString(")\n")
		d.list(s.Body, indent+1)
	}
}

func (d *dumper) condition(c Condition) {
	if c.Expr != nil {
		d.expr(c.Expr)
		return
	}
	d.WriteString(c.Op.String())
	for _, a := range []*Arg{c.Left, c.Right} {
		d.WriteByte(' ')
		if a != nil {
			d.arg(a)
		}
	}
}

func (d *dumper) arg(a *Arg) {
	switch a.Kind {
	case ArgEmpty:
		d.WriteString("<empty>")
	case ArgQuoted, ArgRaw, ArgWord, ArgDollar:
		d.f("<%s %s>", a.Kind, strconv.Quote(a.Text))
	default:
		d.f("<%s ", a.Kind)
		d.expr(a.Expr)
		d.WriteByte('>')
	}
}

func (d *dumper) form(head string, list ...Expr) {
	d.WriteString("(" + head)
	for _, x := range list {
		d.WriteByte(' ')
		if x == nil {
			d.WriteByte('_')
			continue
		}
		d.expr(x)
	}
	d.WriteByte(')')
}

func (d *dumper) expr(x Expr) {
	switch x := x.(type) {
	case *Null:
		d.WriteString(map[bool]string{true: "omitted", false: "null"}[x.Omitted])
	case *Bool:
		d.f("%t", x.Value)
	case *Int:
		d.f("%d", x.Value)
	case *Float:
		d.WriteString(floatText(x.Value))
	case *String:
		d.WriteString(strconv.Quote(x.Value))
	case *Name:
		d.WriteString(x.Name)
	case *Dollar:
		d.WriteString("$" + x.Name)
	case *TypeWord:
		d.f("(type %s)", x.Name)
	case *FuncRef:
		d.f("(%s %s)", map[bool]string{true: "builtin-ref", false: "function-ref"}[x.Builtin], x.Name)
	case *Unary:
		d.form(x.Op.String(), x.X)
	case *Binary:
		d.form(x.Op.String(), x.X, x.Y)
	case *Logical:
		d.form(map[bool]string{true: "or", false: "and"}[x.Or], x.Operands...)
	case *Compare:
		d.compare(x)
	case *Cond:
		d.form("cond", x.If, x.Then, x.Else)
	case *Index:
		d.form("index", x.X, x.I)
	case *Slice:
		d.form("slice", x.X, x.Lo, x.Hi, x.Step)
	case *Attr:
		d.form("attr "+x.Name.Name, x.X)
	default:
		d.otherExpr(x)
	}
}

func (d *dumper) compare(x *Compare) {
	d.WriteString("(compare ")
	d.expr(x.X)
	for _, c := range x.Rest {
		d.WriteString(" " + c.Op.String() + " ")
		d.expr(c.Y)
	}
	d.WriteByte(')')
}

func (d *dumper) otherExpr(x Expr) {
	switch x := x.(type) {
	case *List:
		head := "list"
		if x.ArgList {
			head = "arg-list"
		}
		d.form(head, x.Elems...)
	case *Dict:
		var list []Expr
		for _, e := range x.Entries {
			list = append(list, e.Key, e.Value)
		}
		d.form("dict", list...)
	case *ListComp:
		d.WriteString("(list-comp ")
		d.expr(x.Elem)
		d.clauses(x.Clauses)
	case *DictComp:
		d.WriteString("(dict-comp ")
		d.expr(x.Key)
		d.WriteByte(' ')
		d.expr(x.Value)
		d.clauses(x.Clauses)
	case *Template:
		d.WriteString("(template")
		for _, part := range x.Parts {
			d.part(part.Text, part.X)
		}
		d.WriteByte(')')
	case *FString:
		d.fstring(x)
	default:
		d.call(x)
	}
}

func (d *dumper) part(text string, x Expr) {
	if x == nil {
		d.WriteString(" " + strconv.Quote(text))
		return
	}
	d.WriteString(" (show ")
	d.expr(x)
	d.WriteByte(')')
}

func (d *dumper) fstring(x *FString) {
	d.WriteString("(fstring")
	for _, part := range x.Parts {
		if part.X == nil || part.Conv == 0 && part.Spec == nil {
			d.part(part.Text, part.X)
			continue
		}
		d.WriteString(" (show ")
		d.expr(part.X)
		if part.Conv != 0 {
			d.WriteString(" !" + string(part.Conv))
		}
		if part.Spec != nil {
			d.WriteByte(' ')
			d.fstring(part.Spec)
		}
		d.WriteByte(')')
	}
	d.WriteByte(')')
}

func (d *dumper) clauses(list []Clause) {
	for _, c := range list {
		d.WriteString(" (for")
		for _, t := range c.Targets {
			d.WriteString(" " + t.Name)
		}
		d.WriteString(map[bool]string{true: " unpack in ", false: " in "}[c.Unpack])
		d.expr(c.Iter)
		for _, cond := range c.Ifs {
			d.WriteString(" if ")
			d.expr(cond)
		}
		d.WriteByte(')')
	}
	d.WriteByte(')')
}

func (d *dumper) call(x Expr) {
	switch x := x.(type) {
	case *FuncCall:
		d.form("call "+x.Name.Name, x.Args...)
	case *Go:
		d.form("go "+x.Func.Name, x.Args...)
	case *BuiltinCall:
		d.keywordForm("builtin "+x.Name.Name, x.Args, x.Keywords)
	case *MethodCall:
		d.keywordForm("method "+x.Name.Name, append([]Expr{x.X}, x.Args...), x.Keywords)
	case *CommandCall:
		d.f("(command %s", x.Name.Name)
		if x.Place == AsTarget {
			d.WriteString(" as-target")
		}
		for _, a := range x.Args {
			d.WriteByte(' ')
			d.arg(a)
		}
		d.WriteByte(')')
	}
}

func (d *dumper) keywordForm(head string, args []Expr, keywords []Keyword) {
	d.WriteString("(" + head)
	for _, a := range args {
		d.WriteByte(' ')
		d.expr(a)
	}
	for _, k := range keywords {
		d.f(" %s=", k.Name)
		d.expr(k.Value)
	}
	d.WriteByte(')')
}

func floatText(f float64) string {
	if math.IsInf(f, 0) {
		return "1e999"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

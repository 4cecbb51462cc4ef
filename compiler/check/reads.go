package check

import (
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

func (w *warner) stmts(list []syntax.Stmt) {
	w.unreachable(list)
	for _, s := range list {
		w.stmt(s)
	}
}

// unreachable warns of the first statement behind one that always leaves the
// list. Functions and imports are no statements that run.
func (w *warner) unreachable(list []syntax.Stmt) {
	left := ""
	for _, s := range list {
		switch s.(type) {
		case *syntax.Function, *syntax.Import:
			continue
		}
		if left != "" {
			d := w.warn(diag.Unreachable, s, "nothing reaches this statement behind %s", left)
			d.Suggestion = "remove it, or move it before the " + left
			return
		}
		left = leaves(s)
	}
}

// leaves names the statement if control never goes on behind it.
func leaves(s syntax.Stmt) string {
	switch s := s.(type) {
	case *syntax.Return:
		return "return"
	case *syntax.Break:
		return "break"
	case *syntax.Continue:
		return "continue"
	case *syntax.CallStmt:
		if call, ok := s.Call.(*syntax.CommandCall); ok && call.Name.Name == "raise" {
			return "raise"
		}
	}
	return ""
}

func (w *warner) stmt(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.Assign:
		w.assign(s)
	case *syntax.CallStmt:
		w.expr(s.Call)
	case *syntax.If:
		w.expr(s.Cond.Expr)
		w.value(s.Cond.Left)
		w.value(s.Cond.Right)
		w.stmts(s.Then)
		w.stmts(s.Else)
	case *syntax.Loop:
		w.loopBound(s.First)
		w.loopBound(s.Last)
		w.set(s.Var.Name, s.Var).exempt = true
		w.stmts(s.Body)
	case *syntax.While:
		w.expr(s.Cond)
		w.stmts(s.Body)
	case *syntax.Try:
		w.try(s)
	case *syntax.Return:
		w.expr(s.Value)
	case *syntax.Function:
		w.function(s)
	case *syntax.Async:
		w.value(s.ID)
		w.stmts(s.Body)
	}
}

func (w *warner) assign(s *syntax.Assign) {
	w.expr(s.Value)
	name, plain := s.Target.(*syntax.Name)
	if !plain {
		w.expr(s.Target) // an element: the container is read
		return
	}
	v := w.set(name.Name, name)
	v.unsafe = v.unsafe || s.Op == syntax.NoOp && mixesText(s.Value)
}

func (w *warner) try(s *syntax.Try) {
	w.stmts(s.Body)
	if v := s.Exception.Var; v != nil {
		w.set(v.Name, *v).exempt = true
	}
	if name, ok := s.Exception.Target.(*syntax.Name); ok {
		w.set(name.Name, name).exempt = true
	} else {
		w.expr(s.Exception.Target)
	}
	w.stmts(s.Handler)
}

func (w *warner) function(s *syntax.Function) {
	f := w.info.ByName[s.Name.Name]
	if f == nil || f.Decl != s {
		return // declared twice, which is an error
	}
	w.fn = f
	w.stmts(s.Body)
	w.fn = nil
}

// loopBound reads a bound of a loop: a word that is no variable is no number.
func (w *warner) loopBound(a *syntax.Arg) {
	if a != nil && a.Kind == syntax.ArgWord {
		w.need(a.Text, a)
		return
	}
	w.value(a)
}

// value reads an argument that gives a value.
func (w *warner) value(a *syntax.Arg) {
	if a == nil {
		return
	}
	switch a.Kind {
	case syntax.ArgWord:
		if w.bound[a.Text] == 0 {
			w.use(a.Text)
		}
	case syntax.ArgExpr:
		w.text(a)
	default:
		w.expr(a.Expr)
	}
}

// text reads an expression that is its own text if a name in it has no value.
func (w *warner) text(a *syntax.Arg) {
	m := w.mention(a)
	FreeNames(a.Expr, w.bound, func(name string) {
		w.use(name)
		m.names = append(m.names, name)
	})
	if len(m.names) > 0 {
		w.texts = append(w.texts, *m)
	}
	w.inner(a.Expr)
}

// inner walks the calls and templates in an expression, which look after the
// names in them by themselves.
func (w *warner) inner(x syntax.Expr) {
	switch x := x.(type) {
	case nil, *syntax.Name:
	case *syntax.Template, *syntax.CommandCall:
		w.expr(x)
	case *syntax.Dollar:
		w.need(x.Name, x)
	case *syntax.ListComp:
		w.comprehension(x.Clauses, w.inner, x.Elem)
	case *syntax.DictComp:
		w.comprehension(x.Clauses, w.inner, x.Key, x.Value)
	default:
		w.method(x)
		for _, sub := range children(x) {
			w.inner(sub)
		}
	}
}

// expr reads an expression that fails if a name in it has no value.
func (w *warner) expr(x syntax.Expr) {
	switch x := x.(type) {
	case nil:
	case *syntax.Name:
		w.need(x.Name, x)
	case *syntax.Dollar:
		w.need(x.Name, x)
	case *syntax.ListComp:
		w.comprehension(x.Clauses, w.expr, x.Elem)
	case *syntax.DictComp:
		w.comprehension(x.Clauses, w.expr, x.Key, x.Value)
	case *syntax.CommandCall:
		w.command(x)
	default:
		w.method(x)
		for _, sub := range children(x) {
			w.expr(sub)
		}
	}
}

func (w *warner) comprehension(clauses []syntax.Clause, read func(syntax.Expr), results ...syntax.Expr) {
	for _, c := range clauses {
		read(c.Iter)
		for _, t := range c.Targets {
			w.bound[t.Name]++
		}
		for _, cond := range c.Ifs {
			read(cond)
		}
	}
	for _, r := range results {
		read(r)
	}
	for _, c := range clauses {
		for _, t := range c.Targets {
			w.bound[t.Name]--
		}
	}
}

// method looks at the SQL of a connector.
func (w *warner) method(x syntax.Expr) {
	call, ok := x.(*syntax.MethodCall)
	if ok && call.Name.Name == "query" && len(call.Args) > 0 && mixesText(call.Args[0]) {
		w.unsafe(call.Args[0])
	}
}

func (w *warner) command(call *syntax.CommandCall) {
	cmd, ok := w.lookup(call.Name.Name)
	if !ok {
		for _, a := range call.Args {
			w.value(a)
		}
		return
	}
	b := Bind(cmd, call)
	for i, p := range cmd.Params {
		if a := b.Args[i]; a != nil {
			w.param(a, p)
		}
		if p.SQL {
			w.unsafeSQL(b.Args[i])
		}
	}
	if cmd.Name == "addVar" {
		w.quotedDigits(b.Args[1])
	}
}

func (w *warner) param(a *syntax.Arg, p catalog.Param) {
	name, isName := NameOf(a)
	switch {
	case p.Kind == catalog.Target:
		if isName {
			w.set(name, a)
		}
	case p.Kind == catalog.Source && isName:
		w.need(name, a)
	case p.OwnText && a.Kind == syntax.ArgWord:
	default:
		w.value(a)
	}
}

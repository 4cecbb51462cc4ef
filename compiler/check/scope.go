package check

import "github.com/avapd/avapd/compiler/syntax"

// alwaysGlobal are the names no function can make local.
var alwaysGlobal = map[string]bool{"_status": true, "__last_error__": true}

// localsOf finds the names that are local throughout a function: parameters,
// and what is assigned, counted or caught anywhere in it.
func localsOf(f *syntax.Function) map[string]bool {
	l := locals{}
	for _, p := range f.Params {
		l.add(p.Name)
	}
	l.stmts(f.Body)
	return l
}

type locals map[string]bool

func (l locals) add(name string) {
	if !alwaysGlobal[name] {
		l[name] = true
	}
}

func (l locals) stmts(list []syntax.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *syntax.Assign:
			l.target(s.Target)
		case *syntax.If:
			l.stmts(s.Then)
			l.stmts(s.Else)
		case *syntax.Loop:
			l.add(s.Var.Name)
			l.stmts(s.Body)
		case *syntax.While:
			l.stmts(s.Body)
		case *syntax.Try:
			l.stmts(s.Body)
			if s.Exception.Var != nil {
				l.add(s.Exception.Var.Name)
			}
			l.target(s.Exception.Target)
			l.stmts(s.Handler)
		case *syntax.Async:
			l.stmts(s.Body)
		}
	}
}

// target adds a plain name; an element of a container binds none.
func (l locals) target(x syntax.Expr) {
	if name, ok := x.(*syntax.Name); ok {
		l.add(name.Name)
	}
}

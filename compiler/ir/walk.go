package ir

// WalkStmts calls f for every statement of a list, those inside statements and
// expressions included, in source order.
func WalkStmts(list []*Stmt, f func(*Stmt)) {
	for _, s := range list {
		f(s)
		walkInside(s.X, f)
		walkInside(s.Y, f)
		WalkStmts(s.Then, f)
		WalkStmts(s.Else, f)
	}
}

func walkInside(x *Expr, f func(*Stmt)) {
	if x == nil {
		return
	}
	for _, a := range x.Args {
		walkInside(a, f)
	}
	WalkStmts(x.Body, f)
}

// WalkExprs calls f for every expression of a list of statements.
func WalkExprs(list []*Stmt, f func(*Expr)) {
	WalkStmts(list, func(s *Stmt) {
		walkShallow(s.X, f)
		walkShallow(s.Y, f)
	})
}

func walkShallow(x *Expr, f func(*Expr)) {
	if x == nil {
		return
	}
	f(x)
	for _, a := range x.Args {
		walkShallow(a, f)
	}
}

// NumParams is the number of a library function's parameters.
func (l *Lib) NumParams() int {
	for i := range l.Sig {
		if l.Sig[i] == ':' {
			return i
		}
	}
	return 0
}

package syntax

// Walk calls visit for x and the expressions in it, parents first. Where visit
// returns false, what is inside is left out.
func Walk(x Expr, visit func(Expr) bool) {
	if x == nil || !visit(x) {
		return
	}
	EachChild(x, func(child Expr) { Walk(child, visit) })
}

// EachChild calls f for the expressions directly inside x, in source order.
// Arguments of commands count with their parsed form, raw ones have none.
func EachChild(x Expr, f func(Expr)) {
	each := func(list ...Expr) {
		for _, e := range list {
			if e != nil {
				f(e)
			}
		}
	}
	switch x := x.(type) {
	case *Template:
		for _, part := range x.Parts {
			each(part.X)
		}
	case *FString:
		for _, part := range x.Parts {
			each(part.X)
			if part.Spec != nil {
				f(part.Spec)
			}
		}
	case *List:
		each(x.Elems...)
	case *Dict:
		for _, entry := range x.Entries {
			each(entry.Key, entry.Value)
		}
	case *ListComp:
		each(x.Elem)
		eachOfClauses(x.Clauses, each)
	case *DictComp:
		each(x.Key, x.Value)
		eachOfClauses(x.Clauses, each)
	case *Unary:
		each(x.X)
	case *Binary:
		each(x.X, x.Y)
	case *Logical:
		each(x.Operands...)
	case *Compare:
		each(x.X)
		for _, c := range x.Rest {
			each(c.Y)
		}
	case *Cond:
		each(x.Then, x.If, x.Else)
	case *Index:
		each(x.X, x.I)
	case *Slice:
		each(x.X, x.Lo, x.Hi, x.Step)
	case *Attr:
		each(x.X)
	default:
		eachOfCall(x, each)
	}
}

func eachOfClauses(clauses []Clause, each func(...Expr)) {
	for _, c := range clauses {
		each(c.Iter)
		each(c.Ifs...)
	}
}

func eachOfCall(x Expr, each func(...Expr)) {
	switch x := x.(type) {
	case *FuncCall:
		each(x.Args...)
	case *Go:
		each(x.Args...)
	case *BuiltinCall:
		each(x.Args...)
		eachKeyword(x.Keywords, each)
	case *MethodCall:
		each(x.X)
		each(x.Args...)
		eachKeyword(x.Keywords, each)
	case *CommandCall:
		for _, a := range x.Args {
			each(a.Expr)
		}
	}
}

func eachKeyword(keywords []Keyword, each func(...Expr)) {
	for _, k := range keywords {
		each(k.Value)
	}
}

// WalkStmts calls visit for the statements of a list and those inside them,
// parents first. Where visit returns false, what is inside is left out.
func WalkStmts(list []Stmt, visit func(Stmt) bool) {
	for _, s := range list {
		if !visit(s) {
			continue
		}
		switch s := s.(type) {
		case *If:
			WalkStmts(s.Then, visit)
			WalkStmts(s.Else, visit)
		case *Loop:
			WalkStmts(s.Body, visit)
		case *While:
			WalkStmts(s.Body, visit)
		case *Try:
			WalkStmts(s.Body, visit)
			WalkStmts(s.Handler, visit)
		case *Function:
			WalkStmts(s.Body, visit)
		case *Async:
			WalkStmts(s.Body, visit)
		}
	}
}

// FreeNames returns the variables an expression reads, each once, in source
// order: names and $names, but no called names and none that a comprehension
// binds. It decides whether an argument of a command is evaluated (language,
// section 6), so the names in an argument of a command inside x count only if
// that argument would fail without them: not a bare word, which then is its
// own text, and not a template, whose undefined parts are empty. Arguments
// that are expressions do not count either; they become their source text.
func FreeNames(x Expr) []string {
	f := freeNames{bound: map[string]int{}, seen: map[string]bool{}}
	f.visit(x)
	return f.names
}

type freeNames struct {
	bound map[string]int
	seen  map[string]bool
	names []string
}

func (f *freeNames) visit(x Expr) {
	switch x := x.(type) {
	case nil:
	case *Name:
		f.add(x.Name)
	case *Dollar:
		f.add(x.Name)
	case *Template:
		// undefined parts are empty
	case *CommandCall:
		for _, a := range x.Args {
			if a.Kind == ArgDollar {
				f.visit(a.Expr)
			}
		}
	case *ListComp:
		f.comprehension(x.Clauses, x.Elem)
	case *DictComp:
		f.comprehension(x.Clauses, x.Key, x.Value)
	default:
		EachChild(x, f.visit)
	}
}

func (f *freeNames) add(name string) {
	if f.bound[name] == 0 && !f.seen[name] {
		f.seen[name] = true
		f.names = append(f.names, name)
	}
}

// comprehension visits the clauses in order: the iterable of each sees only
// the targets of those before it.
func (f *freeNames) comprehension(clauses []Clause, results ...Expr) {
	for _, c := range clauses {
		f.visit(c.Iter)
		for _, t := range c.Targets {
			f.bound[t.Name]++
		}
		for _, cond := range c.Ifs {
			f.visit(cond)
		}
	}
	for _, r := range results {
		f.visit(r)
	}
	for _, c := range clauses {
		for _, t := range c.Targets {
			f.bound[t.Name]--
		}
	}
}

package ir

// Prune takes out statements that cannot be reached: behind one that leaves, and
// in branches whose test is a constant. It needs nothing but Fold and so is the
// same at every level. What it takes out is paid for all the same, as a part of
// the straight run that it stood in.
func Prune(p *Program) {
	for _, fn := range p.Functions {
		fn.Body, _ = prune(fn.Body)
	}
}

// prune gives what can be reached of a list, and whether its end cannot.
func prune(list []*Stmt) (reached []*Stmt, leaves bool) {
	for i, s := range list {
		if pruneStmt(s) {
			return list[:i+1], true
		}
	}
	return list, false
}

// pruneStmt reports whether nothing behind a statement can be reached.
func pruneStmt(s *Stmt) bool {
	pruneExpr(s.X)
	pruneExpr(s.Y)
	var then, otherwise bool
	s.Then, then = prune(s.Then)
	s.Else, otherwise = prune(s.Else)
	switch s.Op {
	case StmtReturn, StmtBreak, StmtContinue:
		return true
	case StmtAssign, StmtEval:
		return s.X.Op == OpLib && s.X.Lib.Name == "Raise"
	case StmtBlock:
		return then
	case StmtTry: // an error in the body leads to the handler
		return otherwise && (then || s.Marker)
	case StmtIf:
		switch test, known := s.X.Decide(); {
		case known && test:
			s.Else = nil
			return then
		case known:
			s.Then = nil
			return otherwise
		}
		return then && otherwise
	case StmtWhile:
		if test, known := s.X.Decide(); known && !test {
			s.Then = nil
		}
		return s.isEndless()
	}
	return false
}

// isEndless reports whether a loop ends by no test and no break.
func (s *Stmt) isEndless() bool {
	test, known := s.X.Decide()
	return known && test && jumpsOf(s.Then, false)&JumpBreak == 0
}

func pruneExpr(x *Expr) {
	if x == nil {
		return
	}
	for _, a := range x.Args {
		pruneExpr(a)
	}
	x.Body, _ = prune(x.Body)
}

package ir

// Regions finds the loops whose turns may leave memory behind that nothing
// points at; at their heads memory is given back. It needs what Infer found,
// and comes before anything that differs between levels: where the heap ends
// has a part in what growing a list costs.
func Regions(p *Program) {
	if p.SQL {
		return // the parts of texts point where collections do not look
	}
	for _, fn := range p.Functions {
		if fn.Reached {
			WalkStmts(fn.Body, func(s *Stmt) {
				switch s.Op {
				case StmtWhile, StmtCount, StmtEach:
					s.Leaves = loopLeaves(s)
				}
			})
		}
	}
}

// tidy are the library functions that leave nothing behind but what they give
// or store.
var tidy = map[string]bool{
	"ListLen": true, "ListAt": true, "Is": true, "TypeName": true, "Truthy": true, "Len": true, "Index": true,
	"SetIndex": true, "Contains": true, "Equal": true, "Less": true, "LessEqual": true, "MethodGet": true,
	"MethodAppend": true, "Push": true, "DictSet": true, "MethodPop": true, "Unpack2": true, "LoopBound": true,
	"Int": true, "Abs": true, "Min": true, "Max": true, "Round": true, "IsInstance": true,
	"MethodStartsWith": true, "MethodEndsWith": true, "MethodFind": true, "MethodCount": true,
	"MethodIsDigit": true, "MethodIsAlpha": true, "MethodIsAlnum": true,
	"ListLength": true, "ItemFromList": true, "Datum": true, "ErrorIs": true, "DropError": true,
	"IfEqual": true, "IfLess": true, "IfLessEqual": true, "IfIn": true,
}

// loopLeaves reports whether the turns of a loop may leave memory behind that
// nothing points at.
func loopLeaves(s *Stmt) bool {
	return s.Op == StmtWhile && exprLeaves(s.X) || listLeaves(s.Then)
}

func listLeaves(list []*Stmt) bool {
	leaves := false
	WalkStmts(list, func(s *Stmt) { leaves = leaves || s.Op == StmtTry })
	WalkExprs(list, func(x *Expr) { leaves = leaves || opLeaves(x) })
	return leaves
}

func exprLeaves(x *Expr) bool {
	return listLeaves([]*Stmt{{Op: StmtEval, X: x}})
}

func opLeaves(x *Expr) bool {
	switch x.Op {
	case OpConcat, OpNewList, OpNewDict, OpHost, OpCall:
		return true // a call may have a frame, if nothing else
	case OpLib:
		if x.Lib.Name == "Iterable" {
			return !x.Args[0].Type.Is(List)
		}
		return !tidy[x.Lib.Name]
	case OpBinary:
		return x.Type.May(Text | List)
	}
	return false
}

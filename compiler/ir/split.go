package ir

// Bounds limit what one WebAssembly function holds. An engine's compile time
// grows with the square of the number of basic blocks, which weights estimate.
type Bounds struct {
	List int // the most a list weighs that is left alone
	Part int // the most a part weighs, if it is more than one statement
	// Loops is how deep loops nest in one function; deeper bodies become parts.
	Loops int
	// Expr is the most an expression may weigh at all, since expressions are
	// not split.
	Expr int
}

// DefaultBounds are about a hundred statements that branch.
var DefaultBounds = Bounds{List: 320, Part: 160, Loops: 6, Expr: 2500}

// Split moves runs of statements out of long lists into parts, which become
// helper functions. Only whole statements move, so that hidden variables stay
// within one function. What is left of a list may still be too long; then the
// parts are grouped again. Split gives the sites of statements that are too
// complex for any function.
func Split(p *Program, b Bounds) (tooComplex []int) {
	for _, fn := range p.Functions {
		if fn.Reached {
			s := &splitter{fn: fn, Bounds: b}
			fn.Body, _ = s.list(fn.Body)
			tooComplex = append(tooComplex, s.tooComplex...)
		}
	}
	return tooComplex
}

type splitter struct {
	Bounds
	fn         *Func
	loops      int // open around the list at hand
	tooComplex []int
}

// list shortens a list and gives what it weighs then.
func (s *splitter) list(list []*Stmt) ([]*Stmt, int) {
	weights, total := make([]int, len(list)), 0
	for i, st := range list {
		weights[i] = s.stmt(st)
		total += weights[i]
	}
	for total > s.List {
		shorter, lighter := s.group(list, weights)
		if len(shorter) == len(list) {
			break
		}
		list, weights = shorter, lighter
		total = 0
		for _, w := range weights {
			total += w
		}
	}
	return list, total
}

// group makes parts of runs of whole statements.
func (s *splitter) group(list []*Stmt, weights []int) ([]*Stmt, []int) {
	var out []*Stmt
	var outWeights []int
	for i := 0; i < len(list); {
		j, w := i, 0
		for j < len(list) && list[j].Whole && (j == i || w+weights[j] <= s.Part) {
			w += weights[j]
			j++
		}
		// A part costs a call and a test; moving less is no gain.
		if part := newPart(list[i:j]); j > i && (j-i > 1 || w > s.Part && list[i].Op != StmtSplit) {
			s.fn.HasSplit = true
			out, outWeights = append(out, part), append(outWeights, part.weight())
			i = j
			continue
		}
		j = max(j, i+1)
		out, outWeights = append(out, list[i:j]...), append(outWeights, weights[i:j]...)
		i = j
	}
	return out, outWeights
}

func newPart(list []*Stmt) *Stmt {
	if len(list) == 0 {
		return nil
	}
	part := &Stmt{Op: StmtSplit, Site: list[0].Site, Then: list, Whole: true}
	part.Jumps = jumpsOf(list, false)
	return part
}

func (s *Stmt) weight() int {
	w := 2
	for j := s.Jumps; j != 0; j &= j - 1 {
		w += 2
	}
	return w
}

// jumpsOf finds the ways out of a list; breaks inside its own loops stay
// inside.
func jumpsOf(list []*Stmt, inLoop bool) Jumps {
	var j Jumps
	for _, s := range list {
		switch s.Op {
		case StmtReturn:
			j |= JumpReturn
		case StmtBreak:
			if !inLoop {
				j |= JumpBreak
			}
		case StmtContinue:
			if !inLoop {
				j |= JumpContinue
			}
		case StmtSplit:
			if inLoop {
				j |= s.Jumps & JumpReturn
			} else {
				j |= s.Jumps
			}
		case StmtWhile, StmtCount:
			j |= jumpsOf(s.Then, true)
		default:
			j |= jumpsOf(s.Then, inLoop) | jumpsOf(s.Else, inLoop)
		}
	}
	return j
}

// stmt shortens the lists inside a statement and weighs it.
func (s *splitter) stmt(st *Stmt) int {
	w := st.ownWeight()
	if w > s.Expr {
		s.tooComplex = append(s.tooComplex, st.Site)
	}
	switch st.Op {
	case StmtWhile, StmtCount:
		return w + s.loopBody(st)
	case StmtBlock:
		// The statements of a block share hidden variables.
		for _, inner := range st.Then {
			w += s.stmt(inner)
		}
		return w
	}
	then, otherwise := 0, 0
	st.Then, then = s.list(st.Then)
	st.Else, otherwise = s.list(st.Else)
	return w + then + otherwise
}

// ownWeight weighs a statement without the lists inside it.
func (s *Stmt) ownWeight() int {
	w := 1 + weigh(s.X) + weigh(s.Y)
	switch s.Op {
	case StmtIf:
		w += 3
	case StmtWhile, StmtCount:
		w += 6
	case StmtTry:
		w += 4
	}
	return w
}

// loopBody shortens the body of a loop. Where loops nest too deeply it becomes
// a part, and the count starts anew in there.
func (s *splitter) loopBody(st *Stmt) int {
	outer := s.loops
	defer func() { s.loops = outer }()
	s.loops++
	deep := s.loops > s.Loops
	if deep {
		s.loops = 0
	}
	body, weight := s.list(st.Then)
	if deep && allWhole(body) {
		part := newPart(body)
		s.fn.HasSplit = true
		body, weight = []*Stmt{part}, part.weight()
	}
	st.Then = body
	return weight
}

func allWhole(list []*Stmt) bool {
	for _, s := range list {
		if !s.Whole {
			return false
		}
	}
	return len(list) > 0
}

// blockCalls is how many calls that cannot fail cost about as much to compile
// as a block. An engine takes them in one after the other.
const blockCalls = 8

// weigh estimates the basic blocks of an expression.
func weigh(x *Expr) int { return (weighCalls(x) + blockCalls - 1) / blockCalls }

// weighCalls is weigh, with a call as the unit.
func weighCalls(x *Expr) int {
	if x == nil {
		return 0
	}
	w := blockCalls
	switch x.Op {
	case OpMissing, OpNull, OpBool, OpInt, OpFloat, OpText:
		return 0
	case OpLoad:
		if !x.Before.May(Undef) || x.Var.Scope == Hidden {
			w = 0
		}
	case OpBinary, OpCompare, OpIfCompare:
		w = 2 * blockCalls
	case OpNewList, OpNewDict, OpConcat:
		w = weighDisplay(x)
	case OpAnd, OpOr:
		w = (3 + 2*len(x.Args)) * blockCalls
	case OpCond, OpSoft:
		w = 3 * blockCalls
	case OpCall, OpHost:
		w = 2 * blockCalls
	case OpLib:
		if isText := x.Lib.Name == "Str" || x.Lib.Name == "ToText"; isText && x.Args[0].Type.Is(Text) {
			w = 0 // the text itself
		}
	}
	for _, a := range x.Args {
		w += weighCalls(a)
	}
	for _, s := range x.Body {
		w += weighStmt(s) * blockCalls
	}
	return w
}

// weighDisplay weighs the making of a list, dict or text of its parts.
func weighDisplay(x *Expr) int {
	if x.Op == OpNewList && x.AllConst() {
		return 1
	}
	w := 1 + len(x.Args)
	if x.Op == OpNewDict {
		for i := 0; i < len(x.Args); i += 2 {
			if !x.Args[i].IsConst() {
				w += 2 * blockCalls // it may be no key, which shows at the end
			}
		}
	}
	return w
}

// weighStmt weighs a statement inside an expression, which is never split.
func weighStmt(s *Stmt) int {
	w := 4 + weigh(s.X) + weigh(s.Y)
	for _, inner := range s.Then {
		w += weighStmt(inner)
	}
	for _, inner := range s.Else {
		w += weighStmt(inner)
	}
	return w
}

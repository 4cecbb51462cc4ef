package ir

// Items finds of which kinds the items of lists are. Lists that may be one are
// of one class: it joins what assignments, calls, displays and items make flow
// into each other, regardless of their order. What is stored in a list of the
// class decides what is read from any. A class is unknown when somebody else
// may store: the host, which may give globals their first values, or a function
// of the library that is not listed here.
//
// With the classes, kinds are inferred again, and once more for as long as what
// is stored grows. That pays where items are read often, so only programs that
// read some of a known class in loops or functions are looked at again. It
// comes behind Regions: memory must not depend on what is found here.
func Items(p *Program) {
	if !p.ReadsItems || p.SQL || len(p.Tasks) > 0 || len(p.Endpoints) > 0 {
		return
	}
	c := newClassifier(p)
	c.program()
	if !c.pays {
		return
	}
	p.items = true
	p.inferAgain()
}

// inferAgain infers kinds with the classes, if there are any, until what is
// stored grows no more; if that takes too long, without them.
func (p *Program) inferAgain() {
	for round := 0; p.items && round < maxRounds; round++ {
		p.forgetKinds()
		in := newInferer(p)
		in.items, in.last = true, round >= growRounds
		in.run()
		if p.unknown || !in.grown && len(in.empty) == 0 {
			return
		}
		if !in.grown { // nothing is ever stored there: no kind is right
			for _, i := range in.empty {
				i.spoil()
			}
		}
	}
	p.items = false
	p.forgetKinds()
	Infer(p)
}

const (
	// growRounds is how often what is stored in a class may grow before the
	// class counts as unknown.
	growRounds = 3
	// maxRounds is how often kinds are inferred before classes are given up.
	maxRounds = 6
)

// forgetKinds takes back what Infer found.
func (p *Program) forgetKinds() {
	for _, fn := range p.Functions {
		fn.Reached, fn.ParamKinds, fn.Result = false, nil, 0
		WalkStmts(fn.Body, func(s *Stmt) { s.Before = 0 })
		WalkExprs(fn.Body, func(x *Expr) { x.Type, x.Before, x.BeforeAll = 0, 0, nil })
	}
}

// items is a class of lists.
type items struct {
	parent  *items // of one that was joined with another
	kinds   Kinds
	inner   *items // the class of items that are lists
	unknown bool
}

func (i *items) root() *items {
	for i.parent != nil {
		if i.parent.parent != nil {
			i.parent = i.parent.parent
		}
		i = i.parent
	}
	return i
}

// join makes one class of two, of which either may be nil, and gives it.
func (i *items) join(j *items) *items {
	if i == nil {
		return j
	}
	i = i.root()
	if j == nil || i == j.root() {
		return i
	}
	j = j.root()
	j.parent = i
	i.kinds |= j.kinds
	inner := i.inner
	if i.inner == nil {
		i.inner = j.inner
	}
	if i.unknown || j.unknown {
		i.unknown = false
		i.spoil()
	}
	if inner != nil && j.inner != nil {
		inner.join(j.inner)
	}
	return i.root()
}

// spoil makes a class unknown, and what its lists hold as well.
func (i *items) spoil() {
	for i != nil && !i.root().unknown {
		i = i.root()
		i.unknown = true
		i = i.inner
	}
}

// held is the class of items that are lists.
func (i *items) held() *items {
	if i == nil {
		return nil
	}
	i = i.root()
	if i.inner == nil {
		i.inner = &items{unknown: i.unknown}
	}
	return i.inner
}

// classifier finds the classes.
type classifier struct {
	prog    *Program
	globals []*items
	vars    [][]*items // by function and slot; of globals those above
	results []*items
	// pays is set when items of a known class are read.
	pays  bool
	reads []*items

	fn *Func
	// assigned tells of each global whether the script itself has given it a
	// value by now. What is assigned inside a statement, depth counts how many
	// there are, is taken back behind it.
	assigned []bool
	depth    int
	trail    []int
	// pending are the globals that functions read and that have no value yet
	// which stays.
	pending map[int]bool
}

func newClassifier(p *Program) *classifier {
	c := &classifier{
		prog: p, globals: make([]*items, len(p.Globals)), vars: make([][]*items, len(p.Functions)),
		results: make([]*items, len(p.Functions)), assigned: make([]bool, len(p.Globals)), pending: map[int]bool{},
	}
	for i := range c.globals {
		c.globals[i] = &items{}
	}
	for _, fn := range p.Functions {
		classes := make([]*items, len(fn.Vars))
		for i, v := range fn.Vars {
			if v.Scope == Global {
				classes[i] = c.globals[v.Global]
			} else {
				classes[i] = &items{}
			}
		}
		c.vars[fn.Number] = classes
		c.results[fn.Number] = &items{}
	}
	return c
}

// program looks at the functions before it looks at the top level, which must
// know the globals that they read.
func (c *classifier) program() {
	for _, fn := range c.prog.Functions[1:] {
		if fn.Reached {
			c.fn = fn
			c.stmts(fn.Body)
		}
	}
	c.fn = c.prog.Functions[0]
	c.stmts(c.fn.Body)
	for _, i := range c.reads {
		c.pays = c.pays || !i.root().unknown
	}
}

func (c *classifier) class(v *Var) *items { return c.vars[c.fn.Number][v.Slot] }

func (c *classifier) stmts(list []*Stmt) {
	for _, s := range list {
		c.stmt(s)
	}
}

func (c *classifier) stmt(s *Stmt) {
	switch s.Op {
	case StmtBlock:
		c.stmts(s.Then)
		return
	case StmtAssign:
		if class := c.expr(s.X); class != nil {
			c.class(s.Var).join(class)
		}
		c.assign(s.Var)
		return
	case StmtReturn:
		c.results[c.fn.Number].join(c.expr(s.X))
		return
	}
	list := c.expr(s.X)
	c.expr(s.Y)
	c.inside(func() {
		if s.Op == StmtEach {
			c.read(list)
			c.class(s.Var).join(list.held())
		}
		if s.Var != nil {
			c.assign(s.Var)
		}
		c.stmts(s.Then)
	})
	c.inside(func() { c.stmts(s.Else) })
}

// inside looks at what may not run, and takes back what it assigned.
func (c *classifier) inside(look func()) {
	mark := len(c.trail)
	c.depth++
	look()
	c.depth--
	for _, g := range c.trail[mark:] {
		c.assigned[g] = false
	}
	c.trail = c.trail[:mark]
}

// read notes that items of a class are read.
func (c *classifier) read(list *items) {
	if list != nil {
		c.reads = append(c.reads, list)
	}
}

func (c *classifier) assign(v *Var) {
	if v.Scope != Global || c.fn.Number != 0 || c.assigned[v.Global] {
		return
	}
	c.assigned[v.Global] = true
	if c.depth == 0 {
		delete(c.pending, v.Global)
	} else {
		c.trail = append(c.trail, v.Global)
	}
}

// load gives the class of a variable, which is unknown if the value may be the
// host's.
func (c *classifier) load(v *Var) *items {
	class := c.class(v)
	if v.Fallback != nil {
		class.join(c.load(v.Fallback))
	}
	switch {
	case v.Scope != Global:
	case c.fn.Number != 0:
		c.pending[v.Global] = true
	case !c.assigned[v.Global]:
		class.spoil()
	}
	return class
}

// call is where functions read globals.
func (c *classifier) call(x *Expr) *items {
	for i, a := range x.Args {
		c.vars[x.Callee.Number][x.Callee.Params[i].Slot].join(c.expr(a))
	}
	if c.fn.Number == 0 {
		for g := range c.pending {
			c.globals[g].spoil()
			delete(c.pending, g)
		}
	}
	return c.results[x.Callee.Number]
}

// expr gives the class of an expression's value, or nil for one that is no
// list.
func (c *classifier) expr(x *Expr) *items {
	if x == nil {
		return nil
	}
	class := c.operation(x)
	if !x.Type.May(List|Dict) || x.Type == 0 {
		return nil
	}
	if class == nil {
		class = &items{unknown: true}
	}
	x.items = class
	return class
}

func (c *classifier) operation(x *Expr) *items {
	switch x.Op {
	case OpLoad:
		return c.load(x.Var)
	case OpCall:
		return c.call(x)
	case OpLib:
		return c.lib(x)
	case OpCond:
		c.expr(x.Args[0])
		return c.all(x.Args[1:])
	case OpBinary, OpAnd, OpOr, OpSoft:
		return c.all(x.Args)
	case OpDo:
		var class *items
		c.inside(func() {
			c.stmts(x.Body)
			class = c.expr(x.Args[0])
		})
		return class
	case OpNewList:
		class := &items{}
		for _, a := range x.Args {
			class.stores(a, c.expr(a))
		}
		return class
	}
	for _, a := range x.Args {
		if class := c.expr(a); x.Op == OpNewDict || x.Op == OpHost {
			class.spoil()
		}
	}
	return nil
}

// all makes one class of what an operation may give.
func (c *classifier) all(args []*Expr) *items {
	var class *items
	for _, a := range args {
		class = class.join(c.expr(a))
	}
	return class
}

// stores notes that a value of a class becomes an item. What is known of its
// kinds for sure is noted at once, which spares a round.
func (i *items) stores(x *Expr, value *items) {
	if value != nil {
		i.held().join(value)
	}
	if x.Type.isScalar() {
		i.root().kinds |= x.Type
	}
}

// isScalar reports whether values of a set are of one kind, and no containers.
func (k Kinds) isScalar() bool {
	switch k {
	case Null, Bool, Int, Float, Text:
		return true
	}
	return false
}

// effect is what a library function does with the lists it is given.
type effect uint8

const (
	spoils   effect = iota // anything
	looks                  // it reads them, and gives no part of them
	hands                  // what it gives may be one of the first one's items, or hold some
	passes                 // what it gives has the same items as the first
	takes                  // it gives an item of the first
	puts                   // it makes the last given one an item of the first
	makesInt               // it gives a list of integers
	makesText
)

var effects = map[string]effect{
	"Len": looks, "ListLen": looks, "ListLength": looks, "Truthy": looks, "Is": looks, "Equal": looks, "Less": looks,
	"LessEqual": looks, "Contains": looks, "Str": looks, "Repr": looks, "ToText": looks, "FormatValue": looks,
	"PercentFormat": looks, "TypeName": looks, "IsInstance": looks, "Int": looks, "Float": looks, "Abs": looks,
	"Round": looks, "Any": looks, "All": looks, "Print": looks, "MethodJoin": looks, "MethodCount": looks,
	"MethodIndex": looks, "MethodSort": looks, "MethodReverse": looks, "MethodRemove": looks, "Unpack2": looks,
	"AddResult": looks, "IfEqual": looks, "IfLess": looks, "IfLessEqual": looks, "IfIn": looks, "LoopBound": looks,
	"Sum": hands, "Min": hands, "Max": hands, "ListOf": hands, "Zip": hands, "Enumerate": hands, "ItemFromList": hands,
	"Slice": passes, "Sorted": passes, "CommandAddVar": passes, "Iterable": passes,
	"Index": takes, "MethodPop": takes, "ListAt": takes, "UnpackItem": takes,
	"SetIndex": puts, "MethodInsert": puts, "MethodAppend": puts, "Push": puts,
	"Range": makesInt, "MethodSplit": makesText,
}

func (c *classifier) lib(x *Expr) *items {
	classes := make([]*items, len(x.Args))
	for i, a := range x.Args {
		classes[i] = c.expr(a)
	}
	switch effects[x.Lib.Name] {
	case spoils:
		for _, i := range classes {
			i.spoil()
		}
	case looks:
	case hands:
		classes[0].held().spoil()
		for _, i := range classes[1:] {
			i.spoil()
		}
	case passes:
		if x.Args[0].Type.Is(List) || x.Lib.Name == "CommandAddVar" {
			return classes[0]
		}
		classes[0].spoil()
	case takes:
		c.read(classes[0])
		return classes[0].held()
	case puts:
		if i := x.stored(); classes[0] != nil {
			classes[0].stores(x.Args[i], classes[i])
		}
	case makesInt:
		return &items{kinds: Int}
	case makesText:
		return &items{kinds: Text}
	}
	return nil
}

// stored is the argument that becomes an item.
func (x *Expr) stored() int {
	switch x.Lib.Name {
	case "SetIndex", "MethodInsert":
		return 2
	}
	return 1
}

// read gives the kinds of the items of a list.
func (in *inferer) read(list *Expr) Kinds {
	if !in.items || list.items == nil || !list.Type.Is(List) {
		return Any
	}
	i := list.items.root()
	switch {
	case i.unknown:
		return Any
	case i.kinds == 0:
		in.empty = append(in.empty, i)
	}
	return i.kinds
}

// store notes what becomes an item of a list.
func (in *inferer) store(list *Expr, k Kinds) {
	if !in.items || list.items == nil {
		return
	}
	i := list.items.root()
	if k &^= Undef; i.unknown || i.kinds|k == i.kinds {
		return
	}
	in.grown = true
	i.kinds |= k
	if in.last {
		i.spoil()
	}
}

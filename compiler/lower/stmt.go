package lower

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/compiler/syntax"
)

func (l *lowerer) stmts(list []syntax.Stmt) []*ir.Stmt {
	var out []*ir.Stmt
	for _, s := range list {
		out = append(out, l.logged(s)...)
	}
	return out
}

// logged lowers a statement; where statements are logged, what it becomes is
// kept together.
func (l *lowerer) logged(s syntax.Stmt) []*ir.Stmt {
	switch s := s.(type) {
	case *syntax.Function:
		return nil
	case *syntax.Import:
		return l.splice(s)
	}
	l.at(s, commandName(s))
	site := l.site
	if !l.logging {
		return whole(site, l.stmt(s))
	}
	if try, ok := s.(*syntax.Try); ok && try.Marker {
		return whole(site, l.stmt(s)) // its statements stand at the top level
	}
	l.logging = false
	block := &ir.Stmt{Op: ir.StmtBlock, Site: site, Logged: true, Whole: true, Then: l.stmt(s)}
	l.logging = true
	return []*ir.Stmt{block}
}

// whole marks what one statement became as a unit.
func whole(site int, list []*ir.Stmt) []*ir.Stmt {
	if len(list) != 1 {
		list = []*ir.Stmt{{Op: ir.StmtBlock, Site: site, Then: list}}
	}
	list[0].Whole = true
	return list
}

// splice puts another file's top level in the place of its import.
func (l *lowerer) splice(s *syntax.Import) []*ir.Stmt {
	file, here := l.opts.Imported(l.file, s)
	if !here {
		return nil
	}
	outer := l.file
	l.setFile(file)
	body := l.stmts(l.files[file].Body)
	l.setFile(outer)
	return body
}

// commandName is what the log calls a statement.
func commandName(s syntax.Stmt) string {
	switch s := s.(type) {
	case *syntax.Assign:
		return "assign"
	case *syntax.CallStmt:
		switch call := s.Call.(type) {
		case *syntax.CommandCall:
			return call.Name.Name
		case *syntax.FuncCall:
			return call.Name.Name
		case *syntax.BuiltinCall:
			return call.Name.Name
		case *syntax.MethodCall:
			return call.Name.Name
		case *syntax.Go:
			return "go"
		}
	case *syntax.If:
		return "if"
	case *syntax.Loop:
		return "startLoop"
	case *syntax.While:
		return "while"
	case *syntax.Try:
		return "try"
	case *syntax.Return:
		return "return"
	case *syntax.Async:
		return "go_async"
	case *syntax.Break:
		return "break"
	case *syntax.Continue:
		return "continue"
	}
	return ""
}

func (l *lowerer) stmt(s syntax.Stmt) []*ir.Stmt {
	switch s := s.(type) {
	case *syntax.Assign:
		return l.assignment(s)
	case *syntax.CallStmt:
		return l.callStmt(s)
	case *syntax.If:
		return l.ifStmt(s)
	case *syntax.Loop:
		return l.loop(s)
	case *syntax.While:
		out := &ir.Stmt{Op: ir.StmtWhile, Site: l.site}
		l.loopDepth++
		out.X = l.expr(s.Cond)
		out.Then = l.stmts(s.Body)
		l.loopDepth--
		return []*ir.Stmt{out}
	case *syntax.Try:
		return l.try(s)
	case *syntax.Async:
		return l.block(s)
	case *syntax.Break:
		return []*ir.Stmt{{Op: ir.StmtBreak, Site: l.site}}
	case *syntax.Continue:
		return []*ir.Stmt{{Op: ir.StmtContinue, Site: l.site}}
	case *syntax.Return:
		value := null()
		if s.Value != nil {
			value = l.expr(s.Value)
		}
		return []*ir.Stmt{{Op: ir.StmtReturn, Site: l.site, X: value}}
	}
	return nil
}

func (l *lowerer) callStmt(s *syntax.CallStmt) []*ir.Stmt {
	if call, ok := s.Call.(*syntax.CommandCall); ok {
		return l.commandStmt(call)
	}
	return []*ir.Stmt{l.eval(l.expr(s.Call))}
}

func (l *lowerer) assignment(s *syntax.Assign) []*ir.Stmt {
	name, plain := s.Target.(*syntax.Name)
	switch {
	case plain && s.Op == syntax.NoOp:
		v := l.variable(name.Name)
		if call, ok := s.Value.(*syntax.CommandCall); ok && call.Place == syntax.AsTarget {
			return []*ir.Stmt{l.assign(v, l.command(call, v))}
		}
		return []*ir.Stmt{l.assign(v, l.expr(s.Value))}
	case plain:
		return l.augmented(l.variable(name.Name), s)
	}
	target := s.Target.(*syntax.Index)
	if s.Op == syntax.NoOp {
		return l.store(target, l.expr(s.Value))
	}
	return l.augmentedItem(target, s)
}

// store assigns an element: as in Python the value is computed first, then the
// container, then the index.
func (l *lowerer) store(target *syntax.Index, value *ir.Expr) []*ir.Stmt {
	var out []*ir.Stmt
	v := l.held(value, &out)
	set := lib("SetIndex", l.expr(target.X), l.expr(target.I), v())
	set.Site = l.siteOf(target)
	return append(out, l.eval(set))
}

// inPlace names the functions that change a list itself, as Python's `+=` and
// `*=` do.
var inPlace = map[syntax.BinaryOp]string{syntax.Add: "MethodExtend", syntax.Mul: "RepeatInPlace"}

// augmented is `name op= e`.
func (l *lowerer) augmented(v *ir.Var, s *syntax.Assign) []*ir.Stmt {
	change, ok := inPlace[s.Op]
	if !ok {
		return []*ir.Stmt{l.assign(v, operate(s.Op, l.get(v), l.expr(s.Value), s.Value))}
	}
	var out []*ir.Stmt
	old := l.held(l.get(v), &out)
	value := l.held(l.expr(s.Value), &out)
	return append(out, l.branch(isKind(old(), ir.List),
		[]*ir.Stmt{l.eval(lib(change, old(), value())), l.assign(v, old())},
		[]*ir.Stmt{l.assign(v, binary(operators[s.Op], old(), value()))}))
}

func (l *lowerer) augmentedItem(target *syntax.Index, s *syntax.Assign) []*ir.Stmt {
	l.readsItems()
	var out []*ir.Stmt
	container := l.held(l.expr(target.X), &out)
	index := l.held(l.expr(target.I), &out)
	old := l.held(lib("Index", container(), index()), &out)
	value := l.held(l.expr(s.Value), &out)
	set := func(x *ir.Expr) *ir.Stmt { return l.eval(lib("SetIndex", container(), index(), x)) }
	change, ok := inPlace[s.Op]
	if !ok {
		return append(out, set(operate(s.Op, old(), value(), s.Value)))
	}
	return append(out, l.branch(isKind(old(), ir.List),
		[]*ir.Stmt{l.eval(lib(change, old(), value())), set(old())},
		[]*ir.Stmt{set(binary(operators[s.Op], old(), value()))}))
}

var ifOperators = map[syntax.IfOp]ir.Operator{
	syntax.IfEq: ir.Equal, syntax.IfNe: ir.NotEqual, syntax.IfLt: ir.Less,
	syntax.IfGt: ir.Greater, syntax.IfLe: ir.LessEqual, syntax.IfGe: ir.GreaterEqual,
}

func (l *lowerer) ifStmt(s *syntax.If) []*ir.Stmt {
	test := l.condition(&s.Cond)
	site := l.site
	out := l.branch(test, l.stmts(s.Then), l.stmts(s.Else))
	out.Site = site
	return []*ir.Stmt{out}
}

func (l *lowerer) condition(c *syntax.Condition) *ir.Expr {
	if c.Expr != nil {
		l.soft = true
		x := truth(l.expr(c.Expr))
		l.soft = false
		return op(ir.OpSoft, x, boolean(false))
	}
	left, right := l.argOrNull(c.Left), l.argOrNull(c.Right)
	if c.Op == syntax.IfIn {
		return lib("IfIn", left, right)
	}
	return &ir.Expr{Op: ir.OpIfCompare, Operator: ifOperators[c.Op], Args: []*ir.Expr{left, right}}
}

func (l *lowerer) loop(s *syntax.Loop) []*ir.Stmt {
	out := &ir.Stmt{
		Op: ir.StmtCount, Site: l.site,
		X: lib("LoopBound", l.argOrNull(s.First)), Y: lib("LoopBound", l.argOrNull(s.Last)),
		Counter: l.hidden("counter"), Limit: l.hidden("limit"),
	}
	l.loopDepth++
	out.Var = l.variable(s.Var.Name)
	l.use(out.Var)
	out.Then = l.stmts(s.Body)
	l.loopDepth--
	return []*ir.Stmt{out}
}

func (l *lowerer) try(s *syntax.Try) []*ir.Stmt {
	l.prog.HasTry = true
	l.global(lastError)
	out := &ir.Stmt{Op: ir.StmtTry, Site: l.site, Marker: s.Marker, Caught: l.hidden("caught")}
	out.Then = l.stmts(s.Body)
	l.at(s.Exception, "exception")
	if v := s.Exception.Var; v != nil {
		out.Else = append(out.Else, l.assign(l.variable(v.Name), l.get(out.Caught)))
	}
	switch target := s.Exception.Target.(type) {
	case *syntax.Name:
		out.Else = append(out.Else, l.assign(l.variable(target.Name), l.get(out.Caught)))
	case *syntax.Index:
		out.Else = append(out.Else, l.store(target, l.get(out.Caught))...)
	}
	out.Else = append(out.Else, l.stmts(s.Handler)...)
	return []*ir.Stmt{out}
}

package reference

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
)

// How a list of statements was left.
type exit int

const (
	goesOn exit = iota
	breaks
	continues
	returns
)

// softName is an undefined name in the expression form of if.
type softName struct{}

func (in *interpreter) stmts(body []syntax.Stmt, top bool) exit {
	for i := range body {
		if how := in.stmt(body[i], top); how != goesOn {
			return how
		}
	}
	return goesOn
}

// place makes a statement the place of failures to come.
func (in *interpreter) place(n syntax.Node, command string) {
	p := in.source.Position(n.Start())
	in.line, in.column, in.command = p.Line, p.Column, command
	in.stmtLine, in.stmtColumn = p.Line, p.Column
}

func (in *interpreter) stmt(s syntax.Stmt, top bool) (how exit) {
	in.step()
	switch s := s.(type) {
	case *syntax.Function:
		return goesOn
	case *syntax.Import:
		return in.splice(s)
	}
	in.place(s, commandName(s))
	logged := in.request.Logs && top && in.child == 0
	if try, ok := s.(*syntax.Try); ok && try.Marker {
		return in.markerTry(try, top)
	}
	if !logged {
		return in.stmtBody(s)
	}
	line, command := in.line, in.command
	defer func() {
		switch r := recover().(type) {
		case nil:
			in.log(entry{Command: command, Line: line, Success: "true"})
		case *failure:
			in.log(entry{Command: command, Line: line, Success: "false", Error: r.message})
			panic(r)
		default:
			panic(r)
		}
	}()
	return in.stmtBody(s)
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
		}
		return "go"
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
	}
	return "continue"
}

func (in *interpreter) stmtBody(s syntax.Stmt) exit {
	switch s := s.(type) {
	case *syntax.Assign:
		in.assign(s)
	case *syntax.CallStmt:
		if call, ok := s.Call.(*syntax.CommandCall); ok {
			in.commandCall(call, "")
		} else {
			in.eval(s.Call)
		}
	case *syntax.If:
		if in.condition(&s.Cond) {
			return in.stmts(s.Then, false)
		}
		return in.stmts(s.Else, false)
	case *syntax.Loop:
		return in.loop(s)
	case *syntax.While:
		for {
			in.place(s, "while")
			if !truthy(in.eval(s.Cond)) {
				return goesOn
			}
			if how := in.stmts(s.Body, false); how == breaks {
				return goesOn
			} else if how == returns {
				return how
			}
		}
	case *syntax.Try:
		return in.blockTry(s)
	case *syntax.Async:
		in.spawnBlock(s)
	case *syntax.Break:
		return breaks
	case *syntax.Continue:
		return continues
	case *syntax.Return:
		in.frame.result = nil
		if s.Value != nil {
			in.frame.result = in.eval(s.Value)
		}
		return returns
	}
	return goesOn
}

func (in *interpreter) assign(s *syntax.Assign) {
	if name, ok := s.Target.(*syntax.Name); ok {
		in.assignName(name.Name, s)
		return
	}
	target := s.Target.(*syntax.Index)
	if s.Op == syntax.NoOp {
		v := in.eval(s.Value)
		in.store(target, v)
		return
	}
	container, i := in.eval(target.X), in.eval(target.I)
	old := in.index(container, i)
	v := in.eval(s.Value)
	in.setIndex(container, i, in.augment(s.Op, old, v, s.Value))
}

func (in *interpreter) assignName(name string, s *syntax.Assign) {
	if s.Op != syntax.NoOp {
		old := in.read(name)
		in.write(name, in.augment(s.Op, old, in.eval(s.Value), s.Value))
		return
	}
	if call, ok := s.Value.(*syntax.CommandCall); ok && call.Place == syntax.AsTarget {
		in.write(name, in.commandCall(call, name))
		return
	}
	in.write(name, in.eval(s.Value))
}

// store assigns an element, after its value was computed: the container first, then the index.
func (in *interpreter) store(target *syntax.Index, v value) {
	container, i := in.eval(target.X), in.eval(target.I)
	in.setIndex(container, i, v)
}

// augment is `op=`: lists change in place.
func (in *interpreter) augment(op syntax.BinaryOp, old, v value, source syntax.Expr) value {
	l, isList := old.(*list)
	switch {
	case isList && op == syntax.Add:
		listMethods["extend"](in, l, []value{v})
		return l
	case isList && op == syntax.Mul:
		if _, ok := integral(v); !ok {
			panic(in.mistyped("operands of *="))
		}
		l.items = in.repeat(l, v).(*list).items
		return l
	}
	return in.operate(op, old, v, source)
}

func (in *interpreter) condition(c *syntax.Condition) (holds bool) {
	if c.Expr != nil {
		depth := len(in.frames)
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(*softName); !ok {
					panic(r)
				}
				in.frames, in.soft, holds = in.frames[:depth], false, false
			}
		}()
		in.soft = true
		holds = truthy(in.eval(c.Expr))
		in.soft = false
		return holds
	}
	left, right := in.argument(c.Left), in.argument(c.Right)
	switch c.Op {
	case syntax.IfEq:
		return in.ifEqual(left, right)
	case syntax.IfNe:
		return !in.ifEqual(left, right)
	case syntax.IfIn:
		return in.ifIn(left, right)
	}
	x, y := in.ifNumber(left), in.ifNumber(right)
	order, ordered := compareNumbers(x, y)
	switch c.Op {
	case syntax.IfLt:
		return ordered && order < 0
	case syntax.IfGt:
		return ordered && order > 0
	case syntax.IfLe:
		return ordered && order <= 0
	}
	return ordered && order >= 0
}

func (in *interpreter) ifEqual(a, b value) bool {
	x, xOk := countsAs(a)
	y, yOk := countsAs(b)
	if xOk && yOk {
		order, ordered := compareNumbers(x, y)
		return ordered && order == 0
	}
	return kindOf(a) == kindOf(b) && in.equal(a, b)
}

func (in *interpreter) ifNumber(v value) value {
	if b, ok := v.(bool); ok {
		return whole(b)
	}
	number, ok := countsAs(v)
	if !ok {
		panic(in.unfit("not a number"))
	}
	return number
}

func (in *interpreter) ifIn(a, b value) bool {
	switch b := b.(type) {
	case string:
		return strings.Contains(b, in.str(a))
	case *list:
		return slices.ContainsFunc(b.items, func(item value) bool { return in.ifEqual(a, item) })
	case *dict:
		return slices.ContainsFunc(b.entries(), func(p pair) bool { return in.ifEqual(a, p.key) })
	}
	panic(in.mistyped("not iterable"))
}

// bound is a bound of startLoop.
func (in *interpreter) loopBound(v value) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return in.truncate(v).(int64)
	case string:
		body := strings.Trim(v, " \t\n\v\f\r")
		if allDigits(strings.TrimPrefix(strings.TrimPrefix(body, "-"), "+")) && strings.Count(body, "-")+strings.Count(body, "+") < 2 {
			number, _ := numberText(v)
			i, ok := number.(int64)
			if !ok {
				panic(in.overflow())
			}
			return i
		}
	}
	panic(in.unfit("bound of a loop"))
}

func (in *interpreter) loop(s *syntax.Loop) exit {
	first := in.loopBound(in.argument(s.First))
	last := in.loopBound(in.argument(s.Last))
	for i := first; i <= last; i++ {
		in.step()
		in.write(s.Var.Name, i)
		if how := in.stmts(s.Body, false); how == breaks {
			return goesOn
		} else if how == returns {
			return how
		}
		if i == last {
			break
		}
	}
	return goesOn
}

// protect runs the protected part of a try. The failure is nil if there was none.
func (in *interpreter) protect(body func() exit) (how exit, caught *failure) {
	depth, soft := len(in.frames), in.soft
	frame := in.frame
	bound := frame.bound
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		f, ok := r.(*failure)
		if !ok || f.fatal {
			panic(r)
		}
		in.frames, in.frame, in.soft = in.frames[:depth], frame, soft
		frame.bound = bound
		in.log(entry{Command: f.command, Line: cmp.Or(f.logged, f.line), Success: "false", Error: f.message})
		how, caught = goesOn, f
	}()
	return body(), nil
}

func (in *interpreter) blockTry(s *syntax.Try) exit {
	how, caught := in.protect(func() exit { return in.stmts(s.Body, false) })
	if caught == nil {
		return how
	}
	in.global("__last_error__", caught.message)
	in.handle(s, caught.message)
	return in.stmts(s.Handler, false)
}

// markerTry always reaches its exception.
func (in *interpreter) markerTry(s *syntax.Try, top bool) exit {
	how, caught := in.protect(func() exit { return in.stmts(s.Body, top) })
	if how != goesOn {
		return how
	}
	message := "No error detected"
	if caught != nil {
		message = caught.message
		in.global("__last_error__", message)
	}
	in.handle(s, message)
	return goesOn
}

func (in *interpreter) handle(s *syntax.Try, message string) {
	in.place(s.Exception, "exception")
	if v := s.Exception.Var; v != nil {
		in.write(v.Name, message)
	}
	switch target := s.Exception.Target.(type) {
	case *syntax.Name:
		in.write(target.Name, message)
	case *syntax.Index:
		in.store(target, message)
	}
}

// frame is a call of a function.
type frame struct {
	locals map[string]bool // the names that are local; nil at the top level
	vars   map[string]value
	bound  []binding // names of comprehensions, innermost last
	result value
}

type binding struct {
	name  string
	value value
}

// lookup finds what a name means now: a comprehension's name, a local once it is assigned, a global.
func (in *interpreter) lookup(name string) (value, bool) {
	f := in.frame
	for _, b := range slices.Backward(f.bound) {
		if b.name == name {
			return b.value, true
		}
	}
	if f.locals[name] {
		if v, ok := f.vars[name]; ok {
			return v, true
		}
	}
	v, ok := in.globals[name]
	return v, ok
}

func (in *interpreter) read(name string) value {
	v, ok := in.lookup(name)
	if !ok {
		if in.soft {
			panic(&softName{})
		}
		panic(in.undefined(name))
	}
	return v
}

func (in *interpreter) write(name string, v value) {
	if in.frame.locals[name] {
		in.frame.vars[name] = v
		return
	}
	in.global(name, v)
}

func (in *interpreter) global(name string, v value) {
	if _, ok := in.globals[name]; !ok {
		in.order = append(in.order, name)
	}
	in.globals[name] = v
}

// call calls a function of the script.
func (in *interpreter) call(name string, args []value) value {
	f := in.functions[name]
	if len(in.frames) >= mostCalls {
		in.leave("more calls within each other than a test is worth")
	}
	line, column, command, stmtLine, stmtColumn, soft, source := in.line, in.column, in.command, in.stmtLine, in.stmtColumn, in.soft, in.source
	inner := &frame{locals: f.locals, vars: map[string]value{}}
	for i, p := range f.decl.Params {
		inner.vars[p.Name] = nil
		if i < len(args) {
			inner.vars[p.Name] = args[i]
		}
	}
	outer := in.frame
	in.frames = append(in.frames, inner)
	in.frame, in.soft, in.source = inner, false, f.source
	in.stmts(f.decl.Body, false)
	in.frames = in.frames[:len(in.frames)-1]
	in.frame, in.soft, in.source = outer, soft, source
	in.line, in.column, in.command, in.stmtLine, in.stmtColumn = line, column, command, stmtLine, stmtColumn
	return inner.result
}

// function is a function with the names that are local in it.
type function struct {
	decl   *syntax.Function
	locals map[string]bool
	source *syntax.Source
}

func newFunction(decl *syntax.Function, source *syntax.Source) *function {
	f := &function{decl: decl, locals: map[string]bool{}, source: source}
	for _, p := range decl.Params {
		f.locals[p.Name] = true
	}
	syntax.WalkStmts(decl.Body, func(s syntax.Stmt) bool {
		switch s := s.(type) {
		case *syntax.Assign:
			f.assigns(s.Target)
		case *syntax.Loop:
			f.locals[s.Var.Name] = true
		case *syntax.Try:
			if s.Exception.Var != nil {
				f.locals[s.Exception.Var.Name] = true
			}
			f.assigns(s.Exception.Target)
		}
		return true
	})
	maps.DeleteFunc(f.locals, func(name string, _ bool) bool { return name == "_status" || name == "__last_error__" })
	return f
}

func (f *function) assigns(target syntax.Expr) {
	if name, ok := target.(*syntax.Name); ok {
		f.locals[name.Name] = true
	}
}

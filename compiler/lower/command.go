package lower

import (
	"slices"

	"github.com/avapd/avapd/compiler/check"
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/catalog"
)

// commandStmt is a command alone on a line.
func (l *lowerer) commandStmt(call *syntax.CommandCall) []*ir.Stmt {
	c := commandOf(call)
	if c == nil {
		return []*ir.Stmt{l.eval(l.unknownCommand(call))}
	}
	b := check.Bind(c, call)
	if b.Target == "" {
		return []*ir.Stmt{l.eval(l.invoke(b, nil))}
	}
	v := l.variable(b.Target)
	return []*ir.Stmt{l.assign(v, l.invoke(b, v))}
}

// command is a command in target form; v takes the result.
func (l *lowerer) command(call *syntax.CommandCall, v *ir.Var) *ir.Expr {
	c := commandOf(call)
	if c == nil {
		return l.unknownCommand(call)
	}
	return l.invoke(check.Bind(c, call), v)
}

// commandExpr is a command inside an expression. A target that is given takes
// the value as well.
func (l *lowerer) commandExpr(call *syntax.CommandCall) *ir.Expr {
	outer := l.soft
	l.soft = false
	defer func() { l.soft = outer }()
	c := commandOf(call)
	if c == nil {
		return l.unknownCommand(call)
	}
	b := check.Bind(c, call)
	if b.Target == "" {
		return l.invoke(b, nil)
	}
	v := l.variable(b.Target)
	var body []*ir.Stmt
	value := l.held(l.invoke(b, v), &body)
	return do(append(body, l.assign(v, value())), value())
}

// invoke lowers a command with its arguments in their places. v is the target
// where there is one.
func (l *lowerer) invoke(b check.Binding, v *ir.Var) *ir.Expr {
	switch b.Command.Name {
	case "registerEndpoint":
		return null()
	case "addVar":
		return l.addVar(b)
	case "addResult":
		name, _ := check.NameOf(b.Args[0])
		return lib("AddResult", text(name), l.load(l.variable(name), ir.Raw))
	}
	var args []*ir.Expr
	for i, p := range b.Command.Params {
		switch {
		case p.Kind == catalog.Target:
		case p.LiteralKey && b.Args[i] != nil && b.Args[i].Kind == syntax.ArgWord:
			return l.literalKey(b, args[0], b.Args[i].Text)
		default:
			args = append(args, l.param(p, b.Args[i]))
		}
	}
	if b.Command.ReadsTarget && v != nil {
		args = append(args, l.load(v, ir.Raw))
	}
	switch {
	case b.Command.Host == abi.GatherField:
		return l.gather(args)
	case b.Command.Name == "RequestPost":
		return l.post(args)
	case b.Command.Guest == "":
		return host(b.Command.Host, args...)
	case b.Command.Host != "":
		args = append([]*ir.Expr{host(b.Command.Host)}, args...)
	}
	return lib(b.Command.Guest, args...)
}

// addVar takes `$x` of an undefined x for null.
func (l *lowerer) addVar(b check.Binding) *ir.Expr {
	arg := b.Args[1]
	if arg.Kind != syntax.ArgDollar {
		return lib(b.Command.Guest, l.arg(arg))
	}
	v := l.variable(arg.Text)
	l.use(v)
	return lib(b.Command.Guest, cond(&ir.Expr{Op: ir.OpDefined, Vars: []*ir.Var{v}}, l.get(v), null()))
}

// literalKey is a bare word as the key of a dict: the word itself when the
// dict has it, else the variable of that name. JSON text is tried both ways.
func (l *lowerer) literalKey(b check.Binding, source *ir.Expr, word string) *ir.Expr {
	var body []*ir.Stmt
	from := l.held(source, &body)
	v := l.variable(word)
	l.use(v)
	variable := func() *ir.Expr { return lib(b.Command.Guest, from(), l.get(v)) }
	result := l.hidden("value")
	literal := func() *ir.Expr { return lib(b.Command.Guest, from(), text(word)) }
	isDefined := &ir.Expr{Op: ir.OpDefined, Vars: []*ir.Var{v}}
	inDict := cond(isKind(from(), ir.Dict), not(lib("Contains", text(word), from())), isKind(l.get(result), ir.Null))
	body = append(body,
		l.assign(result, literal()),
		l.branch(op(ir.OpAnd, isDefined, inDict), []*ir.Stmt{l.assign(result, variable())}, nil))
	return do(body, l.get(result))
}

// post hands the body over twice: as it is, because JSON text is sent as it
// stands, and as what the text holds.
func (l *lowerer) post(args []*ir.Expr) *ir.Expr {
	var body []*ir.Stmt
	for i, a := range args {
		args[i] = l.held(a, &body)()
	}
	held := args[len(args)-1]
	again := *held
	if again.Op == ir.OpLoad {
		l.use(again.Var)
	}
	return do(body, host("http_post", append(args, lib("LiteralOf", &again))...))
}

func (l *lowerer) param(p catalog.Param, a *syntax.Arg) *ir.Expr {
	if p.Literal && a != nil {
		return lib("LiteralOf", l.arg(a))
	}
	switch {
	case a == nil:
		return missing()
	case p.OwnText && (a.Kind == syntax.ArgWord || a.Kind == syntax.ArgQuoted):
		l.parameter(a.Text)
		return text(a.Text)
	case p.Kind == catalog.Source:
		if name, ok := check.NameOf(a); ok {
			return l.load(l.variable(name), ir.Raw)
		}
	}
	return l.arg(a)
}

// parameter notes the name of a parameter of the request.
func (l *lowerer) parameter(name string) {
	if !slices.Contains(l.prog.Parameters, name) {
		l.prog.Parameters = append(l.prog.Parameters, name)
	}
}

// argOrNull reads an argument of a block word; an empty one is null.
func (l *lowerer) argOrNull(a *syntax.Arg) *ir.Expr {
	if a == nil || a.Kind == syntax.ArgEmpty {
		return null()
	}
	return l.arg(a)
}

// arg reads an argument as a value.
func (l *lowerer) arg(a *syntax.Arg) *ir.Expr {
	switch a.Kind {
	case syntax.ArgQuoted, syntax.ArgRaw:
		return text(a.Text)
	case syntax.ArgTemplate, syntax.ArgDollar:
		return l.expr(a.Expr)
	case syntax.ArgEmpty:
		return missing()
	}
	value := l.expr(a.Expr)
	if test := l.defined(a.Expr); test != nil {
		return cond(test, value, text(a.Text))
	}
	return value
}

// unknownCommand calls what may be registered under the name. Nothing is known
// of its interface: it gets all arguments by position, null for one not given.
func (l *lowerer) unknownCommand(call *syntax.CommandCall) *ir.Expr {
	args := make([]*ir.Expr, len(call.Args))
	for i, a := range call.Args {
		if a.Kind == syntax.ArgEmpty {
			args[i] = null()
		} else {
			args[i] = l.arg(a)
		}
	}
	return host(abi.RegisteredField, text(call.Name.Name), list(args...))
}

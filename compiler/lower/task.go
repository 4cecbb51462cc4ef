package lower

import (
	"maps"
	"slices"
	"strings"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/runtime/abi"
)

// Bounds on what a script can start, because what it takes to copy variables
// is written out for each task and for each gather.
const (
	maxTasks  = 1000
	maxCopies = 100_000
	// maxBlockLocals keeps below what engines accept as parameters of a function,
	// of which a value takes two.
	maxBlockLocals = 400
)

// goCall starts a script function beside the caller.
func (l *lowerer) goCall(x *syntax.Go) *ir.Expr {
	call := l.funcCall(l.funcs[x.Func.Name], l.exprs(x.Args))
	target := call
	if call.Op == ir.OpDo { // surplus arguments
		target = call.Args[0]
	}
	*target = *l.spawn(target.Callee, false, target.Args)
	return call
}

// spawn starts a task; of a block the handle follows.
func (l *lowerer) spawn(fn *ir.Func, block bool, args []*ir.Expr, handle ...*ir.Expr) *ir.Expr {
	index, ok := l.tasks[fn]
	if !ok {
		index = len(l.prog.Tasks)
		l.tasks[fn] = index
		l.prog.Tasks = append(l.prog.Tasks, ir.Task{Func: fn, Block: block})
		if index >= maxTasks {
			l.countCopies(maxCopies + 1)
		}
	}
	x := host(abi.SpawnField, append([]*ir.Expr{integer(int64(index)), list(args...)}, handle...)...)
	x.Callee = fn
	return x
}

// countCopies adds to the copies that are written out, and notes where they
// become too many.
func (l *lowerer) countCopies(n int) {
	if l.copies += n; l.copies > maxCopies && l.prog.CopiesTooMany == 0 {
		l.prog.CopiesTooMany = l.site
	}
}

// block makes a function of a block. Locals of the function it stands in are
// its parameters, undefined ones included, and its value is the list of what
// they are at its end.
func (l *lowerer) block(s *syntax.Async) []*ir.Stmt {
	handle := l.argOrNull(s.ID)
	fn := l.newFunc("go_async", 0)
	outer := *l
	l.fn, l.loopDepth, l.soft, l.logging = fn, 0, false, false
	l.vars, l.params, l.bound = map[varKey]*ir.Var{}, map[string]*ir.Var{}, map[string][]*ir.Var{}
	l.at(s, commandName(s))
	fn.Site = l.site
	fn.Body = l.stmts(s.Body)
	values := list()
	for _, v := range fn.Vars {
		if v.Scope != ir.Local {
			continue
		}
		if len(fn.Params) == maxBlockLocals {
			l.countCopies(maxCopies + 1)
			break
		}
		fn.Params = append(fn.Params, v)
		values.Args = append(values.Args, l.bare(v))
	}
	l.countCopies(len(fn.Params))
	fn.Body = append(fn.Body, &ir.Stmt{Op: ir.StmtReturn, Site: fn.Site, X: values, Whole: true})
	outer.copies = l.copies
	*l = outer
	var args []*ir.Expr
	for _, v := range fn.Params {
		args = append(args, l.bare(l.variable(v.Name)))
	}
	return []*ir.Stmt{l.eval(l.spawn(fn, true, args, handle))}
}

// bare reads a local as it is: undefined while it is not assigned, whatever the
// global of its name holds.
func (l *lowerer) bare(v *ir.Var) *ir.Expr {
	own := *v
	own.Fallback = nil
	l.use(v)
	return &ir.Expr{Op: ir.OpLoad, Var: &own, Mode: ir.Raw}
}

// gather waits for a task. The host assigns the globals that a block changed;
// what has the name of a local of this function is assigned here.
func (l *lowerer) gather(args []*ir.Expr) *ir.Expr {
	if !l.info.Blocks {
		return host(abi.GatherField, args...)
	}
	l.countCopies(len(l.locals))
	if l.prog.CopiesTooMany != 0 {
		return host(abi.GatherField, args...)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(l.locals)) {
		if !strings.HasPrefix(name, "_") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return host(abi.GatherField, args...)
	}
	all := l.hidden("gathered")
	body := []*ir.Stmt{l.assign(all, host(abi.GatherField, append(args, text(strings.Join(names, ",")))...))}
	for i, name := range names {
		item := l.hidden("item")
		body = append(body,
			l.assign(item, lib("ListAt", l.get(all), integer(int64(i+1)))),
			l.branch(isKind(l.get(item), ir.List),
				[]*ir.Stmt{l.assign(l.variable(name), lib("ListAt", l.get(item), integer(0)))}, nil))
	}
	return do(body, lib("ListAt", l.get(all), integer(0)))
}

// findReach finds for each task which globals it can read, and whether it can
// read the request.
func (l *lowerer) findReach() {
	if len(l.prog.Tasks) == 0 || l.prog.CopiesTooMany != 0 {
		return
	}
	mentions := make([]mention, len(l.prog.Functions))
	for i, fn := range l.prog.Functions {
		mentions[i] = mentionsOf(fn)
	}
	for i := range l.prog.Tasks {
		t := &l.prog.Tasks[i]
		l.site = t.Func.Site
		seen, globals := map[*ir.Func]bool{t.Func: true}, map[int]bool{}
		for queue := []*ir.Func{t.Func}; len(queue) > 0; queue = queue[1:] {
			m := &mentions[queue[0].Number]
			t.Request = t.Request || m.request
			for _, g := range m.globals {
				globals[g] = true
			}
			for _, callee := range m.callees {
				if !seen[callee] {
					seen[callee] = true
					queue = append(queue, callee)
				}
			}
		}
		t.Globals = slices.Sorted(maps.Keys(globals))
		if l.countCopies(len(t.Globals) + len(seen)); l.prog.CopiesTooMany != 0 {
			return
		}
	}
}

// mention is what a function mentions by itself.
type mention struct {
	globals []int
	callees []*ir.Func
	request bool
}

func mentionsOf(fn *ir.Func) mention {
	var m mention
	for _, v := range fn.Vars {
		if v.Scope == ir.Global {
			m.globals = append(m.globals, v.Global)
		}
	}
	ir.WalkExprs(fn.Body, func(x *ir.Expr) {
		m.request = m.request || x.Lib != nil && (x.Lib.Name == "Param" || x.Lib.Name == "QueryParamList")
		if x.Callee != nil {
			m.callees = append(m.callees, x.Callee)
		}
	})
	return m
}

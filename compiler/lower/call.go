package lower

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/runtime/catalog"
)

// funcCall calls a script function: missing arguments are null, surplus ones
// are computed and dropped.
func (l *lowerer) funcCall(fn *ir.Func, args []*ir.Expr) *ir.Expr {
	n := len(fn.Params)
	for len(args) < n {
		args = append(args, null())
	}
	call := &ir.Expr{Op: ir.OpCall, Callee: fn, Args: args[:n]}
	if len(args) == n {
		return call
	}
	var body []*ir.Stmt
	for i := range args {
		if i >= n {
			body = append(body, l.eval(args[i]))
			continue
		}
		call.Args[i] = l.held(args[i], &body)()
	}
	return do(body, call)
}

func (l *lowerer) keyword(list []syntax.Keyword, name string) syntax.Expr {
	for _, k := range list {
		if k.Name == name {
			return k.Value
		}
	}
	return nil
}

// keyOf is the function of a `key=` argument; `key=None` is none.
func (l *lowerer) keyOf(list []syntax.Keyword) *syntax.FuncRef {
	ref, _ := l.keyword(list, "key").(*syntax.FuncRef)
	return ref
}

func (l *lowerer) builtinCall(x *syntax.BuiltinCall) *ir.Expr {
	name := x.Name.Name
	if name == "isinstance" {
		if kinds, ok := typeWords(x.Args[1]); ok {
			return isKind(l.expr(x.Args[0]), kinds)
		}
	}
	args := l.exprs(x.Args)
	switch name {
	case "min", "max":
		return l.extreme(name, args, x.Keywords)
	case "sorted":
		reverse := l.keyword(x.Keywords, "reverse")
		if key := l.keyOf(x.Keywords); key != nil {
			return l.keyed("SortedBy", "ListOf", args[0], key, reverse)
		}
		return lib("Sorted", args[0], l.optional(reverse))
	case "sum", "enumerate":
		if start := l.keyword(x.Keywords, "start"); start != nil {
			args = append(args, l.expr(start))
		}
	}
	return l.builtin(name, args)
}

// builtin calls a builtin without keyword arguments.
func (l *lowerer) builtin(name string, args []*ir.Expr) *ir.Expr {
	switch name {
	case "str":
		if len(args) == 0 {
			return text("")
		}
	case "int":
		if len(args) == 0 {
			return integer(0)
		}
	case "float":
		if len(args) == 0 {
			return float(0)
		}
	case "bool":
		if len(args) == 0 {
			return boolean(false)
		}
		return truth(args[0])
	case "min", "max":
		return l.extreme(name, args, nil)
	case "zip", "print":
		args = []*ir.Expr{list(args...)}
	}
	f, _ := catalog.LookupBuiltin(name)
	return lib(f.Guest, args...)
}

var kindOfWord = map[string]ir.Kinds{
	"str": ir.Text, "int": ir.Int | ir.Bool, "float": ir.Float, "bool": ir.Bool,
	"list": ir.List, "dict": ir.Dict, "NoneType": ir.Null,
}

// typeWords reads the second argument of isinstance when it is made of type
// words only.
func typeWords(x syntax.Expr) (ir.Kinds, bool) {
	switch x := x.(type) {
	case *syntax.TypeWord:
		k, ok := kindOfWord[x.Name]
		return k, ok
	case *syntax.List:
		var all ir.Kinds
		for _, e := range x.Elems {
			k, ok := typeWords(e)
			if !ok {
				return 0, false
			}
			all |= k
		}
		return all, true
	}
	return 0, false
}

// extreme is min or max, of the items of one argument or of several.
func (l *lowerer) extreme(name string, args []*ir.Expr, keywords []syntax.Keyword) *ir.Expr {
	f, _ := catalog.LookupBuiltin(name)
	key, fallback := l.keyOf(keywords), l.keyword(keywords, "default")
	if len(args) == 2 && key == nil {
		return l.extremeOfTwo(name, args[0], args[1])
	}
	items := list(args...)
	if len(args) == 1 {
		items = args[0]
	}
	if key != nil {
		return l.keyed(f.Guest+"By", "Iterable", items, key, fallback)
	}
	if len(args) == 1 {
		items = lib("Iterable", items)
	}
	return lib(f.Guest, items, l.optional(fallback))
}

// extremeOfTwo spares a list; of equals the first one wins.
func (l *lowerer) extremeOfTwo(name string, x, y *ir.Expr) *ir.Expr {
	var body []*ir.Stmt
	a, b := l.held(x, &body), l.held(y, &body)
	o := ir.Less
	if name == "max" {
		o = ir.Greater
	}
	return do(body, cond(compare(o, b(), a()), b(), a()))
}

// keyed computes the key of each item and hands both lists to the library. As
// in Python all arguments come before the first key; take makes the list.
func (l *lowerer) keyed(guest, take string, items *ir.Expr, key *syntax.FuncRef, last syntax.Expr) *ir.Expr {
	var body []*ir.Stmt
	given := l.held(items, &body)
	option := l.held(l.optional(last), &body)
	all := l.held(lib(take, given()), &body)
	keys := l.keys(all, key, &body)
	return do(body, lib(guest, all(), keys, option()))
}

func (l *lowerer) keys(items func() *ir.Expr, key *syntax.FuncRef, body *[]*ir.Stmt) *ir.Expr {
	keys, item := l.hidden("keys"), l.hidden("item")
	*body = append(*body,
		l.assign(keys, list()),
		l.each(item, items(), func() []*ir.Stmt {
			return []*ir.Stmt{l.eval(lib("Push", l.get(keys), l.apply(key, l.get(item))))}
		}))
	return l.get(keys)
}

// apply calls the function of a `key=` argument.
func (l *lowerer) apply(f *syntax.FuncRef, item *ir.Expr) *ir.Expr {
	if f.Builtin {
		return l.builtin(f.Name, []*ir.Expr{item})
	}
	return l.funcCall(l.funcs[f.Name], []*ir.Expr{item})
}

// connectorMethod calls a method of connectors. What other values have too
// depends on the value.
func (l *lowerer) connectorMethod(x *syntax.MethodCall) *ir.Expr {
	var body []*ir.Stmt
	receiver := l.held(l.expr(x.X), &body)
	var args []func() *ir.Expr
	for _, a := range x.Args {
		args = append(args, l.held(l.expr(a), &body))
	}
	hostArgs := []*ir.Expr{receiver(), text(x.Name.Name)}
	for i, arg := range args {
		value := arg()
		if x.Name.Name != "query" && i > 0 {
			value = lib("LiteralOf", value)
		}
		hostArgs = append(hostArgs, value)
	}
	call := host(catalog.ConnectorCallHost, hostArgs...)
	f, ok := catalog.LookupMethod(x.Name.Name)
	if !ok || len(args) > f.MaxArgs {
		return do(body, call)
	}
	guestArgs := []*ir.Expr{receiver()}
	for _, arg := range args {
		guestArgs = append(guestArgs, arg())
	}
	return do(body, cond(isKind(receiver(), ir.Conn), call, lib(f.Guest, guestArgs...)))
}

func (l *lowerer) methodCall(x *syntax.MethodCall) *ir.Expr {
	if _, ok := catalog.LookupConnectorMethod(x.Name.Name); ok && l.info.Connectors {
		return l.connectorMethod(x)
	}
	f, ok := catalog.LookupMethod(x.Name.Name)
	if !ok {
		return l.unknownMethod(x)
	}
	receiver := l.expr(x.X)
	args := l.exprs(x.Args)
	switch x.Name.Name {
	case "format":
		args = []*ir.Expr{list(args...)}
	case "sort":
		return l.sortMethod(receiver, x.Keywords)
	}
	return lib(f.Guest, append([]*ir.Expr{receiver}, args...)...)
}

// unknownMethod computes receiver and arguments and fails as an attribute that
// a value lacks does, also for a dict that has a key of that name.
func (l *lowerer) unknownMethod(x *syntax.MethodCall) *ir.Expr {
	var body []*ir.Stmt
	receiver := l.held(l.expr(x.X), &body)
	for _, a := range x.Args {
		body = append(body, l.eval(l.expr(a)))
	}
	name := x.Name.Name
	return do(body, cond(isKind(receiver(), ir.Dict),
		lib("Raise", text("'dict' object has no attribute '"+name+"'")),
		lib("Attribute", receiver(), text(name))))
}

func (l *lowerer) sortMethod(receiver *ir.Expr, keywords []syntax.Keyword) *ir.Expr {
	reverse := l.keyword(keywords, "reverse")
	key := l.keyOf(keywords)
	if key == nil {
		return lib("MethodSort", receiver, l.optional(reverse))
	}
	var body []*ir.Stmt
	target := l.held(receiver, &body)
	option := l.held(l.optional(reverse), &body)
	items := l.held(lib("ListOf", target()), &body)
	keys := l.keys(items, key, &body)
	return do(body, lib("MethodSortBy", target(), keys, option()))
}

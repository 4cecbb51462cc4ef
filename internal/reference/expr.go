package reference

import (
	"slices"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
)

// at makes n the place of failures to come: an expression on the statement's first line fails at the statement, another
// where it stands.
func (in *interpreter) at(n syntax.Node) (restore func()) {
	line, column := in.line, in.column
	if p := in.source.Position(n.Start()); p.Line != in.stmtLine {
		in.line, in.column = p.Line, p.Column
	} else {
		in.line, in.column = in.stmtLine, in.stmtColumn
	}
	return func() { in.line, in.column = line, column }
}

func (in *interpreter) eval(x syntax.Expr) value {
	in.step()
	restore := in.at(x)
	v := in.evalHere(x)
	restore()
	return v
}

func (in *interpreter) evalAll(list []syntax.Expr) []value {
	var out []value
	for _, x := range list {
		out = append(out, in.eval(x))
	}
	return out
}

// evalHere evaluates with the place of failures set.
func (in *interpreter) evalHere(x syntax.Expr) value {
	switch x := x.(type) {
	case *syntax.Null:
		return nil
	case *syntax.Bool:
		return x.Value
	case *syntax.Int:
		return x.Value
	case *syntax.Float:
		return x.Value
	case *syntax.String:
		return x.Value
	case *syntax.TypeWord:
		return x.Name
	case *syntax.Name:
		return in.read(x.Name)
	case *syntax.Dollar:
		return in.read(x.Name)
	case *syntax.Template:
		return in.template(x)
	case *syntax.FString:
		return in.fstring(x)
	case *syntax.List:
		in.grow(len(x.Elems))
		return newList(in.evalAll(x.Elems)...)
	case *syntax.Dict:
		out := newDict()
		var entries []pair
		for _, e := range x.Entries {
			entries = append(entries, pair{key: in.eval(e.Key), value: in.eval(e.Value)})
		}
		for _, e := range entries {
			in.set(out, e.key, e.value)
		}
		return out
	case *syntax.ListComp:
		out := newList()
		in.comprehension(x.Clauses, func() {
			in.grow(1)
			v := in.eval(x.Elem)
			out.items = append(out.items, v)
		})
		return out
	case *syntax.DictComp:
		out := newDict()
		in.comprehension(x.Clauses, func() {
			key, v := in.eval(x.Key), in.eval(x.Value)
			in.set(out, key, v)
		})
		return out
	}
	return in.evalOperation(x)
}

func (in *interpreter) evalOperation(x syntax.Expr) value {
	switch x := x.(type) {
	case *syntax.Unary:
		if x.Op == syntax.Not {
			return !truthy(in.eval(x.X))
		}
		return in.unary(x.Op, in.eval(x.X))
	case *syntax.Binary:
		a, b := in.eval(x.X), in.eval(x.Y)
		return in.operate(x.Op, a, b, x.Y)
	case *syntax.Logical:
		v := value(nil)
		for _, o := range x.Operands {
			if v = in.eval(o); truthy(v) == x.Or {
				return v
			}
		}
		return v
	case *syntax.Compare:
		left := in.eval(x.X)
		for _, r := range x.Rest {
			right := in.eval(r.Y)
			if !in.compare(r.Op, left, right) {
				return false
			}
			left = right
		}
		return true
	case *syntax.Cond:
		if truthy(in.eval(x.If)) {
			return in.eval(x.Then)
		}
		return in.eval(x.Else)
	case *syntax.Index:
		container, i := in.eval(x.X), in.eval(x.I)
		return in.index(container, i)
	case *syntax.Slice:
		container := in.eval(x.X)
		return in.slice(container, in.optional(x.Lo), in.optional(x.Hi), in.optional(x.Step))
	case *syntax.Attr:
		return in.attribute(in.eval(x.X), x.Name.Name)
	case *syntax.FuncCall:
		return in.call(x.Name.Name, in.evalAll(x.Args))
	case *syntax.BuiltinCall:
		return in.builtinCall(x)
	case *syntax.MethodCall:
		return in.methodCall(x)
	case *syntax.CommandCall:
		return in.commandCall(x, "")
	case *syntax.Go:
		return in.spawn(x.Func.Name, in.evalAll(x.Args))
	}
	panic(in.unfit("no such expression"))
}

func (in *interpreter) optional(x syntax.Expr) value {
	if x == nil {
		return nil
	}
	return in.eval(x)
}

// operate is a binary operation; a parenthesised list right of % is the list of format arguments.
func (in *interpreter) operate(op syntax.BinaryOp, a, b value, y syntax.Expr) value {
	if args, ok := y.(*syntax.List); ok && args.ArgList && op == syntax.Mod {
		text, ok := a.(string)
		if !ok {
			panic(in.mistyped("% of no text"))
		}
		return in.percent(text, b.(*list).items, nil)
	}
	return in.binary(op, a, b)
}

func (in *interpreter) compare(op syntax.CompareOp, a, b value) bool {
	switch op {
	case syntax.Eq:
		return in.equal(a, b)
	case syntax.Ne:
		return !in.equal(a, b)
	case syntax.In:
		return in.contains(a, b)
	case syntax.NotIn:
		return !in.contains(a, b)
	case syntax.Is:
		return in.identical(a, b)
	case syntax.IsNot:
		return !in.identical(a, b)
	}
	order, ordered := in.ranking(a, b)
	switch op {
	case syntax.Lt:
		return ordered && order < 0
	case syntax.Le:
		return ordered && order <= 0
	case syntax.Gt:
		return ordered && order > 0
	}
	return ordered && order >= 0
}

func (in *interpreter) contains(item, container value) bool {
	switch c := container.(type) {
	case string:
		part, ok := item.(string)
		if !ok {
			panic(in.unfit("in <string>"))
		}
		return strings.Contains(c, part)
	case *list:
		return in.indexIn(c.items, item) >= 0
	case *dict:
		_, ok := in.find(c, item)
		return ok
	}
	panic(in.mistyped("not iterable"))
}

func (in *interpreter) index(container, i value) value {
	switch c := container.(type) {
	case *dict:
		v, ok := in.find(c, i)
		if !ok {
			panic(in.missingKey())
		}
		return v
	case string:
		runes := []rune(c)
		at, ok := in.position(i, len(runes))
		if !ok {
			panic(in.fail(codeRange, Any, "index of text"))
		}
		return string(runes[at])
	case *list:
		at, ok := in.position(i, len(c.items))
		if !ok {
			panic(in.outOfRange())
		}
		return c.items[at]
	}
	panic(in.mistyped("not subscriptable"))
}

func (in *interpreter) position(i value, n int) (int, bool) {
	at, ok := integral(i)
	if !ok {
		panic(in.mistyped("index"))
	}
	if at < 0 {
		at += int64(n)
	}
	return int(at), at >= 0 && at < int64(n)
}

func (in *interpreter) setIndex(container, i, v value) {
	switch c := container.(type) {
	case *dict:
		in.set(c, i, v)
	case *list:
		at, ok := in.position(i, len(c.items))
		if !ok {
			panic(in.fail(codeRange, Any, "assignment index"))
		}
		c.items[at] = v
	default:
		panic(in.mistyped("item assignment"))
	}
}

func (in *interpreter) attribute(v value, name string) value {
	d, ok := v.(*dict)
	if !ok {
		panic(in.mistyped("attribute"))
	}
	out, ok := in.find(d, name)
	if !ok {
		panic(in.missingKey())
	}
	return out
}

func (in *interpreter) slice(container, lo, hi, step value) value {
	switch c := container.(type) {
	case string:
		runes := []rune(c)
		var out strings.Builder
		for _, i := range in.positions(len(runes), lo, hi, step) {
			out.WriteRune(runes[i])
		}
		return out.String()
	case *list:
		out := newList()
		for _, i := range in.positions(len(c.items), lo, hi, step) {
			out.items = append(out.items, c.items[i])
		}
		return out
	case *dict:
		panic(in.unfit("slice of a dict"))
	}
	panic(in.mistyped("not subscriptable"))
}

// positions are those that a slice of n items takes.
func (in *interpreter) positions(n int, lo, hi, step value) []int {
	for _, b := range []value{lo, hi, step} {
		if _, ok := integral(b); b != nil && !ok {
			panic(in.unfit("slice indices"))
		}
	}
	by := int64(1)
	if step != nil {
		by, _ = integral(step)
	}
	if by == 0 {
		panic(in.unfit("slice step"))
	}
	first, last := int64(0), int64(n)
	low, high := first, last
	if by < 0 {
		first, last = int64(n)-1, -1
		low, high = last, first
	}
	var at []int
	for i, end := clip(lo, first, n, low, high), clip(hi, last, n, low, high); by > 0 && i < end || by < 0 && i > end; {
		at = append(at, int(i))
		if by > end-i && by > 0 || by < end-i && by < 0 {
			break
		}
		i += by
	}
	return at
}

// clip is where a bound of a slice lies, between low and high; a negative one
// counts from the end of n items.
func clip(bound value, absent int64, n int, low, high int64) int64 {
	i, ok := integral(bound)
	if !ok {
		return absent
	}
	if i < 0 {
		i += int64(n)
	}
	return min(max(i, low), high)
}

// template leaves out a part in which a name is undefined.
func (in *interpreter) template(x *syntax.Template) value {
	soft := in.soft
	in.soft = false
	defer func() { in.soft = soft }()
	var out strings.Builder
	for _, p := range x.Parts {
		switch {
		case p.X == nil:
			out.WriteString(p.Text)
		case in.allDefined(p.X):
			out.WriteString(in.str(in.eval(p.X)))
		}
	}
	in.grow(out.Len())
	return out.String()
}

func (in *interpreter) fstring(x *syntax.FString) string {
	var out strings.Builder
	for _, p := range x.Parts {
		if p.X == nil {
			out.WriteString(p.Text)
			continue
		}
		v := in.eval(p.X)
		switch p.Conv {
		case 'r':
			v = in.repr(v, nil)
		case 'a':
			v = asciiOnly(in.repr(v, nil))
		case 's':
			v = in.str(v)
		}
		specification := ""
		if p.Spec != nil {
			specification = in.fstring(p.Spec)
		}
		out.WriteString(in.format(v, specification))
	}
	in.grow(out.Len())
	return out.String()
}

// comprehension runs the clauses around their innermost part. A loop's names hide variables while it runs.
func (in *interpreter) comprehension(clauses []syntax.Clause, innermost func()) {
	if len(clauses) == 0 {
		innermost()
		return
	}
	c := clauses[0]
	over := in.eval(c.Iter)
	l, isList := over.(*list)
	if !isList {
		l = newList(in.items(over)...)
	}
	frame := in.frame
	outer := frame.bound
	defer func() { frame.bound = outer }()
	for i := 0; i < len(l.items); i++ { //nolint:intrange // the list may grow meanwhile
		in.step()
		values := []value{l.items[i]}
		if c.Unpack {
			values = in.unpack(l.items[i], len(c.Targets))
		}
		frame.bound = slices.Clone(outer)
		for j, t := range c.Targets {
			frame.bound = append(frame.bound, binding{t.Name, values[j]})
		}
		if !slices.ContainsFunc(c.Ifs, func(cond syntax.Expr) bool { return !truthy(in.eval(cond)) }) {
			in.comprehension(clauses[1:], innermost)
		}
		frame.bound = outer
	}
}

// allDefined reports whether every free name of an expression has a value now. Names in templates and in arguments of
// commands look after themselves, $x is an error by itself, and called names are no variables.
func (in *interpreter) allDefined(x syntax.Expr) bool {
	return in.definedWithin(x, nil)
}

func (in *interpreter) definedWithin(x syntax.Expr, bound []string) bool {
	switch x := x.(type) {
	case nil, *syntax.Template, *syntax.CommandCall, *syntax.Dollar:
		return true
	case *syntax.Name:
		if slices.Contains(bound, x.Name) {
			return true
		}
		_, ok := in.lookup(x.Name)
		return ok
	case *syntax.ListComp:
		return in.definedInClauses(x.Clauses, bound, x.Elem)
	case *syntax.DictComp:
		return in.definedInClauses(x.Clauses, bound, x.Key, x.Value)
	}
	ok := true
	syntax.EachChild(x, func(child syntax.Expr) { ok = ok && in.definedWithin(child, bound) })
	return ok
}

func (in *interpreter) definedInClauses(clauses []syntax.Clause, bound []string, results ...syntax.Expr) bool {
	for _, c := range clauses {
		if !in.definedWithin(c.Iter, bound) {
			return false
		}
		for _, t := range c.Targets {
			bound = append(slices.Clip(bound), t.Name)
		}
		for _, cond := range c.Ifs {
			if !in.definedWithin(cond, bound) {
				return false
			}
		}
	}
	return !slices.ContainsFunc(results, func(r syntax.Expr) bool { return !in.definedWithin(r, bound) })
}

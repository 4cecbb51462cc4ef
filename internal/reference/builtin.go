package reference

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
)

func (in *interpreter) builtinCall(x *syntax.BuiltinCall) value {
	in.checkCount(x.Name.Name, len(x.Args))
	args := in.evalAll(x.Args)
	switch x.Name.Name {
	case "min", "max":
		key := keyOf(x.Keywords)
		fallback, given := value(nil), false
		for _, k := range x.Keywords {
			if k.Name == "default" {
				fallback, given = in.eval(k.Value), true
			}
		}
		return in.extreme(x.Name.Name, args, key, fallback, given)
	case "sorted":
		reverse := in.keyword(x.Keywords, "reverse")
		return newList(in.sorted(slices.Clone(in.items(args[0])), keyOf(x.Keywords), reverse)...)
	case "sum", "enumerate":
		for _, k := range x.Keywords {
			if k.Name == "start" {
				args = append(args, in.eval(k.Value))
			}
		}
	}
	return in.builtin(x.Name.Name, args)
}

func (in *interpreter) keyword(list []syntax.Keyword, name string) value {
	for _, k := range list {
		if k.Name == name {
			return in.eval(k.Value)
		}
	}
	return nil
}

func keyOf(list []syntax.Keyword) *syntax.FuncRef {
	for _, k := range list {
		if ref, ok := k.Value.(*syntax.FuncRef); ok && k.Name == "key" {
			return ref
		}
	}
	return nil
}

func (in *interpreter) apply(f *syntax.FuncRef, item value) value {
	switch {
	case !f.Builtin:
		return in.call(f.Name, []value{item})
	case f.Name == "min" || f.Name == "max":
		return in.extreme(f.Name, []value{item}, nil, nil, false)
	case f.Name == "sorted":
		return newList(in.sorted(slices.Clone(in.items(item)), nil, nil)...)
	}
	return in.builtin(f.Name, []value{item})
}

// sorted sorts stably; reversed keeps equals in their order, too.
func (in *interpreter) sorted(items []value, key *syntax.FuncRef, reverse value) []value {
	keys := items
	if key != nil {
		keys = nil
		for _, item := range items {
			keys = append(keys, in.apply(key, item))
		}
	}
	for _, k := range keys {
		if f, ok := k.(float64); ok && math.IsNaN(f) {
			in.leave("the place of NaN in a sorted list")
		}
	}
	at := make([]int, len(items))
	for i := range at {
		at[i] = i
	}
	compare := func(i, j int) int {
		if in.less(keys[i], keys[j]) {
			return -1
		}
		return int(whole(in.less(keys[j], keys[i])))
	}
	if truthy(reverse) {
		slices.SortStableFunc(at, func(i, j int) int { return compare(j, i) })
	} else {
		slices.SortStableFunc(at, compare)
	}
	out := make([]value, len(items))
	for i, from := range at {
		out[i] = items[from]
	}
	return out
}

// extreme is min or max of one argument's items, or of the arguments. Of equals the first wins.
func (in *interpreter) extreme(name string, args []value, key *syntax.FuncRef, fallback value, given bool) value {
	items := args
	if len(args) == 1 {
		items = slices.Clone(in.items(args[0]))
	} else if given {
		in.leave("a default beside several arguments")
	}
	if len(items) == 0 {
		if given {
			return fallback
		}
		panic(in.unfit("empty sequence"))
	}
	of := func(v value) value {
		if key == nil {
			return v
		}
		return in.apply(key, v)
	}
	keys := make([]value, len(items))
	for i, item := range items {
		keys[i] = of(item)
	}
	best := 0
	for i := 1; i < len(items); i++ {
		if name == "min" && in.less(keys[i], keys[best]) || name == "max" && in.less(keys[best], keys[i]) {
			best = i
		}
	}
	return items[best]
}

// items are what a loop over a value visits.
func (in *interpreter) items(v value) []value {
	switch v := v.(type) {
	case *list:
		return v.items
	case string:
		var out []value
		for _, c := range v {
			out = append(out, string(c))
		}
		return out
	case *dict:
		var out []value
		for _, p := range v.entries() {
			out = append(out, p.key)
		}
		return out
	}
	panic(in.mistyped("not iterable"))
}

func (in *interpreter) builtin(name string, args []value) value {
	in.step()
	first := value(nil)
	if len(args) > 0 {
		first = args[0]
	}
	switch name {
	case "str":
		if len(args) == 0 {
			return ""
		}
		return in.str(first)
	case "bool":
		return truthy(first)
	case "int":
		return in.toInt(args)
	case "float":
		return in.parseFloat(args)
	case "len":
		return in.length(first)
	case "list":
		if len(args) == 0 {
			return newList()
		}
		return newList(slices.Clone(in.items(first))...)
	case "dict":
		out := newDict()
		if len(args) > 0 {
			in.addPairs(out, first)
		}
		return out
	case "range":
		return in.rangeOf(args)
	case "abs":
		if f, ok := first.(float64); ok {
			return math.Abs(f)
		}
		i, ok := integral(first)
		if !ok {
			panic(in.unfit("abs"))
		}
		return in.fit(new(big.Int).Abs(big.NewInt(i)))
	case "round":
		if len(args) > 1 {
			return in.round(first, args[1])
		}
		return in.round(first, nil)
	case "type":
		return kindOf(first)
	case "isinstance":
		return in.isInstance(first, args[len(args)-1])
	case "print":
		return in.print(args)
	}
	return in.aggregate(name, args)
}

func (in *interpreter) aggregate(name string, args []value) value {
	switch name {
	case "any":
		return slices.ContainsFunc(in.items(args[0]), truthy)
	case "all":
		return !slices.ContainsFunc(in.items(args[0]), func(v value) bool { return !truthy(v) })
	case "sum":
		return in.sum(args)
	case "enumerate":
		start := big.NewInt(0)
		if len(args) > 1 {
			start.SetInt64(in.wholeArgument(args[1]))
		}
		out := newList()
		for i, item := range in.items(args[0]) {
			out.items = append(out.items, newList(in.fit(new(big.Int).Add(start, big.NewInt(int64(i)))), item))
		}
		return out
	case "zip":
		return in.zip(args)
	}
	panic(in.unfit("no such builtin: " + name))
}

func (in *interpreter) sum(args []value) value {
	total := value(int64(0))
	if len(args) > 1 {
		total = args[1]
	}
	if kindOf(total) == "str" {
		panic(in.unfit("sum of text"))
	}
	for _, item := range in.items(args[0]) {
		total = in.binary(syntax.Add, total, item)
	}
	return total
}

func (in *interpreter) zip(args []value) value {
	out := newList()
	if len(args) == 0 {
		return out
	}
	columns := make([][]value, len(args))
	shortest := math.MaxInt
	for i, a := range args {
		columns[i] = in.items(a)
		shortest = min(shortest, len(columns[i]))
	}
	for i := range shortest {
		row := newList()
		for _, c := range columns {
			row.items = append(row.items, c[i])
		}
		out.items = append(out.items, row)
	}
	return out
}

func (in *interpreter) length(v value) value {
	switch v := v.(type) {
	case string:
		return int64(len([]rune(v)))
	case *list:
		return int64(len(v.items))
	case *dict:
		return int64(len(v.index))
	}
	panic(in.unfit("len"))
}

func (in *interpreter) rangeOf(args []value) value {
	n := make([]int64, 3)
	for i, a := range args[:min(len(args), 3)] {
		n[i] = in.wholeArgument(a)
	}
	from, to, by := int64(0), n[0], int64(1)
	if len(args) > 1 {
		from, to = n[0], n[1]
	}
	if len(args) > 2 {
		by = n[2]
	}
	if by == 0 {
		panic(in.unfit("range step"))
	}
	out := newList()
	for i, end, step := big.NewInt(from), big.NewInt(to), big.NewInt(by); i.Cmp(end)*step.Sign() < 0; i.Add(i, step) {
		in.grow(16)
		out.items = append(out.items, i.Int64())
	}
	return out
}

func (in *interpreter) isInstance(v, kinds value) value {
	if l, ok := kinds.(*list); ok {
		for _, k := range l.items {
			if in.isInstance(v, k) == true {
				return true
			}
		}
		return false
	}
	word, ok := kinds.(string)
	if !ok || !slices.Contains([]string{"int", "float", "str", "bool", "list", "dict", "NoneType"}, word) {
		panic(in.unfit("isinstance"))
	}
	return kindOf(v) == word || word == "int" && kindOf(v) == "bool"
}

func (in *interpreter) parseFloat(args []value) value {
	if len(args) == 0 {
		return 0.0
	}
	if numeric(args[0]) {
		return toFloat(args[0])
	}
	text, ok := args[0].(string)
	if !ok {
		panic(in.unfit("float"))
	}
	number, ok := numberText(text)
	if !ok {
		panic(in.unfit("float of text"))
	}
	if _, isInt := number.(int64); isInt {
		f, _ := strconv.ParseFloat(strings.TrimSpace(text), 64)
		return f
	}
	return number
}

func (in *interpreter) toInt(args []value) value {
	if len(args) == 0 {
		return int64(0)
	}
	text, isText := args[0].(string)
	if len(args) > 1 {
		base := in.wholeArgument(args[1])
		switch {
		case !isText:
			panic(in.unfit("explicit base"))
		case base != 0 && (base < 2 || base > 36):
			panic(in.unfit("base"))
		}
		return in.intOfText(text, int(base))
	}
	if i, ok := integral(args[0]); ok {
		return i
	}
	if f, ok := args[0].(float64); ok {
		return in.truncate(f)
	}
	if !isText {
		panic(in.unfit("int"))
	}
	return in.intOfText(text, 10)
}

// intOfText takes no underscores: they are not number text.
func (in *interpreter) intOfText(text string, base int) value {
	s := strings.ToLower(strings.Trim(text, " \t\n\v\f\r"))
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	for b, prefix := range map[int]string{2: "0b", 8: "0o", 16: "0x"} {
		if (base == b || base == 0) && strings.HasPrefix(s, prefix) {
			base, s = b, s[2:]
			break
		}
	}
	if base == 0 {
		base = 10
		if len(s) > 1 && s[0] == '0' && strings.Trim(s, "0") != "" {
			panic(in.unfit("leading zeros"))
		}
	}
	out, ok := new(big.Int).SetString(s, base)
	if !ok || strings.ContainsAny(s, "+-_") {
		panic(in.unfit("int of text"))
	}
	if sign == "-" {
		out.Neg(out)
	}
	return in.fit(out)
}

package reference

import (
	"slices"
	"strings"
	"unicode"

	"github.com/avapd/avapd/compiler/syntax"
)

func (in *interpreter) methodCall(x *syntax.MethodCall) value {
	if knownMethod(x.Name.Name) {
		in.checkCount("."+x.Name.Name, len(x.Args))
	}
	receiver := in.eval(x.X)
	args := in.evalAll(x.Args)
	if x.Name.Name == "sort" {
		reverse := in.keyword(x.Keywords, "reverse")
		l, ok := receiver.(*list)
		if !ok {
			if key := keyOf(x.Keywords); key != nil {
				in.leave("which failure sort(key=…) of no list has")
			}
			panic(in.mistyped("no such method"))
		}
		// What a key function does to the list meanwhile stays with the sorted copy out of sight.
		sorted := in.sorted(slices.Clone(l.items), keyOf(x.Keywords), reverse)
		l.items = sorted
		return nil
	}
	return in.method(receiver, x.Name.Name, args)
}

func (in *interpreter) method(receiver value, name string, args []value) value {
	in.step()
	switch r := receiver.(type) {
	case string:
		if f, ok := textMethods[name]; ok {
			return f(in, r, args)
		}
	case *list:
		if f, ok := listMethods[name]; ok {
			return f(in, r, args)
		}
	case *dict:
		if f, ok := dictMethods[name]; ok {
			return f(in, r, args)
		}
	}
	if !knownMethod(name) && kindOf(receiver) == "dict" {
		panic(in.fail(codeRaised, Any, "no such method"))
	}
	panic(in.mistyped("no such method"))
}

func knownMethod(name string) bool {
	if name == "sort" {
		return true
	}
	_, ofText := textMethods[name]
	_, ofList := listMethods[name]
	_, ofDict := dictMethods[name]
	return ofText || ofList || ofDict
}

type methods[T any] map[string]func(in *interpreter, receiver T, args []value) value

var textMethods = methods[string]{
	"upper":      func(_ *interpreter, s string, _ []value) value { return upper(s) },
	"lower":      func(_ *interpreter, s string, _ []value) value { return lower(s) },
	"title":      func(_ *interpreter, s string, _ []value) value { return title(s) },
	"capitalize": func(_ *interpreter, s string, _ []value) value { return capitalize(s) },
	"strip":      func(in *interpreter, s string, a []value) value { return strip(s, "both", in.stripSet(a)) },
	"lstrip":     func(in *interpreter, s string, a []value) value { return strip(s, "left", in.stripSet(a)) },
	"rstrip":     func(in *interpreter, s string, a []value) value { return strip(s, "right", in.stripSet(a)) },
	"split":      func(in *interpreter, s string, a []value) value { return in.split(s, a) },
	"join":       func(in *interpreter, s string, a []value) value { return in.joinItems(s, a[0]) },
	"replace":    func(in *interpreter, s string, a []value) value { return in.replaceText(s, a) },
	"startswith": func(in *interpreter, s string, a []value) value { return in.affix(s, a, strings.HasPrefix) },
	"endswith":   func(in *interpreter, s string, a []value) value { return in.affix(s, a, strings.HasSuffix) },
	"find":       func(in *interpreter, s string, a []value) value { return in.findText(s, a) },
	"count":      func(in *interpreter, s string, a []value) value { return in.countText(s, a) },
	"isdigit":    func(_ *interpreter, s string, _ []value) value { return everyRune(s, digit) },
	"isalpha":    func(_ *interpreter, s string, _ []value) value { return everyRune(s, unicode.IsLetter) },
	"isalnum":    func(_ *interpreter, s string, _ []value) value { return everyRune(s, letterOrDigit) },
	"zfill": func(in *interpreter, s string, a []value) value {
		width := in.wholeArgument(a[0])
		in.grow(boundedProduct(1, width))
		return zfill(s, int(width))
	},
	"format": func(in *interpreter, s string, a []value) value {
		numbering := 0
		out := in.fields(s, a, &numbering, 0)
		in.grow(len(out))
		return out
	},
}

func (in *interpreter) stripSet(args []value) value {
	if len(args) == 0 || args[0] == nil {
		return nil
	}
	if _, ok := args[0].(string); !ok {
		panic(in.unfit("strip"))
	}
	return args[0]
}

// wholeArgument reads an argument that must be an int.
func (in *interpreter) wholeArgument(v value) int64 {
	i, ok := integral(v)
	if !ok {
		panic(in.unfit("cannot be interpreted as an integer"))
	}
	return i
}

var listMethods = methods[*list]{
	"append": func(in *interpreter, l *list, a []value) value {
		in.grow(1)
		l.items = append(l.items, a[0])
		return nil
	},
	"extend": func(in *interpreter, l *list, a []value) value {
		more := slices.Clone(in.items(a[0]))
		in.grow(len(more))
		l.items = append(l.items, more...)
		return nil
	},
	"insert": func(in *interpreter, l *list, a []value) value {
		at := in.wholeArgument(a[0])
		if at < 0 {
			at = max(at+int64(len(l.items)), 0)
		}
		in.grow(1)
		l.items = slices.Insert(l.items, int(min(at, int64(len(l.items)))), a[1])
		return nil
	},
	"pop": func(in *interpreter, l *list, a []value) value {
		if len(a) > 1 {
			panic(in.unfit("pop of a list"))
		}
		at := int64(-1)
		if len(a) == 1 {
			at = in.wholeArgument(a[0])
		}
		if at < 0 {
			at += int64(len(l.items))
		}
		if at < 0 || at >= int64(len(l.items)) {
			panic(in.unfit("pop"))
		}
		v := l.items[at]
		l.items = slices.Delete(slices.Clone(l.items), int(at), int(at)+1)
		return v
	},
	"remove": func(in *interpreter, l *list, a []value) value {
		at := in.indexIn(l.items, a[0])
		if at < 0 {
			panic(in.unfit("remove"))
		}
		l.items = slices.Delete(slices.Clone(l.items), at, at+1)
		return nil
	},
	"index": func(in *interpreter, l *list, a []value) value {
		from, to := in.bounds(len(l.items), a[1:])
		if from < to {
			if at := in.indexIn(l.items[from:to], a[0]); at >= 0 {
				return int64(from + at)
			}
		}
		panic(in.unfit("index"))
	},
	"count": func(in *interpreter, l *list, a []value) value {
		if len(a) > 1 {
			panic(in.unfit("count of a list"))
		}
		n := int64(0)
		for _, item := range l.items {
			n += whole(in.same(item, a[0]))
		}
		return n
	},
	"reverse": func(_ *interpreter, l *list, _ []value) value {
		l.items = slices.Clone(l.items)
		slices.Reverse(l.items)
		return nil
	},
}

// same is the equality by which a container finds an item. Python takes an item for equal to itself, which only shows with
// NaN.
func (in *interpreter) same(a, b value) bool { return in.equalWithin(a, b, 1) }

func (in *interpreter) indexIn(items []value, v value) int {
	return slices.IndexFunc(items, func(item value) bool { return in.same(item, v) })
}

var dictMethods = methods[*dict]{
	"get": func(in *interpreter, d *dict, a []value) value {
		if v, ok := in.find(d, a[0]); ok {
			return v
		}
		if len(a) > 1 {
			return a[1]
		}
		return nil
	},
	"keys": func(_ *interpreter, d *dict, _ []value) value {
		out := newList()
		for _, p := range d.entries() {
			out.items = append(out.items, p.key)
		}
		return out
	},
	"values": func(_ *interpreter, d *dict, _ []value) value {
		out := newList()
		for _, p := range d.entries() {
			out.items = append(out.items, p.value)
		}
		return out
	},
	"items": func(_ *interpreter, d *dict, _ []value) value {
		out := newList()
		for _, p := range d.entries() {
			out.items = append(out.items, newList(p.key, p.value))
		}
		return out
	},
	"update": func(in *interpreter, d *dict, a []value) value {
		in.addPairs(d, a[0])
		return nil
	},
	"pop": func(in *interpreter, d *dict, a []value) value {
		if len(a) == 0 {
			panic(in.unfit("pop of a dict"))
		}
		if v, ok := in.remove(d, a[0]); ok {
			return v
		}
		if len(a) < 2 {
			panic(in.missingKey())
		}
		return a[1]
	},
}

// addPairs takes over a dict, or a list of pairs.
func (in *interpreter) addPairs(d *dict, v value) {
	if other, ok := v.(*dict); ok {
		for _, p := range other.entries() {
			in.set(d, p.key, p.value)
		}
		return
	}
	for _, item := range in.items(v) {
		both := in.unpack(item, 2)
		in.set(d, both[0], both[1])
	}
}

// unpack spreads an item over so many names.
func (in *interpreter) unpack(v value, n int) []value {
	switch v.(type) {
	case string, *list, *dict:
	default:
		panic(in.unfit("cannot unpack"))
	}
	items := in.items(v)
	if len(items) != n {
		panic(in.unfit("wrong number of values to unpack"))
	}
	return slices.Clone(items)
}

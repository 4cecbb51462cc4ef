package reference

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// value is nil, bool, int64, float64, string, *list or *dict. The integers of a script are int64 here, and arithmetic on
// them goes through math/big, where nothing can overflow unseen.
type value any

type list struct{ items []value }

type dict struct {
	index map[any]int
	pairs []pair
}

// pair is an entry of a dict; a removed one is gone, and keeps its place.
type pair struct {
	key, value value
	gone       bool
}

func newList(items ...value) *list { return &list{items} }

func newDict() *dict { return &dict{index: map[any]int{}} }

// hash makes equal keys equal Go values: 1, 1.0 and True are one key.
func (in *interpreter) hash(key value) any {
	switch k := key.(type) {
	case nil, string, int64:
		return k
	case bool:
		return whole(k)
	case float64:
		if math.IsNaN(k) {
			in.leave("NaN as a key")
		}
		if k == math.Trunc(k) && k >= -1<<63 && k < 1<<63 {
			return int64(k)
		}
		return k
	}
	panic(in.mistyped("unhashable type"))
}

func (in *interpreter) find(d *dict, key value) (value, bool) {
	at, ok := d.index[in.hash(key)]
	if !ok {
		return nil, false
	}
	return d.pairs[at].value, true
}

func (in *interpreter) set(d *dict, key, v value) {
	h := in.hash(key)
	if at, ok := d.index[h]; ok {
		d.pairs[at].value = v
		return
	}
	in.grow(1)
	d.index[h] = len(d.pairs)
	d.pairs = append(d.pairs, pair{key: key, value: v})
}

func (in *interpreter) remove(d *dict, key value) (value, bool) {
	h := in.hash(key)
	at, ok := d.index[h]
	if !ok {
		return nil, false
	}
	delete(d.index, h)
	v := d.pairs[at].value
	d.pairs[at] = pair{gone: true}
	return v, true
}

func (d *dict) entries() []pair {
	return slices.DeleteFunc(slices.Clone(d.pairs), func(p pair) bool { return p.gone })
}

func kindOf(v value) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case *list:
		return "list"
	}
	return "dict"
}

func truthy(v value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *list:
		return len(v.items) > 0
	case *dict:
		return len(v.index) > 0
	}
	return true
}

func whole(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// integral gives ints, and booleans as the ints they count as.
func integral(v value) (int64, bool) {
	switch v := v.(type) {
	case bool:
		return whole(v), true
	case int64:
		return v, true
	}
	return 0, false
}

func numeric(v value) bool {
	_, isFloat := v.(float64)
	_, isInt := integral(v)
	return isFloat || isInt
}

// toFloat rounds an int to the nearest float.
func toFloat(v value) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	i, _ := integral(v)
	return float64(i)
}

// compareNumbers is exact also between an int and a float; NaN compares as nothing.
func compareNumbers(a, b value) (order int, ordered bool) {
	x, xInt := integral(a)
	y, yInt := integral(b)
	switch {
	case xInt && yInt:
		return new(big.Int).SetInt64(x).Cmp(big.NewInt(y)), true
	case math.IsNaN(toFloat(a)) || math.IsNaN(toFloat(b)):
		return 0, false
	}
	return exact(a).Cmp(exact(b)), true
}

func exact(v value) *big.Float {
	if i, ok := integral(v); ok {
		return new(big.Float).SetPrec(64).SetInt64(i)
	}
	return new(big.Float).SetFloat64(v.(float64))
}

func (in *interpreter) equal(a, b value) bool { return in.equalWithin(a, b, 0) }

func (in *interpreter) equalWithin(a, b value, depth int) bool {
	if depth > 100 {
		in.leave("equality of what is nested very deeply")
	}
	if numeric(a) && numeric(b) {
		order, ordered := compareNumbers(a, b)
		if !ordered && depth > 0 {
			in.leave("equality of NaN within containers")
		}
		return ordered && order == 0
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && x == y
	case *list:
		y, ok := b.(*list)
		return ok && slices.EqualFunc(x.items, y.items, func(p, q value) bool { return in.equalWithin(p, q, depth+1) })
	case *dict:
		y, ok := b.(*dict)
		if !ok || len(x.index) != len(y.index) {
			return false
		}
		for _, p := range x.entries() {
			other, there := in.find(y, p.key)
			if !there || !in.equalWithin(p.value, other, depth+1) {
				return false
			}
		}
		return true
	}
	return false
}

// identical is `is`: the same container, or the same type and equal.
func (in *interpreter) identical(a, b value) bool {
	switch a.(type) {
	case *list, *dict:
		return a == b
	}
	return kindOf(a) == kindOf(b) && in.equal(a, b)
}

// ranking compares two values for < and its kin. Lists are compared item by item.
func (in *interpreter) ranking(a, b value) (order int, ordered bool) {
	switch {
	case numeric(a) && numeric(b):
		return compareNumbers(a, b)
	case kindOf(a) == "str" && kindOf(b) == "str":
		return strings.Compare(a.(string), b.(string)), true
	case kindOf(a) == "list" && kindOf(b) == "list":
		x, y := a.(*list).items, b.(*list).items
		for i := range min(len(x), len(y)) {
			if !in.equalWithin(x[i], y[i], 1) {
				return in.ranking(x[i], y[i])
			}
		}
		return len(x) - len(y), true
	}
	panic(in.mistyped("cannot be ordered"))
}

func (in *interpreter) less(a, b value) bool {
	order, ordered := in.ranking(a, b)
	return ordered && order < 0
}

// deepCopy copies a value that must not contain itself.
func (in *interpreter) deepCopy(v value, depth int) value {
	if depth > 200 {
		if in.cyclic(v, map[any]bool{}) {
			panic(in.unfit("Circular reference detected"))
		}
		in.leave("a copy of what is nested very deeply")
	}
	switch v := v.(type) {
	case *list:
		out := newList()
		for _, item := range v.items {
			out.items = append(out.items, in.deepCopy(item, depth+1))
		}
		return out
	case *dict:
		out := newDict()
		for _, p := range v.entries() {
			in.set(out, p.key, in.deepCopy(p.value, depth+1))
		}
		return out
	}
	return v
}

// cyclic reports whether a container is inside itself.
func (in *interpreter) cyclic(v value, open map[any]bool) bool {
	switch v.(type) {
	case *list, *dict:
	default:
		return false
	}
	if open[v] {
		return true
	}
	open[v] = true
	defer delete(open, v)
	switch v := v.(type) {
	case *list:
		return slices.ContainsFunc(v.items, func(item value) bool { return in.cyclic(item, open) })
	case *dict:
		return slices.ContainsFunc(v.pairs, func(p pair) bool { return in.cyclic(p.value, open) })
	}
	return false
}

package guest

import "github.com/avapd/avapd/runtime/abi"

// deepCopy copies a value with everything in it, so that nothing is shared. A
// container that contains itself is an error; the marks in the headers on the
// way down tell.
func deepCopy(v Value, depth uint32) Value {
	if v.Tag == abi.KindList {
		return copyList(v.list(), depth)
	}
	if v.Tag == abi.KindDict {
		return copyPairs(v.dict(), depth)
	}
	return v
}

func copyList(l List, depth uint32) Value {
	mark := Ptr(l) + abi.ListMark
	if load32(mark) != 0 {
		return fail0(abi.ErrCyclic)
	}
	enter(depth)
	store32(mark, 1)
	result := newList(l.len())
	for i := range l.len() {
		item := deepCopy(l.at(i), depth+1)
		if item.failed() {
			store32(mark, 0)
			return item
		}
		result.push(item)
	}
	store32(mark, 0)
	return listValue(result)
}

func copyPairs(d Dict, depth uint32) Value {
	mark := Ptr(d) + abi.DictMark
	if load32(mark) != 0 {
		return fail0(abi.ErrCyclic)
	}
	enter(depth)
	store32(mark, 1)
	result := newDict(d.count())
	for i := range d.used() {
		key := d.key(i)
		if key.Tag != abi.KindUndefined {
			value := deepCopy(d.value(i), depth+1)
			if value.failed() {
				store32(mark, 0)
				return value
			}
			result.add(key, value)
		}
	}
	store32(mark, 0)
	return dictValue(result)
}

package guest

import "github.com/avapd/avapd/runtime/abi"

// The methods of lists and dicts, and those that text has as well.

// MethodAppend is list.append(x).
func MethodAppend(receiver, x Value) Value {
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("append"))
	}
	receiver.list().push(x)
	return null()
}

// MethodExtend is list.extend(other).
func MethodExtend(receiver, other Value) Value {
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("extend"))
	}
	items := Iterable(other)
	if items.failed() {
		return items
	}
	l, n := receiver.list(), items.list().len()
	if l.isOld() {
		remember(uint32(l))
	}
	l.reserve(n)
	moveCellsDown(l.cell(l.len()), items.list().cells(), n)
	l.setLen(l.len() + n)
	return null()
}

// MethodInsert is list.insert(i, x); a place beyond an end means the end.
func MethodInsert(receiver, i, x Value) Value {
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("insert"))
	}
	if !isWhole(i) {
		return failNotInteger(i)
	}
	l := receiver.list()
	n := l.len()
	at := uint32(clampBound(i.int(), int64(n), 1))
	l.reserve(1)
	moveCellsUp(l.cell(at+1), l.cell(at), n-at)
	l.set(at, x)
	l.setLen(n + 1)
	return null()
}

// MethodPop is list.pop(i) and dict.pop(key, absent).
func MethodPop(receiver, i, absent Value) Value {
	if receiver.Tag == abi.KindDict {
		return popKey(receiver.dict(), i, absent)
	}
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("pop"))
	}
	if absent.Tag != abi.KindUndefined {
		return fail1(abi.ErrValue, literal("pop of a list takes at most 1 argument, got 2"))
	}
	l := receiver.list()
	n := l.len()
	if n == 0 {
		return fail1(abi.ErrValue, literal("pop from empty list"))
	}
	at := n - 1
	if i.Tag != abi.KindUndefined {
		if !isWhole(i) {
			return failNotInteger(i)
		}
		inside := false
		at, inside = position(i.int(), n)
		if !inside {
			return fail1(abi.ErrValue, literal("pop index out of range"))
		}
	}
	item := l.at(at)
	l.removeAt(at)
	return item
}

func (l List) removeAt(at uint32) {
	n := l.len()
	moveCellsDown(l.cell(at), l.cell(at+1), n-at-1)
	l.setLen(n - 1)
}

func popKey(d Dict, key, absent Value) Value {
	if key.Tag == abi.KindUndefined {
		return fail1(abi.ErrArgument, literal("pop expected at least 1 argument, got 0"))
	}
	if !hashable(key) {
		return fail1(abi.ErrUnhashable, key)
	}
	at := d.find(key)
	if at == noEntry {
		if absent.Tag == abi.KindUndefined {
			return fail1(abi.ErrKey, key)
		}
		return absent
	}
	value := d.value(at)
	d.remove(at)
	return value
}

// MethodRemove is list.remove(x).
func MethodRemove(receiver, x Value) Value {
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("remove"))
	}
	l := receiver.list()
	at := indexOf(l, x, 0, l.len())
	if at == noEntry {
		return fail1(abi.ErrValue, literal("list.remove(x): x not in list"))
	}
	l.removeAt(at)
	return null()
}

// MethodReverse is list.reverse().
func MethodReverse(receiver Value) Value {
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("reverse"))
	}
	l := receiver.list()
	n := l.len()
	for i := range n / 2 {
		item := l.at(i)
		l.set(i, l.at(n-1-i))
		l.set(n-1-i, item)
	}
	return null()
}

// MethodCount is list.count(x) and text.count(x, start, end).
func MethodCount(receiver, x, start, end Value) Value {
	if receiver.isText() {
		return textCount(receiver, x, start, end)
	}
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("count"))
	}
	if start.Tag != abi.KindUndefined {
		return fail1(abi.ErrValue, literal("count of a list takes exactly one argument"))
	}
	count := int64(0)
	l := receiver.list()
	for i := range l.len() {
		if same(l.at(i), x, 0) {
			count++
		}
	}
	return integer(count)
}

// MethodIndex is list.index(x, start, end).
func MethodIndex(receiver, x, start, end Value) Value {
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("index"))
	}
	if !isBound(start) || !isBound(end) {
		return fail1(abi.ErrArgument, literal("slice indices must be integers or have an __index__ method"))
	}
	l := receiver.list()
	length := int64(l.len())
	from, to := int64(0), length
	if !isMissing(start) {
		from = clampBound(start.int(), length, 1)
	}
	if !isMissing(end) {
		to = clampBound(end.int(), length, 1)
	}
	at := indexOf(l, x, uint32(from), uint32(to))
	if at == noEntry {
		return fail1(abi.ErrValue, Concat(Repr(x), literal(" is not in list")))
	}
	return integer(int64(at))
}

// MethodGet is dict.get(key, absent).
func MethodGet(receiver, key, absent Value) Value {
	if receiver.Tag != abi.KindDict {
		return failMethod(receiver, literal("get"))
	}
	if !hashable(key) {
		return fail1(abi.ErrUnhashable, key)
	}
	at := receiver.dict().find(key)
	if at != noEntry {
		return receiver.dict().value(at)
	}
	if absent.Tag == abi.KindUndefined {
		return null()
	}
	return absent
}

// MethodKeys is dict.keys() as a list.
func MethodKeys(receiver Value) Value {
	if receiver.Tag != abi.KindDict {
		return failMethod(receiver, literal("keys"))
	}
	return dictKeys(receiver.dict())
}

// MethodValues is dict.values() as a list.
func MethodValues(receiver Value) Value {
	if receiver.Tag != abi.KindDict {
		return failMethod(receiver, literal("values"))
	}
	d := receiver.dict()
	values := newList(d.count())
	for i := range d.used() {
		if d.key(i).Tag != abi.KindUndefined {
			values.push(d.value(i))
		}
	}
	return listValue(values)
}

// MethodItems is dict.items() as a list of pairs.
func MethodItems(receiver Value) Value {
	if receiver.Tag != abi.KindDict {
		return failMethod(receiver, literal("items"))
	}
	d := receiver.dict()
	items := newList(d.count())
	for i := range d.used() {
		key := d.key(i)
		if key.Tag != abi.KindUndefined {
			items.push(pairOf(key, d.value(i)))
		}
	}
	return listValue(items)
}

// MethodUpdate is dict.update(other); without another dict nothing changes.
func MethodUpdate(receiver, other Value) Value {
	if receiver.Tag != abi.KindDict {
		return failMethod(receiver, literal("update"))
	}
	if other.Tag != abi.KindUndefined && updateFrom(receiver.dict(), other) < 0 {
		return failure()
	}
	return null()
}

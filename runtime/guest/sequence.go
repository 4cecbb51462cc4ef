package guest

import "github.com/avapd/avapd/runtime/abi"

// Indexing, slicing, and walking through containers.

// position turns an index that may be negative into a place below n.
func position(i int64, n uint32) (uint32, bool) {
	if i < 0 {
		i += int64(n)
	}
	return uint32(i), i >= 0 && i < int64(n)
}

// Index is container[i].
func Index(container, i Value) Value {
	switch container.Tag.Kind() {
	case abi.KindList:
		l := container.list()
		at, ok := position(i.int(), l.len())
		if ok && isWhole(i) {
			return l.at(at)
		}
	case abi.KindDict:
		if !hashable(i) {
			return fail1(abi.ErrUnhashable, i)
		}
		at := container.dict().find(i)
		if at == noEntry {
			return fail1(abi.ErrKey, i)
		}
		return container.dict().value(at)
	case abi.KindText:
		at, ok := position(i.int(), textCharCount(container))
		if ok && isWhole(i) {
			return textAt(container, at)
		}
	default:
		return fail1(abi.ErrNotIndexable, container)
	}
	if !isWhole(i) {
		return fail(abi.ErrIndexType, container, i)
	}
	return fail1(abi.ErrIndexRange, container)
}

// SetIndex is container[i] = v.
func SetIndex(container, i, v Value) int32 {
	if container.Tag == abi.KindDict {
		return DictSet(container, i, v)
	}
	if container.Tag != abi.KindList {
		fail1(abi.ErrImmutable, container)
		return -1
	}
	if !isWhole(i) {
		fail(abi.ErrIndexType, container, i)
		return -1
	}
	at, ok := position(i.int(), container.list().len())
	if !ok {
		failDetail(abi.ErrIndexRange, 1, container, undefined())
		return -1
	}
	container.list().set(at, v)
	return 0
}

// Attribute is v.name: a dict's key.
func Attribute(v, name Value) Value {
	if v.Tag != abi.KindDict {
		return fail(abi.ErrAttribute, v, name)
	}
	at := v.dict().find(name)
	if at == noEntry {
		return fail1(abi.ErrKey, name)
	}
	return v.dict().value(at)
}

// isMissing holds for an argument that was left out.
func isMissing(v Value) bool { return v.Tag <= abi.KindNull }

// Slice is container[lo:hi:step]; undefined and null stand for a bound that
// was left out.
func Slice(container, lo, hi, step Value) Value {
	if !isSequence(container) {
		if container.Tag == abi.KindDict {
			return fail1(abi.ErrArgument, literal("unhashable type: 'slice'"))
		}
		return fail1(abi.ErrNotIndexable, container)
	}
	if !isBound(lo) || !isBound(hi) || !isBound(step) {
		return fail1(abi.ErrArgument, literal("slice indices must be integers or None or have an __index__ method"))
	}
	stride := int64(1)
	if !isMissing(step) {
		stride = step.int()
	}
	if stride == 0 {
		return fail1(abi.ErrValue, literal("slice step cannot be zero"))
	}
	if container.isText() {
		start, count := sliceSpan(lo, hi, stride, textCharCount(container))
		return textStep(container, start, stride, count)
	}
	start, count := sliceSpan(lo, hi, stride, container.list().len())
	return listValue(container.list().slice(start, stride, count))
}

func isBound(v Value) bool { return isMissing(v) || isWhole(v) }

// sliceSpan gives the first place of a slice of n items and how many items it
// has.
func sliceSpan(lo, hi Value, step int64, n uint32) (int64, uint32) {
	length := int64(n)
	first, last := int64(0), length // for a step forwards
	if step < 0 {
		first, last = length-1, -1
	}
	start, stop := first, last
	if !isMissing(lo) {
		start = clampBound(lo.int(), length, step)
	}
	if !isMissing(hi) {
		stop = clampBound(hi.int(), length, step)
	}
	if step > 0 {
		if start >= stop {
			return 0, 0
		}
		return start, uint32((stop-start-1)/step + 1)
	}
	if start <= stop {
		return 0, 0
	}
	return start, uint32(uint64(start-stop-1)/-uint64(step) + 1)
}

func clampBound(i, length, step int64) int64 {
	least, most := int64(0), length
	if step < 0 {
		least, most = -1, length-1
	}
	if i < 0 {
		i += length
		if i < least {
			return least
		}
		return i
	}
	if i > most {
		return most
	}
	return i
}

// slice makes a list of count items, step apart; all are known to exist.
func (l List) slice(start, step int64, count uint32) List {
	if step == 1 {
		return l.copyOf(uint32(start), uint32(start)+count)
	}
	result := newList(count)
	for range count {
		result.push(l.at(uint32(start)))
		start += step
	}
	return result
}

// Iterable gives the list that a loop over a value goes through: a list
// itself, a text's characters, a dict's keys.
func Iterable(v Value) Value {
	switch v.Tag.Kind() {
	case abi.KindList:
		return v
	case abi.KindText:
		return textChars(v)
	case abi.KindDict:
		return dictKeys(v.dict())
	}
	return fail1(abi.ErrNotIterable, v)
}

// Unpack2 checks that a value consists of exactly two items.
func Unpack2(v Value) int32 {
	n := uint32(0)
	switch v.Tag.Kind() {
	case abi.KindList:
		n = v.list().len()
	case abi.KindText:
		n = textCharCount(v)
	case abi.KindDict:
		n = v.dict().count()
	}
	if n != 2 {
		fail1(abi.ErrUnpack, v)
		return -1
	}
	return 0
}

// UnpackItem is item i of a value that Unpack2 has let pass.
func UnpackItem(v Value, i uint32) Value {
	switch v.Tag.Kind() {
	case abi.KindText:
		return textAt(v, i)
	case abi.KindDict:
		return dictKeys(v.dict()).list().at(i)
	}
	return v.list().at(i)
}

func addLists(a, b List) Value {
	n, m := a.len(), b.len()
	if n > listMaxCells || m > listMaxCells {
		halt(abi.HaltMemory)
	}
	result := newList(n + m)
	moveCellsDown(result.cells(), a.cells(), n)
	moveCellsDown(result.cell(n), b.cells(), m)
	result.setLen(n + m)
	return listValue(result)
}

func repeatList(l List, times int64) Value {
	n := l.len()
	if times <= 0 || n == 0 {
		return NewList(0)
	}
	if times > listMaxCells {
		times = listMaxCells
	}
	total := uint64(n) * uint64(times)
	if total > listMaxCells {
		halt(abi.HaltMemory)
	}
	result := newList(uint32(total))
	if n == 1 {
		fillCells(result.cells(), l.at(0), uint32(total))
		result.setLen(uint32(total))
		return listValue(result)
	}
	for range uint32(times) {
		moveCellsDown(result.cell(result.len()), l.cells(), n)
		result.setLen(result.len() + n)
	}
	return listValue(result)
}

// fillCells writes n cells that hold the same value.
func fillCells(at Ptr, v Value, n uint32) {
	for range n {
		storeValue(at, v)
		at += abi.CellSize
		charge(2) // as copying the cell would
	}
}

// RepeatInPlace is list *= times: the list itself comes to hold its items so
// many times.
func RepeatInPlace(list, times Value) Value {
	if !isWhole(times) {
		return failOperator(abi.OperatorMul, list, times)
	}
	l := list.list()
	n, turns := l.len(), times.int()
	if turns <= 0 || n == 0 {
		l.setLen(0)
		return null()
	}
	if turns > listMaxCells || uint64(n)*uint64(turns) > listMaxCells {
		halt(abi.HaltMemory)
	}
	l.reserve(n * (uint32(turns) - 1))
	for range uint32(turns) - 1 {
		moveCellsDown(l.cell(l.len()), l.cells(), n)
		l.setLen(l.len() + n)
	}
	return null()
}

// dictKeys is the list of a dict's keys.
func dictKeys(d Dict) Value {
	keys := newList(d.count())
	for i := range d.used() {
		key := d.key(i)
		if key.Tag != abi.KindUndefined {
			keys.push(key)
		}
	}
	return listValue(keys)
}

// updateDict stores all pairs of one dict in another.
func updateDict(d, from Dict) {
	for i := range from.used() {
		key := from.key(i)
		if key.Tag != abi.KindUndefined {
			d.set(key, from.value(i))
		}
	}
}

// copyDict makes a dict with the same pairs and room for more.
func copyDict(d Dict, extra uint32) Dict {
	result := newDict(d.count() + extra)
	updateDict(result, d)
	return result
}

package guest

import "github.com/avapd/avapd/runtime/abi"

// failType records that a builtin does not take a value: the message is the
// type's name between two texts.
func failType(before, v, after Value) Value {
	return fail1(abi.ErrArgument, Concat(Concat(before, TypeName(v)), after))
}

// failNotInteger records that a value is no integer where one is needed.
func failNotInteger(v Value) Value {
	return failType(literal("'"), v, literal("' object cannot be interpreted as an integer"))
}

// Len is len(v).
func Len(v Value) Value {
	switch v.Tag.Kind() {
	case abi.KindText:
		return integer(int64(textCharCount(v)))
	case abi.KindList:
		return integer(int64(v.list().len()))
	case abi.KindDict:
		return integer(int64(v.dict().count()))
	}
	return failType(literal("object of type '"), v, literal("' has no len()"))
}

// ListOf is list(v).
func ListOf(v Value) Value {
	if v.Tag == abi.KindUndefined {
		return NewList(0)
	}
	if v.Tag == abi.KindList {
		return listValue(v.list().copyOf(0, v.list().len()))
	}
	return Iterable(v)
}

// DictOf is dict(v).
func DictOf(v Value) Value {
	if v.Tag == abi.KindUndefined {
		return NewDict(0)
	}
	result := newDict(0)
	if updateFrom(result, v) < 0 {
		return failure()
	}
	return dictValue(result)
}

// updateFrom stores what a dict or a list of pairs holds.
func updateFrom(d Dict, v Value) int32 {
	if v.Tag == abi.KindDict {
		updateDict(d, v.dict())
		return 0
	}
	pairs := Iterable(v)
	if pairs.failed() {
		return -1
	}
	for i := range pairs.list().len() {
		pair := pairs.list().at(i)
		if Unpack2(pair) < 0 || DictSet(dictValue(d), UnpackItem(pair, 0), UnpackItem(pair, 1)) < 0 {
			return -1
		}
	}
	return 0
}

// Range is range(a, b, c) as a list.
func Range(a, b, c Value) Value {
	start, stop, step := integer(0), a, integer(1)
	if b.Tag != abi.KindUndefined {
		start, stop = a, b
	}
	if c.Tag != abi.KindUndefined {
		step = c
	}
	if !isWhole(start) {
		return failNotInteger(start)
	}
	if !isWhole(stop) {
		return failNotInteger(stop)
	}
	if !isWhole(step) {
		return failNotInteger(step)
	}
	if step.int() == 0 {
		return fail1(abi.ErrValue, literal("range() arg 3 must not be zero"))
	}
	return rangeList(start.int(), stop.int(), step.int())
}

func rangeList(start, stop, step int64) Value {
	if (step > 0 && start >= stop) || (step < 0 && start <= stop) {
		return NewList(0)
	}
	distance, stride := uint64(stop)-uint64(start)-1, uint64(step)
	if step < 0 {
		distance, stride = uint64(start)-uint64(stop)-1, -stride
	}
	count := distance / stride
	if count >= listMaxCells {
		halt(abi.HaltMemory)
	}
	n := uint32(count) + 1
	result := newList(n)
	cell := result.cells()
	for range n {
		storeValue(cell, integer(start))
		cell += abi.CellSize
		start += step
	}
	result.setLen(n)
	return listValue(result)
}

// Abs is abs(v).
func Abs(v Value) Value {
	if isWhole(v) {
		if v.int() < 0 {
			return Neg(v)
		}
		return integer(v.int())
	}
	if v.Tag == abi.KindFloat {
		return floating(abs64(v.float()))
	}
	return failType(literal("bad operand type for abs(): '"), v, literal("'"))
}

// Min is the smallest of a list; absent, if not undefined, stands in for it
// when the list is empty.
func Min(items, absent Value) Value { return MinBy(items, items, absent) }

// Max is the largest of a list.
func Max(items, absent Value) Value { return MaxBy(items, items, absent) }

// MinBy is the item with the smallest key.
func MinBy(items, keys, absent Value) Value {
	n := min(items.list().len(), keys.list().len())
	if n == 0 {
		return absentOr(absent, literal("min() arg is an empty sequence"))
	}
	best := uint32(0)
	for i := uint32(1); i < n; i++ {
		less := Less(keys.list().at(i), keys.list().at(best), abi.OperatorLess)
		if less < 0 {
			return failure()
		}
		if less != 0 {
			best = i
		}
	}
	return items.list().at(best)
}

// MaxBy is the item with the largest key.
func MaxBy(items, keys, absent Value) Value {
	n := min(items.list().len(), keys.list().len())
	if n == 0 {
		return absentOr(absent, literal("max() arg is an empty sequence"))
	}
	best := uint32(0)
	for i := uint32(1); i < n; i++ {
		less := Less(keys.list().at(best), keys.list().at(i), abi.OperatorGreater)
		if less < 0 {
			return failure()
		}
		if less != 0 {
			best = i
		}
	}
	return items.list().at(best)
}

func absentOr(absent, message Value) Value {
	if absent.Tag == abi.KindUndefined {
		return fail1(abi.ErrValue, message)
	}
	return absent
}

// Sum is sum(v, start), added from left to right.
func Sum(v, start Value) Value {
	items := Iterable(v)
	if items.failed() {
		return items
	}
	sum := start
	if sum.Tag == abi.KindUndefined {
		sum = integer(0)
	}
	if sum.isText() {
		return fail1(abi.ErrArgument, literal("sum() can't sum strings [use ''.join(seq) instead]"))
	}
	for i := range items.list().len() {
		sum = Add(sum, items.list().at(i))
		if sum.failed() {
			return sum
		}
	}
	return sum
}

// Enumerate is enumerate(v, start) as a list of pairs.
func Enumerate(v, start Value) Value {
	items := Iterable(v)
	if items.failed() {
		return items
	}
	number := int64(0)
	if start.Tag != abi.KindUndefined {
		if !isWhole(start) {
			return failNotInteger(start)
		}
		number = start.int()
	}
	n := items.list().len()
	if number > 0 && uint64(number)+uint64(n) > signBit {
		return failOverflow()
	}
	result := newList(n)
	for i := range n {
		result.push(pairOf(integer(number), items.list().at(i)))
		number++
	}
	return listValue(result)
}

// pairOf is a list of two.
func pairOf(a, b Value) Value {
	l := newList(2)
	l.push(a)
	l.push(b)
	return listValue(l)
}

// Zip is zip(…) as a list of lists, as long as the shortest of what is in the
// list given.
func Zip(lists Value) Value {
	columns := lists.list().len()
	if columns == 0 {
		return NewList(0)
	}
	sources := newList(columns)
	rows := uint32(listMaxCells)
	for i := range columns {
		source := Iterable(lists.list().at(i))
		if source.failed() {
			return source
		}
		rows = min(rows, source.list().len())
		sources.push(source)
	}
	result := newList(rows)
	for row := range rows {
		items := newList(columns)
		for i := range columns {
			items.push(sources.at(i).list().at(row))
		}
		result.push(listValue(items))
	}
	return listValue(result)
}

// Any is any(v).
func Any(v Value) Value { return anyIs(v, 1) }

// All is all(v).
func All(v Value) Value {
	found := anyIs(v, 0)
	if found.failed() {
		return found
	}
	return boolean(found.Bits == 0)
}

// anyIs reports whether an item has this truth.
func anyIs(v Value, truth int32) Value {
	items := Iterable(v)
	if items.failed() {
		return items
	}
	for i := range items.list().len() {
		if Truthy(items.list().at(i)) == truth {
			return boolean(true)
		}
	}
	return boolean(false)
}

// TypeName is the name of a value's type.
func TypeName(v Value) Value { return typeWord(v) }

// IsInstance reports whether a value's type is one of the names: a text or a
// list of them. A bool is an int, too.
func IsInstance(v, names Value) Value { return isInstance(v, names, 0) }

func isInstance(v, names Value, depth uint32) Value {
	if names.isText() {
		return boolean(textEqual(names, TypeName(v)) ||
			v.Tag == abi.KindBool && textEqual(names, literal("int")))
	}
	if names.Tag != abi.KindList {
		return fail1(abi.ErrArgument, literal("isinstance() arg 2 must be a type, a tuple of types, or a union"))
	}
	enter(depth)
	for i := range names.list().len() {
		found := isInstance(v, names.list().at(i), depth+1)
		if found.failed() || found.Bits != 0 {
			return found
		}
	}
	return boolean(false)
}

// Print writes the texts of a list of values, joined by blanks, to the log.
func Print(arguments Value) Value {
	text := emptyText()
	for i := range arguments.list().len() {
		if i > 0 {
			text = Concat(text, literal(" "))
		}
		text = Concat(text, Str(arguments.list().at(i)))
	}
	logEntry(abi.LogPrint, load32(abi.Site), text)
	return null()
}

package guest

import "github.com/avapd/avapd/runtime/abi"

const (
	minInt64Float = -9223372036854775808.0
	maxInt64Float = 9223372036854775808.0 // the first float beyond

	// maxNesting bounds how deep a walk through nested values goes, which
	// also ends walks through values that contain themselves.
	maxNesting = 1000

	unordered = 2
)

// isNumber holds for int, float and bool.
func isNumber(v Value) bool { return v.Tag >= abi.KindBool && v.Tag <= abi.KindFloat }

// isWhole holds for int and bool, whose payloads read alike.
func isWhole(v Value) bool { return v.Tag == abi.KindInt || v.Tag == abi.KindBool }

// toFloat is a number as a float.
func toFloat(v Value) float64 {
	if v.Tag == abi.KindFloat {
		return v.float()
	}
	return float64(v.int())
}

// compareNumbers compares exactly: -1, 0, 1, or unordered for a NaN.
func compareNumbers(a, b Value) int32 {
	if a.Tag != abi.KindFloat {
		if b.Tag != abi.KindFloat {
			if a.int() < b.int() {
				return -1
			}
			if a.int() > b.int() {
				return 1
			}
			return 0
		}
		return compareIntFloat(a.int(), b.float())
	}
	if b.Tag != abi.KindFloat {
		order := compareIntFloat(b.int(), a.float())
		if order == unordered {
			return unordered
		}
		return -order
	}
	return compareFloats(a.float(), b.float())
}

func compareFloats(x, y float64) int32 {
	if x < y {
		return -1
	}
	if x > y {
		return 1
	}
	if x == y {
		return 0
	}
	return unordered
}

func compareIntFloat(i int64, f float64) int32 {
	if f >= maxInt64Float {
		return -1
	}
	if f < minInt64Float {
		return 1
	}
	if f != f {
		return unordered
	}
	whole := trunc64(f)
	w := int64(whole)
	if i < w {
		return -1
	}
	if i > w {
		return 1
	}
	return compareFloats(whole, f)
}

func numbersEqual(a, b Value) bool { return compareNumbers(a, b) == 0 }

// Equal is a == b. No pair of values fails to compare.
func Equal(a, b Value) int32 { return b2i(equal(a, b, 0)) }

func b2i(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

func equal(a, b Value, depth uint32) bool {
	if a.Tag == abi.KindInt && b.Tag == abi.KindInt {
		return a.Bits == b.Bits
	}
	if a.isText() {
		return b.isText() && textEqual(a, b)
	}
	if isNumber(a) {
		return isNumber(b) && numbersEqual(a, b)
	}
	if a.Tag != b.Tag {
		return false
	}
	if a.Tag == abi.KindList {
		return listsEqual(a.list(), b.list(), depth)
	}
	if a.Tag == abi.KindDict {
		return dictsEqual(a.dict(), b.dict(), depth)
	}
	return a.Tag != abi.KindConnector || a.Bits == b.Bits
}

// same is equality inside containers, where a value always equals itself.
func same(a, b Value, depth uint32) bool {
	return a.Bits == b.Bits && a.Tag == b.Tag || equal(a, b, depth)
}

func enter(depth uint32) {
	if depth >= maxNesting {
		halt(abi.HaltDepth)
	}
}

func listsEqual(a, b List, depth uint32) bool {
	n := a.len()
	if n != b.len() {
		return false
	}
	if a == b {
		return true
	}
	enter(depth)
	for i := range n {
		if !same(a.at(i), b.at(i), depth+1) {
			return false
		}
	}
	return true
}

func dictsEqual(a, b Dict, depth uint32) bool {
	if a.count() != b.count() {
		return false
	}
	if a == b {
		return true
	}
	enter(depth)
	for i := range a.used() {
		key := a.key(i)
		if key.Tag != abi.KindUndefined {
			at := b.find(key)
			if at == noEntry || !same(a.value(i), b.value(at), depth+1) {
				return false
			}
		}
	}
	return true
}

// Less is a < b. The operator is what a message would show, since a > b is
// asked as b < a.
func Less(a, b Value, operator uint32) int32 {
	if a.Tag == abi.KindInt && b.Tag == abi.KindInt {
		return b2i(a.int() < b.int())
	}
	order := compare(a, b, operator, 0)
	if order == compareFailed {
		return -1
	}
	return b2i(order == -1)
}

// LessEqual is a <= b.
func LessEqual(a, b Value, operator uint32) int32 {
	if a.Tag == abi.KindInt && b.Tag == abi.KindInt {
		return b2i(a.int() <= b.int())
	}
	order := compare(a, b, operator, 0)
	if order == compareFailed {
		return -1
	}
	return b2i(order <= 0)
}

const compareFailed = -2

// compare orders numbers, texts and lists: -1, 0, 1, unordered, or
// compareFailed after an error.
func compare(a, b Value, operator, depth uint32) int32 {
	if isNumber(a) && isNumber(b) {
		return compareNumbers(a, b)
	}
	if a.isText() && b.isText() {
		order := textCompare(a, b)
		if order < 0 {
			return -1
		}
		if order > 0 {
			return 1
		}
		return 0
	}
	if a.Tag == abi.KindList && b.Tag == abi.KindList {
		return compareLists(a.list(), b.list(), operator, depth)
	}
	failCompare(a, b, operator)
	return compareFailed
}

// failCompare names the operands in the order in which the script has them.
func failCompare(a, b Value, operator uint32) {
	if operator == abi.OperatorGreater || operator == abi.OperatorGreaterEqual {
		failOrder(operator, b, a)
		return
	}
	failOrder(operator, a, b)
}

func compareLists(a, b List, operator, depth uint32) int32 {
	enter(depth)
	n := min(a.len(), b.len())
	for i := range n {
		x, y := a.at(i), b.at(i)
		if !same(x, y, depth+1) {
			return compare(x, y, operator, depth+1)
		}
	}
	if a.len() < b.len() {
		return -1
	}
	return b2i(a.len() > b.len())
}

// Contains is item in container.
func Contains(item, container Value) int32 {
	switch container.Tag.Kind() {
	case abi.KindList:
		return b2i(indexOf(container.list(), item, 0, container.list().len()) != noEntry)
	case abi.KindText:
		if !item.isText() {
			fail(abi.ErrArgument, literal("'in <string>' requires string as left operand"), item)
			return -1
		}
		return b2i(textContains(container, item))
	case abi.KindDict:
		if !hashable(item) {
			fail1(abi.ErrUnhashable, item)
			return -1
		}
		return b2i(container.dict().find(item) != noEntry)
	}
	failDetail(abi.ErrNotIterable, 1, container, undefined())
	return -1
}

// indexOf gives the position of an item in part of a list, or noEntry.
func indexOf(l List, item Value, from, to uint32) uint32 {
	for i := from; i < to; i++ {
		if same(l.at(i), item, 0) {
			return i
		}
	}
	return noEntry
}

// Is is identity for containers, and same type and equal for other values.
func Is(a, b Value) int32 {
	if a.Tag.Kind() != b.Tag.Kind() {
		return 0
	}
	switch a.Tag.Kind() {
	case abi.KindList, abi.KindDict:
		return b2i(a.Bits == b.Bits)
	}
	return b2i(equal(a, b, 0))
}

// Truthy is the truth of a value.
func Truthy(v Value) int32 {
	switch v.Tag.Kind() {
	case abi.KindBool, abi.KindInt:
		return b2i(v.Bits != 0)
	case abi.KindFloat:
		return b2i(v.float() != 0)
	case abi.KindText:
		return b2i(v.textLen() != 0)
	case abi.KindList:
		return b2i(v.list().len() != 0)
	case abi.KindDict:
		return b2i(v.dict().count() != 0)
	case abi.KindConnector:
		return 1
	}
	return 0
}

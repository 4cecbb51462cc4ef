package guest

import "github.com/avapd/avapd/runtime/abi"

// Sorting is a stable merge sort over records in a block of memory. A record
// is one cell, or two when items are sorted by keys: the key, then the item.
// Nothing is seen of it until it has succeeded, so a failed comparison leaves
// a list as it was.

const sortRun = 8 // records that are sorted by insertion

// Sorted makes a sorted list of the items of v.
func Sorted(v, reverse Value) Value {
	items := Iterable(v)
	if items.failed() {
		return items
	}
	l := items.list().copyOf(0, items.list().len())
	if !sortList(l, reverse) {
		return failure()
	}
	return listValue(l)
}

// SortedBy makes a list of the items, sorted by the keys at the same places.
func SortedBy(items, keys, reverse Value) Value {
	l := items.list().copyOf(0, items.list().len())
	if !sortListBy(l, keys.list(), reverse) {
		return failure()
	}
	return listValue(l)
}

// MethodSort is list.sort(reverse=…).
func MethodSort(receiver, reverse Value) Value {
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("sort"))
	}
	if !sortList(receiver.list(), reverse) {
		return failure()
	}
	return null()
}

// MethodSortBy sorts a list by the keys at the same places.
func MethodSortBy(receiver, keys, reverse Value) Value {
	if receiver.Tag != abi.KindList {
		return failMethod(receiver, literal("sort"))
	}
	if !sortListBy(receiver.list(), keys.list(), reverse) {
		return failure()
	}
	return null()
}

func sortList(l List, reverse Value) bool {
	n := l.len()
	if n < 2 {
		return true
	}
	size := n * abi.CellSize
	block, spare := allocBlock(size), allocBlock(size)
	moveCellsDown(block, l.cells(), n)
	sorted := sortRecords(block, spare, n, abi.CellSize, Truthy(reverse) != 0)
	if sorted != 0 {
		moveCellsDown(l.cells(), sorted, n)
	}
	freeBlock(block, size)
	freeBlock(spare, size)
	return sorted != 0
}

func sortListBy(l, keys List, reverse Value) bool {
	n := min(l.len(), keys.len())
	if n < 2 {
		return true
	}
	if n > listMaxCells/2 {
		halt(abi.HaltMemory)
	}
	const record = 2 * abi.CellSize
	size := n * record
	block, spare := allocBlock(size), allocBlock(size)
	at := block
	for i := range n {
		storeValue(at, keys.at(i))
		storeValue(at+abi.CellSize, l.at(i))
		at += record
	}
	sorted := sortRecords(block, spare, n, record, Truthy(reverse) != 0)
	if sorted != 0 {
		at = sorted
		for i := range n {
			l.set(i, loadValue(at+abi.CellSize))
			at += record
		}
	}
	freeBlock(block, size)
	freeBlock(spare, size)
	return sorted != 0
}

// sortRecords sorts n records and gives the block of the two that holds them,
// or 0 after an error.
func sortRecords(block, spare Ptr, n, record uint32, reverse bool) Ptr {
	for i := uint32(0); i < n; i += sortRun {
		if !insertRecords(block+Ptr(i*record), min(sortRun, n-i), record, reverse) {
			return 0
		}
	}
	for run := uint32(sortRun); run < n; run *= 2 {
		for i := uint32(0); i < n; i += 2 * run {
			left := min(run, n-i)
			right := min(run, n-i-left)
			at := i * record
			if !mergeRecords(spare+Ptr(at), block+Ptr(at), left, right, record, reverse) {
				return 0
			}
		}
		block, spare = spare, block
	}
	return block
}

// insertRecords sorts a few records in place.
func insertRecords(block Ptr, n, record uint32, reverse bool) bool {
	for i := uint32(1); i < n; i++ {
		key := loadValue(block + Ptr(i*record))
		item := undefined()
		if record > abi.CellSize {
			item = loadValue(block + Ptr(i*record) + abi.CellSize)
		}
		at := block + Ptr(i*record)
		for at > block {
			order := comesBefore(key, loadValue(at-Ptr(record)), reverse)
			if order < 0 {
				return false
			}
			if order == 0 {
				break
			}
			memoryCopy(at, at-Ptr(record), record)
			at -= Ptr(record)
		}
		storeValue(at, key)
		if record > abi.CellSize {
			storeValue(at+abi.CellSize, item)
		}
	}
	return true
}

// mergeRecords merges two sorted runs that lie side by side.
func mergeRecords(to, from Ptr, left, right, record uint32, reverse bool) bool {
	a, b := from, from+Ptr(left*record)
	middle, end := b, b+Ptr(right*record)
	if a < middle && b < end {
		order := comesBefore(loadValue(b), loadValue(middle-Ptr(record)), reverse)
		if order < 0 {
			return false
		}
		if order == 0 { // in order as they are
			moveCellsDown(to, from, (left+right)*record/abi.CellSize)
			return true
		}
	}
	for a < middle && b < end {
		order := comesBefore(loadValue(b), loadValue(a), reverse)
		if order < 0 {
			return false
		}
		if order != 0 {
			memoryCopy(to, b, record)
			b += Ptr(record)
		} else {
			memoryCopy(to, a, record)
			a += Ptr(record)
		}
		to += Ptr(record)
	}
	moveCellsDown(to, a, uint32(middle-a)/abi.CellSize)
	to += middle - a
	moveCellsDown(to, b, uint32(end-b)/abi.CellSize)
	return true
}

// comesBefore reports whether a later value must stand before an earlier one.
func comesBefore(later, earlier Value, reverse bool) int32 {
	if reverse {
		return Less(earlier, later, abi.OperatorLess)
	}
	return Less(later, earlier, abi.OperatorLess)
}

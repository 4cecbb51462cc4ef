package guest

import "github.com/avapd/avapd/runtime/abi"

func (l List) len() uint32 { return load32(Ptr(l) + abi.ListLen) }
func (l List) cap() uint32 { return load32(Ptr(l) + abi.ListCap) }
func (l List) cells() Ptr  { return Ptr(load32(Ptr(l) + abi.ListCells)) }

// cell is where item i lies, until the list grows.
func (l List) cell(i uint32) Ptr { return l.cells() + Ptr(i*abi.CellSize) }

// at is item i, which the list is known to have.
func (l List) at(i uint32) Value { return loadValue(l.cell(i)) }

// set replaces item i, which the list is known to have.
func (l List) set(i uint32, v Value) {
	if l.isOld() && v.points() {
		remember(uint32(l))
	}
	storeValue(l.cell(i), v)
}

// isOld reports whether the list has to be remembered when it comes to point
// at other memory; see Collect.
func (l List) isOld() bool { return uint32(l) < load32(abi.RegionMark) }

func (l List) setLen(n uint32) { store32(Ptr(l)+abi.ListLen, n) }

const (
	listFirstCap = 4
	// listMaxCells keeps the size of a block of cells within 32 bits.
	listMaxCells = 1 << 27
)

// newList makes an empty list with room for capacity items.
func newList(capacity uint32) List {
	if capacity > listMaxCells {
		halt(abi.HaltMemory)
	}
	p := alloc(abi.ListSize + capacity*abi.CellSize)
	store32(p+abi.ListLen, 0)
	store32(p+abi.ListCap, capacity)
	store32(p+abi.ListCells, uint32(p)+abi.ListSize)
	store32(p+abi.ListMark, 0)
	return List(p)
}

// reserve makes room for extra more items. The last list in memory grows where
// it lies, which is cheap and so goes in small steps; another one moves to
// twice its room, so that what it has left behind is no more than it has.
func (l List) reserve(extra uint32) {
	length, have := l.len(), l.cap()
	if extra <= have-length {
		return
	}
	want := uint64(length) + uint64(extra)
	if want > listMaxCells {
		halt(abi.HaltMemory)
	}
	if l.isOld() {
		remember(uint32(l))
	}
	old := l.cells()
	more := max(uint32(want)-have, max(have/8, listFirstCap))
	if extendBlock(old, have*abi.CellSize, more*abi.CellSize) {
		store32(Ptr(l)+abi.ListCap, have+more)
		return
	}
	capacity := min(max(uint32(want), max(have*2, listFirstCap)), listMaxCells)
	cells := allocBlock(capacity * abi.CellSize)
	moveGrown(cells, old, length)
	store32(Ptr(l)+abi.ListCap, capacity)
	store32(Ptr(l)+abi.ListCells, uint32(cells))
	freeBlock(old, have*abi.CellSize)
}

// push appends an item.
func (l List) push(v Value) {
	if l.isOld() && v.points() {
		remember(uint32(l))
	}
	n := l.len()
	if n == l.cap() {
		l.reserve(1)
	}
	storeValue(l.cell(n), v)
	store32(Ptr(l)+abi.ListLen, n+1)
}

// copyOf makes a new list of the items from position from up to to.
func (l List) copyOf(from, to uint32) List {
	n := to - from
	result := newList(n)
	moveCellsDown(result.cells(), l.cell(from), n)
	result.setLen(n)
	return result
}

// NewList makes an empty list with room for capacity items.
func NewList(capacity uint32) Value { return listValue(newList(capacity)) }

// Push appends to what is known to be a list.
func Push(list, v Value) { list.list().push(v) }

// ListLen is the length of what is known to be a list.
func ListLen(list Value) uint32 { return list.list().len() }

// ListAt is an item of what is known to be a list long enough.
func ListAt(list Value, i uint32) Value { return list.list().at(i) }

package guest

import "github.com/avapd/avapd/runtime/abi"

// Memory is handed out from one end and dies with the instance. The blocks that
// lists and dicts outgrow are used again, since nothing but their header ever
// points at them; what loops leave behind is taken back by Collect.

const (
	blockAlignBytes = 8
	// heapLimit is the last address the heap may reach; sums of an address
	// below it and an element never wrap.
	heapLimit = 0xffff0000
	// minFreeBytes is the least block that is kept for use again.
	minFreeBytes = 64
	sizeClasses  = 32
	// freeHeadsBytes is the size of what freeHeads points at.
	freeHeadsBytes = (sizeClasses + 1) * 4
	// moveChunkCells bounds what one turn of a copying loop moves, because a
	// turn costs one unit of fuel however much it moves.
	moveChunkCells = 64
	// moveGrownCells is what a container that grows moves between two looks at the fuel.
	moveGrownCells = 4096
)

// freeHeads is the offset of sizeClasses list heads; class c holds blocks of
// at least 1<<c bytes, each with the next one's offset in its first word.
var freeHeads uint32

// alloc takes n bytes of any content from the arena. A run that is out of memory
// ends here.
func alloc(n uint32) Ptr {
	top := load32(abi.HeapTop)
	end := uint64(top) + (uint64(n)+blockAlignBytes-1)/blockAlignBytes*blockAlignBytes
	if end > uint64(load32(abi.HeapEnd)) {
		growHeap(end)
	}
	store32(abi.HeapTop, uint32(end))
	return Ptr(top)
}

// growHeap makes the memory reach end. It doubles what there is while the cap
// allows, so that a run grows its memory only a few times. It is no part of what a
// run costs, which should depend neither on the cap nor on what there was at first.
func growHeap(end uint64) {
	unmetered()
	if end > heapLimit {
		halt(abi.HaltMemory)
	}
	size := memorySize()
	want := uint32((end + abi.PageBytes - 1) / abi.PageBytes)
	if want > size {
		want -= size
		step := size
		for step > want && memoryGrow(step) == 0xffffffff {
			step /= 2
		}
		if step <= want && memoryGrow(want) == 0xffffffff {
			halt(abi.HaltMemory)
		}
		size = memorySize()
	}
	if size >= abi.PageBytes { // 4 GiB, which 32 bits cannot say
		size = abi.PageBytes - 1
	}
	store32(abi.HeapEnd, size*abi.PageBytes)
}

// halt ends the run for a reason no script can catch.
func halt(reason uint32) {
	store32(abi.Halt, reason)
	trap()
}

// allocBlock gives n bytes of any content, a block given back before if one
// fits.
func allocBlock(n uint32) Ptr {
	if n >= minFreeBytes && freeHeads != 0 {
		head := Ptr(freeHeads + (32-clz32(n-1))*4)
		block := Ptr(load32(head))
		if block != 0 {
			store32(head, load32(block))
			return block
		}
	}
	return alloc(n)
}

// freeBlock takes back n bytes that nothing points at any more.
func freeBlock(block Ptr, n uint32) {
	if n < minFreeBytes {
		return
	}
	if freeHeads == 0 {
		makeFreeHeads()
	}
	head := Ptr(freeHeads + (31-clz32(n))*4)
	store32(block, load32(head))
	store32(head, uint32(block))
}

func makeFreeHeads() {
	unmetered() // as growing is
	freeHeads = uint32(alloc(freeHeadsBytes))
	memoryFill(Ptr(freeHeads), 0, freeHeadsBytes)
}

// extendBlock makes the block of n bytes longer where it lies, which is
// possible when it is the last one.
func extendBlock(block Ptr, n, extra uint32) bool {
	if uint32(block)+n != load32(abi.HeapTop) {
		return false
	}
	alloc(extra)
	return true
}

// moveCellsUp moves count cells to a place that is not lower; they may
// overlap.
func moveCellsUp(dst, src Ptr, count uint32) {
	for count > moveChunkCells {
		count -= moveChunkCells
		at := Ptr(count * abi.CellSize)
		memoryCopy(dst+at, src+at, moveChunkCells*abi.CellSize)
	}
	memoryCopy(dst, src, count*abi.CellSize)
}

// moveCellsDown moves count cells to a place that is not higher; they may
// overlap.
func moveCellsDown(dst, src Ptr, count uint32) {
	for count > moveChunkCells {
		memoryCopy(dst, src, moveChunkCells*abi.CellSize)
		dst += moveChunkCells * abi.CellSize
		src += moveChunkCells * abi.CellSize
		count -= moveChunkCells
	}
	memoryCopy(dst, src, count*abi.CellSize)
}

// moveGrown moves the cells of a container that grows. Whether it has to depends on
// what lies behind it, which is not the same at each level of optimisation, so this is
// no part of what a run costs: room doubles, so what is appended has paid for it. A long
// move pays as it goes, because others get their turns by that, and gets it back.
func moveGrown(dst, src Ptr, count uint32) {
	unmetered()
	paid := uint64(0)
	for count > moveGrownCells {
		charge(moveGrownCells)
		paid += moveGrownCells
		memoryCopy(dst, src, moveGrownCells*abi.CellSize)
		dst += moveGrownCells * abi.CellSize
		src += moveGrownCells * abi.CellSize
		count -= moveGrownCells
	}
	memoryCopy(dst, src, count*abi.CellSize)
	if paid > 0 {
		charge(0 - paid)
	}
}

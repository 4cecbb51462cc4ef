package guest

import "github.com/avapd/avapd/runtime/abi"

// Loops of a script that leave temporaries behind give their memory back. Such
// a loop notes where the heap ended when it began, its mark, and calls Collect
// at the head of a turn when the heap has grown by so much since. What lies
// behind the mark and can still be reached is moved together there, the rest
// is free.
//
// Behind the mark can point: the variables that the loop assigns, which the
// caller hands over; the globals and the frame of the function; and older
// lists and dicts that were changed since, which remember notes. Nothing else:
// what a caller further out holds is older than the mark, and inside the
// library no loop of a script turns.
//
// The work is bounded and pays no fuel, so that what a run costs does not
// depend on how much of it was found superfluous before.

const (
	// refDict marks the offset of a dict's header among those of lists.
	refDict = 1
	// queueEnd stands in the mark word of the last container in the queue.
	queueEnd = 2
	// granuleShift is the binary logarithm of the bytes that one bit of the
	// map of live memory stands for. Every allocation starts at a granule.
	granuleShift = 3
	wordShift    = 6 + granuleShift
	// regionMaxBytes is the most memory that a collection looks at.
	regionMaxBytes = 64 << 20
	// collectUnits bounds the steps of marking, to a few milliseconds.
	collectUnits = 400_000
	// never is the end of the heap that no run reaches.
	never = 0xffffffff
)

// The containers older than a mark that may point behind it: in the library's
// table, with open addressing, the offsets of their headers, those of dicts with
// refDict. Outside the heap it disturbs nothing there.
var (
	rememberedCount uint32
	rememberedLast  uint32 // the one asked about last
)

const (
	rememberedSlots = abi.RememberedBytes / 4
	// rememberedMax leaves the table some room. Once there were more, nothing
	// is given back any more.
	rememberedMax = rememberedSlots / 4 * 3
)

// remember notes that an older container may come to point behind a mark.
func remember(ref uint32) {
	if ref != rememberedLast {
		rememberedLast = ref
		if rememberedCount <= rememberedMax {
			putRemembered(ref)
		}
	}
}

func putRemembered(ref uint32) {
	unmetered()
	slot := hashWord(uint64(ref))
	for {
		at := Ptr(abi.Remembered + slot&(rememberedSlots-1)*4)
		have := load32(at)
		if have == ref {
			return
		}
		if have == 0 {
			store32(at, ref)
			rememberedCount++
			return
		}
		slot++
	}
}

// The collection at hand.
var (
	regionBase uint32 // the mark
	regionEnd  uint32
	liveMap    uint32 // a bit for each granule
	liveCounts uint32 // for each word of the map, the granules alive before it
	unitsLeft  int32
	queueHead  uint32 // containers to look into, linked through their mark words
	queueTail  uint32 // the mark word of the last one
	// rootBase is where the cells of KeepRoot start; 0 when there are none.
	rootBase uint32
	rootEnd  uint32
)

// KeepRoot hands over a variable's value for the collection that follows.
func KeepRoot(v Value) {
	if rootBase == 0 {
		rootBase = load32(abi.HeapTop)
		rootEnd = rootBase
	}
	storeValue(alloc(abi.CellSize), v)
	rootEnd += abi.CellSize
}

// Root is the value of the variable that was handed over as number i, after
// the collection and before anything is allocated.
func Root(i uint32) Value { return loadValue(Ptr(rootEnd - (i+1)*abi.CellSize)) }

// Collect frees what nothing points at any more of the memory behind mark. It
// is given how many globals there are, the cells of the function's frame, and
// by how much the heap should grow until the next time; it gives the end of
// the heap to wait for.
func Collect(mark, globals, frame, cells, step uint32) uint32 {
	unmetered()
	top := load32(abi.HeapTop)
	roots := rootBase
	if roots == 0 {
		roots = top
		rootEnd = top
	}
	rootBase = 0
	store32(abi.HeapTop, roots)
	store32(abi.RegionMark, mark)
	size := roots - mark
	if rememberedCount > rememberedMax || size > regionMaxBytes {
		return never
	}
	if load32(abi.ErrorCode) != abi.ErrNone || !openRegion(mark, roots, top) {
		return roots + max(size, step)
	}
	markCells(abi.ScriptBase, globals)
	markCells(Ptr(frame), cells)
	markCells(Ptr(roots), (rootEnd-roots)/abi.CellSize)
	markRemembered()
	markQueue()
	if unitsLeft < 0 {
		clearQueue()
		return roots + max(size, step)
	}
	markOwn()
	countLive()
	fixCells(abi.ScriptBase, globals)
	fixCells(Ptr(frame), cells)
	fixCells(Ptr(roots), (rootEnd-roots)/abi.CellSize)
	fixQueue()
	fixOwn()
	end := moveLive()
	store32(abi.HeapTop, end)
	return end + max((end-mark)*2, step)
}

// openRegion makes the map for a collection, behind what is in use. It is
// false when there is no memory for it.
func openRegion(mark, end, top uint32) bool {
	unmetered()
	words := (end-mark)>>wordShift + 1
	if !reach(uint64(top) + uint64(words)*12) {
		return false
	}
	regionBase, regionEnd = mark, end
	liveMap, liveCounts = top, top+words*8
	memoryFill(Ptr(liveMap), 0, words*8)
	unitsLeft = collectUnits
	queueHead, queueTail = 0, 0
	return true
}

// reach makes the memory reach end if it can.
func reach(end uint64) bool {
	if end <= uint64(load32(abi.HeapEnd)) {
		return true
	}
	if end > heapLimit {
		return false
	}
	want := uint32((end + abi.PageBytes - 1) / abi.PageBytes)
	size := memorySize()
	if want > size {
		if memoryGrow(want-size) == 0xffffffff {
			return false
		}
		size = want
	}
	store32(abi.HeapEnd, min(size, abi.PageBytes-1)*abi.PageBytes)
	return true
}

// markBytes marks what of n bytes lies in the region.
func markBytes(p, n uint32) {
	unmetered()
	if n == 0 || p >= regionEnd || p+n <= regionBase {
		return
	}
	if p < regionBase {
		n -= regionBase - p
		p = regionBase
	}
	unitsLeft -= int32(n >> wordShift)
	first, last := (p-regionBase)>>granuleShift, (p+n-1-regionBase)>>granuleShift
	from, to := uint64(0xffffffffffffffff)<<(first&63), uint64(0xffffffffffffffff)>>((63-last)&63)
	at, end := Ptr(liveMap+first>>6*8), Ptr(liveMap+last>>6*8)
	if at == end {
		store64(at, load64(at)|from&to)
		return
	}
	store64(at, load64(at)|from)
	at += 8
	for at < end {
		store64(at, 0xffffffffffffffff)
		at += 8
	}
	store64(at, load64(at)|to)
}

// isLive reports whether the byte at p, which lies in the region, is marked.
func isLive(p uint32) bool {
	granule := (p - regionBase) >> granuleShift
	return load64(Ptr(liveMap+granule>>6*8))>>(granule&63)&1 != 0
}

// markCells marks what cells point at.
func markCells(at Ptr, count uint32) {
	unmetered()
	for count > 0 && unitsLeft >= 0 {
		markValue(loadValue(at))
		at += abi.CellSize
		unitsLeft--
		count--
	}
}

func markValue(v Value) {
	p := uint32(v.Bits)
	switch v.Tag & abi.KindMask {
	case abi.KindText:
		markBytes(p, v.textLen())
	case abi.KindList:
		if p >= regionBase {
			enqueue(p, p+abi.ListMark)
		}
	case abi.KindDict:
		if p >= regionBase {
			enqueue(p|refDict, p+abi.DictMark)
		}
	}
}

// enqueue puts a container behind the others, unless it is there already.
func enqueue(ref, mark uint32) {
	if load32(Ptr(mark)) != 0 {
		return
	}
	store32(Ptr(mark), queueEnd)
	if queueTail == 0 {
		queueHead = ref
	} else {
		store32(Ptr(queueTail), ref)
	}
	queueTail = mark
}

// markOf is where the mark word of a container is.
func markOf(ref uint32) Ptr {
	if ref&refDict != 0 {
		return Ptr(ref - refDict + abi.DictMark)
	}
	return Ptr(ref + abi.ListMark)
}

// markRemembered queues the older containers that were changed. Those behind
// the mark are forgotten: only loops that have ended since needed them.
func markRemembered() {
	unmetered()
	if rememberedCount == 0 {
		return
	}
	rememberedLast = 0
	forgotten := false
	for i := range uint32(rememberedSlots) {
		ref := load32(abi.Remembered + Ptr(i*4))
		if ref == 0 {
			continue
		}
		if ref < regionBase {
			enqueue(ref, uint32(markOf(ref)))
		} else {
			forgotten = true
		}
	}
	if forgotten {
		rememberQueue()
	}
}

// rememberQueue makes the table anew of what is in the queue.
func rememberQueue() {
	unmetered()
	memoryFill(abi.Remembered, 0, abi.RememberedBytes)
	rememberedCount = 0
	ref := queueHead
	for ref > queueEnd {
		if ref < regionBase {
			putRemembered(ref)
		}
		ref = load32(markOf(ref))
	}
}

// markQueue looks into the containers, those that it comes to put into the
// queue as well.
func markQueue() {
	unmetered()
	ref := queueHead
	for ref > queueEnd && unitsLeft >= 0 {
		unitsLeft -= 4
		if ref&refDict != 0 {
			d := Dict(ref - refDict)
			markBytes(uint32(d), abi.DictSize)
			markBytes(uint32(d.entries()), d.cap()*abi.EntrySize)
			if d.index() != 0 {
				markBytes(uint32(d.index()), (d.mask()+1)*4)
			}
			markCells(d.entries(), d.used()*2)
		} else {
			l := List(ref)
			markBytes(uint32(l), abi.ListSize)
			markBytes(uint32(l.cells()), l.cap()*abi.CellSize)
			markCells(l.cells(), l.len())
		}
		ref = load32(markOf(ref))
	}
}

// clearQueue gives the containers their mark words back.
func clearQueue() {
	unmetered()
	ref := queueHead
	for ref > queueEnd {
		mark := markOf(ref)
		ref = load32(mark)
		store32(mark, 0)
	}
}

// markOwn marks what the library itself holds on to.
func markOwn() {
	markBytes(outBase, outCap)
	if digitRoom != 0 {
		markBytes(digitRoom, digitRoomBytes)
	}
	if freeHeads != 0 {
		markBytes(freeHeads, freeHeadsBytes)
	}
	append0 = markAppend(append0)
	append1 = markAppend(append1)
	append2 = markAppend(append2)
	append3 = markAppend(append3)
	append4 = markAppend(append4)
	append5 = markAppend(append5)
}

// markAppend keeps the room behind a text that may still grow.
func markAppend(buffer uint64) uint64 {
	end := uint32(buffer)
	if end <= regionBase {
		return buffer
	}
	if !isLive(end - 1) {
		return 0
	}
	markBytes(end, uint32(buffer>>32)-end)
	return buffer
}

// countLive counts the granules in front of each word of the map.
func countLive() {
	unmetered()
	count := uint32(0)
	words := (regionEnd-regionBase)>>wordShift + 1
	for i := range words {
		store32(Ptr(liveCounts+i*4), count)
		count += popcnt64(load64(Ptr(liveMap + i*8)))
	}
}

// moved is where what lies at p will be.
func moved(p uint32) uint32 {
	if p < regionBase || p >= regionEnd {
		return p
	}
	granule := (p - regionBase) >> granuleShift
	word := load64(Ptr(liveMap + granule>>6*8))
	before := load32(Ptr(liveCounts+granule>>6*4)) + popcnt64(word&(uint64(1)<<(granule&63)-1))
	return regionBase + before<<granuleShift + p&(1<<granuleShift-1)
}

func fixWord(at Ptr) { store32(at, moved(load32(at))) }

// fixCells makes cells point where things will be.
func fixCells(at Ptr, count uint32) {
	unmetered()
	for count > 0 {
		kind := load32(at+abi.CellTag) & abi.KindMask
		if kind-abi.KindText <= abi.KindDict-abi.KindText {
			fixWord(at + abi.CellPayload)
		}
		at += abi.CellSize
		count--
	}
}

// fixQueue makes the containers point where things will be.
func fixQueue() {
	unmetered()
	ref := queueHead
	for ref > queueEnd {
		if ref&refDict != 0 {
			d := Dict(ref - refDict)
			fixCells(d.entries(), d.used()*2)
			fixWord(Ptr(d) + abi.DictEntries)
			fixWord(Ptr(d) + abi.DictIndex)
		} else {
			l := List(ref)
			fixCells(l.cells(), l.len())
			fixWord(Ptr(l) + abi.ListCells)
		}
		mark := markOf(ref)
		ref = load32(mark)
		store32(mark, 0)
	}
}

// fixOwn is fixQueue for what the library itself holds on to. Free blocks in
// the region are free with it.
func fixOwn() {
	unmetered()
	if freeHeads != 0 {
		for class := range uint32(sizeClasses + 1) {
			pruneFree(Ptr(freeHeads+class*4), uint32(1)<<(class&31))
		}
	}
	freeHeads = moved(freeHeads)
	outBase = moved(outBase)
	digitRoom = moved(digitRoom)
	moveLast()
	append0 = moveAppend(append0)
	append1 = moveAppend(append1)
	append2 = moveAppend(append2)
	append3 = moveAppend(append3)
	append4 = moveAppend(append4)
	append5 = moveAppend(append5)
}

// moveLast keeps what was read last from a dict, if the dict and all of the key are
// alive. Without the key nobody can look it up again, so that the price of what
// follows is the same as if nothing had been moved.
func moveLast() {
	unmetered()
	if lastDict >= regionBase && !isLive(lastDict) {
		lastDict = 0
	}
	lastDict = moved(lastDict)
	if lastTag&abi.KindMask != abi.KindText {
		return
	}
	p, end := uint32(lastBits), uint32(lastBits)+uint32(lastBits>>32)
	if p < regionBase || p >= regionEnd {
		return
	}
	for at := p; at < end; at++ {
		if !isLive(at) {
			lastDict = 0
			return
		}
	}
	lastBits = lastBits>>32<<32 | uint64(moved(p))
}

func moveAppend(buffer uint64) uint64 {
	end := uint32(buffer)
	if end <= regionBase {
		return buffer
	}
	to := moved(end-1) + 1
	return uint64(to) | uint64(to+uint32(buffer>>32)-end)<<32
}

// pruneFree takes the blocks off a free list that reach into the region. Of a
// list that is too long it leaves the start.
func pruneFree(head Ptr, size uint32) {
	unmetered()
	kept := head
	block := load32(head)
	for block != 0 && unitsLeft >= 0 {
		unitsLeft--
		next := load32(Ptr(block))
		if uint64(block)+uint64(size) <= uint64(regionBase) {
			store32(kept, block)
			kept = Ptr(block)
		}
		block = next
	}
	store32(kept, 0)
}

// moveLive moves what is alive together and gives its end.
func moveLive() uint32 {
	unmetered()
	to := regionBase
	granules := (regionEnd-regionBase)>>granuleShift + 1
	granule := nextBit(0, granules, 0)
	for granule < granules {
		stop := nextBit(granule, granules, 0xffffffffffffffff)
		from := regionBase + granule<<granuleShift
		n := (stop - granule) << granuleShift
		if to != from {
			memoryCopy(Ptr(to), Ptr(from), n)
		}
		to += n
		granule = nextBit(stop, granules, 0)
	}
	return to
}

// nextBit is the first granule from one on that is alive, or with all ones as
// flip the first that is not; end if there is none.
func nextBit(granule, end uint32, flip uint64) uint32 {
	unmetered()
	for granule < end {
		word := (load64(Ptr(liveMap+granule>>6*8)) ^ flip) >> (granule & 63)
		if word != 0 {
			return min(granule+ctz64(word), end)
		}
		granule = granule&^63 + 64
	}
	return end
}

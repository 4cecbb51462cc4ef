package guest

import "github.com/avapd/avapd/runtime/abi"

func (d Dict) count() uint32 { return load32(Ptr(d) + abi.DictCount) }

// used counts the entries in use, deleted ones included.
func (d Dict) used() uint32 { return load32(Ptr(d) + abi.DictUsed) }
func (d Dict) cap() uint32  { return load32(Ptr(d) + abi.DictCap) }
func (d Dict) entries() Ptr { return Ptr(load32(Ptr(d) + abi.DictEntries)) }
func (d Dict) index() Ptr   { return Ptr(load32(Ptr(d) + abi.DictIndex)) }
func (d Dict) mask() uint32 { return load32(Ptr(d) + abi.DictMask) }

// entry is where entry i lies, until the dict grows.
func (d Dict) entry(i uint32) Ptr { return d.entries() + Ptr(i*abi.EntrySize) }

// key is the key of entry i; undefined when the entry was deleted.
func (d Dict) key(i uint32) Value { return loadValue(d.entry(i) + abi.EntryKey) }

// value is the value of entry i.
func (d Dict) value(i uint32) Value { return loadValue(d.entry(i) + abi.EntryValue) }

const (
	dictFirstCap = 4
	// dictMaxEntries keeps the sizes of entries and index within 32 bits.
	dictMaxEntries = 1 << 26
	noEntry        = 0xffffffff
)

// isOld reports whether the dict has to be remembered when it comes to point
// at other memory; see Collect.
func (d Dict) isOld() bool { return uint32(d) < load32(abi.RegionMark) }

// newDict makes an empty dict with room for capacity entries.
func newDict(capacity uint32) Dict {
	if capacity > dictMaxEntries {
		halt(abi.HaltMemory)
	}
	p := alloc(abi.DictSize + capacity*abi.EntrySize)
	store32(p+abi.DictCount, 0)
	store32(p+abi.DictUsed, 0)
	store32(p+abi.DictCap, capacity)
	store32(p+abi.DictEntries, uint32(p)+abi.DictSize)
	store32(p+abi.DictIndex, 0)
	store32(p+abi.DictMask, 0)
	store32(p+abi.DictMark, 0)
	return Dict(p)
}

// NewDict makes an empty dict with room for capacity entries.
func NewDict(capacity uint32) Value { return dictValue(newDict(capacity)) }

// hashable reports whether a value may be a key.
func hashable(k Value) bool { return k.Tag.Kind() <= abi.KindText && k.Tag != abi.KindUndefined }

// find gives the number of the entry with a key that is known to be hashable,
// or noEntry.
func (d Dict) find(k Value) uint32 {
	if d.index() == 0 {
		if d.used() <= abi.DictLinear {
			return d.findLinear(k)
		}
		d.reindex()
	}
	if !d.isLast(k) {
		d.look(k)
	}
	return lastEntry
}

// What was read last by way of an index: counting reads an entry and then writes
// it, and need not look for it twice. What adds or removes an entry ends it.
var (
	lastDict  uint32 // 0 if there is none
	lastTag   Tag
	lastBits  uint64
	lastHash  uint32
	lastEntry uint32
)

// lastMaxBytes is the longest text that is kept as the key that was read last.
const lastMaxBytes = 64

// isLast reports whether a key was read last, and in this dict.
func (d Dict) isLast(k Value) bool {
	return uint32(d) == lastDict && k.Bits == lastBits && k.Tag == lastTag
}

// look finds a key in the index and notes what it has found.
func (d Dict) look(k Value) {
	lastHash = hashKey(k)
	lastEntry = d.findHashed(k, lastHash)
	lastDict = uint32(d)
	if k.isText() && k.textLen() > lastMaxBytes {
		lastDict = 0
	}
	lastTag = k.Tag
	lastBits = k.Bits
}

func (d Dict) findLinear(k Value) uint32 {
	entry := d.entries()
	n := d.used()
	if k.isText() {
		for i := range n {
			key := loadValue(entry)
			if key.Bits>>32 == k.Bits>>32 && key.isText() && textEqual(key, k) {
				return i
			}
			entry += abi.EntrySize
		}
		return noEntry
	}
	for i := range n {
		if sameKey(loadValue(entry), k) {
			return i
		}
		entry += abi.EntrySize
	}
	return noEntry
}

// findHashed looks up the index. A slot may lead to a deleted entry, which no
// key matches: the search goes on behind it.
func (d Dict) findHashed(k Value, hash uint32) uint32 {
	index, mask, entries := d.index(), d.mask(), d.entries()
	slot := hash & mask
	for {
		number := load32(index + Ptr(slot*4))
		if number == 0 {
			return noEntry
		}
		entry := entries + Ptr((number-1)*abi.EntrySize)
		if load32(entry+abi.EntryHash) == hash && sameKey(loadValue(entry), k) {
			return number - 1
		}
		slot = (slot + 1) & mask
	}
}

// reindex makes the index anew, large enough for all entries there is room
// for, and hashes the keys.
func (d Dict) reindex() {
	if d.isOld() {
		remember(uint32(d) | refDict)
	}
	old := d.index()
	if old != 0 {
		freeBlock(old, (d.mask()+1)*4)
	}
	slots := uint32(16)
	for slots < d.cap()*2 {
		slots *= 2
	}
	index := allocBlock(slots * 4)
	clearIndex(index, slots)
	store32(Ptr(d)+abi.DictIndex, uint32(index))
	store32(Ptr(d)+abi.DictMask, slots-1)
	entry := d.entries()
	for i := range d.used() {
		key := loadValue(entry)
		if key.Tag != abi.KindUndefined {
			hash := load32(entry + abi.EntryHash)
			if old == 0 {
				hash = hashKey(key)
				store32(entry+abi.EntryHash, hash)
			}
			putSlot(index, slots-1, hash, i)
		}
		entry += abi.EntrySize
	}
}

func clearIndex(index Ptr, slots uint32) {
	const chunk = moveChunkCells * abi.CellSize
	n := slots * 4
	for n > chunk {
		memoryFill(index, 0, chunk)
		index += chunk
		n -= chunk
	}
	memoryFill(index, 0, n)
}

func putSlot(index Ptr, mask, hash, number uint32) {
	slot := hash & mask
	for load32(index+Ptr(slot*4)) != 0 {
		slot = (slot + 1) & mask
	}
	store32(index+Ptr(slot*4), number+1)
}

// set stores a value under a key that is known to be hashable.
func (d Dict) set(k, v Value) {
	indexed := d.index() != 0
	if !indexed && d.used() > abi.DictLinear {
		d.reindex()
		indexed = true
	}
	i, hash := lastEntry, lastHash
	if indexed {
		if !d.isLast(k) {
			hash = hashKey(k)
			i = d.findHashed(k, hash)
		}
	} else {
		i = d.findLinear(k)
	}
	if i != noEntry {
		if d.isOld() && v.points() {
			remember(uint32(d) | refDict)
		}
		storeValue(d.entry(i)+abi.EntryValue, v)
		return
	}
	i = d.add(k, v)
	if indexed {
		store32(d.entry(i)+abi.EntryHash, hash)
		putSlot(d.index(), d.mask(), hash, i)
		lastDict = 0
	}
}

// add puts an entry behind the others and gives its number. The index does
// not know it yet.
func (d Dict) add(k, v Value) uint32 {
	if d.isOld() && (k.points() || v.points()) {
		remember(uint32(d) | refDict)
	}
	if d.used() == d.cap() {
		d.makeRoom()
	}
	i := d.used()
	entry := d.entry(i)
	storeValue(entry+abi.EntryKey, k)
	storeValue(entry+abi.EntryValue, v)
	store32(Ptr(d)+abi.DictUsed, i+1)
	store32(Ptr(d)+abi.DictCount, d.count()+1)
	return i
}

// makeRoom makes room for an entry: by closing the gaps when they are many,
// else by growing.
func (d Dict) makeRoom() {
	if d.used() > 0 && d.count() <= d.used()/2 {
		d.compact()
		return
	}
	have := d.cap()
	capacity := have * 2
	if capacity < dictFirstCap {
		capacity = dictFirstCap
	}
	if capacity > dictMaxEntries {
		halt(abi.HaltMemory)
	}
	if d.isOld() {
		remember(uint32(d) | refDict)
	}
	old := d.entries()
	store32(Ptr(d)+abi.DictCap, capacity)
	if !extendBlock(old, have*abi.EntrySize, (capacity-have)*abi.EntrySize) {
		entries := allocBlock(capacity * abi.EntrySize)
		moveGrown(entries, old, d.used()*2)
		store32(Ptr(d)+abi.DictEntries, uint32(entries))
		freeBlock(old, have*abi.EntrySize)
	}
	if d.index() != 0 {
		d.reindex()
	}
}

// compact closes the gaps that deleted entries left.
func (d Dict) compact() {
	from, to := d.entries(), d.entries()
	for range d.used() {
		if load32(from+abi.CellTag) != abi.KindUndefined {
			if from != to {
				memoryCopy(to, from, abi.EntrySize)
			}
			to += abi.EntrySize
		}
		from += abi.EntrySize
	}
	store32(Ptr(d)+abi.DictUsed, d.count())
	if d.index() != 0 {
		d.reindex()
	}
}

// remove deletes entry i.
func (d Dict) remove(i uint32) {
	lastDict = 0
	entry := d.entry(i)
	storeValue(entry+abi.EntryKey, undefined())
	storeValue(entry+abi.EntryValue, undefined())
	count := d.count() - 1
	store32(Ptr(d)+abi.DictCount, count)
	if d.used() > 4*abi.DictLinear && count < d.used()/4 {
		d.compact()
	}
}

// get looks a key up; undefined when it is missing. The key is known to be
// hashable.
func (d Dict) get(k Value) Value {
	i := d.find(k)
	if i == noEntry {
		return undefined()
	}
	return d.value(i)
}

// DictSet stores a value under a key.
func DictSet(d, k, v Value) int32 {
	if !hashable(k) {
		fail1(abi.ErrUnhashable, k)
		return -1
	}
	d.dict().set(k, v)
	return 0
}

// DictAdd stores a value under a key that a dict without an index is known not
// to have.
func DictAdd(d, k, v Value) { d.dict().add(k, v) }

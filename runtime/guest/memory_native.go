package guest

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/avapd/avapd/runtime/abi"
)

// This file stands in for linear memory and the host when the library runs
// natively. The compiler for WebAssembly does not read it: each function here
// is an instruction or an import there, under the same name and signature.

var memory = make([]byte, 4*65536)

// memoryCap bounds memoryGrow, in pages.
var memoryCap uint32 = 1024

func load8(p Ptr) uint32      { return uint32(memory[p]) }
func load16(p Ptr) uint32     { return uint32(binary.LittleEndian.Uint16(memory[p:])) }
func load32(p Ptr) uint32     { return binary.LittleEndian.Uint32(memory[p:]) }
func load64(p Ptr) uint64     { return binary.LittleEndian.Uint64(memory[p:]) }
func store8(p Ptr, v uint32)  { memory[p] = byte(v) }
func store16(p Ptr, v uint32) { binary.LittleEndian.PutUint16(memory[p:], uint16(v)) }
func store32(p Ptr, v uint32) { binary.LittleEndian.PutUint32(memory[p:], v) }
func store64(p Ptr, v uint64) { binary.LittleEndian.PutUint64(memory[p:], v) }
func memoryCopy(dst, src Ptr, n uint32) {
	copy(memory[dst:uint64(dst)+uint64(n)], memory[src:uint64(src)+uint64(n)])
}

func memoryFill(p Ptr, b uint32, n uint32) {
	for i := range n {
		memory[uint32(p)+i] = byte(b)
	}
}

// memorySize is in pages.
func memorySize() uint32 { return uint32(len(memory) / 65536) }

// memoryGrow takes a number of pages and gives the old size, or all ones when
// there is no more.
func memoryGrow(pages uint32) uint32 {
	old := memorySize()
	if uint64(old)+uint64(pages) > uint64(memoryCap) {
		return math.MaxUint32
	}
	memory = append(memory, make([]byte, int(pages)*65536)...)
	return old
}

func float64bits(f float64) uint64     { return math.Float64bits(f) }
func float64frombits(b uint64) float64 { return math.Float64frombits(b) }
func clz32(x uint32) uint32            { return uint32(bits.LeadingZeros32(x)) }
func clz64(x uint64) uint32            { return uint32(bits.LeadingZeros64(x)) }
func ctz64(x uint64) uint32            { return uint32(bits.TrailingZeros64(x)) }
func popcnt64(x uint64) uint32         { return uint32(bits.OnesCount64(x)) }
func rotl64(x uint64, k uint32) uint64 { return bits.RotateLeft64(x, int(k&63)) }
func floor64(f float64) float64        { return math.Floor(f) }
func trunc64(f float64) float64        { return math.Trunc(f) }
func nearest64(f float64) float64      { return math.RoundToEven(f) }
func sqrt64(f float64) float64         { return math.Sqrt(f) }
func abs64(f float64) float64          { return math.Abs(f) }
func copysign64(f, s float64) float64  { return math.Copysign(f, s) }

// charged is what was charged in computed amounts, for the tests.
var charged uint64

// charge takes units of fuel for work that the host has done or will do.
func charge(units uint64) { charged += units }

// unmetered says that the loops and copies of the function that begins with it
// pay no fuel.
func unmetered() {}

// trap ends the run; the caller has said why in the control block.
func trap() { panic("guest trap") }

var (
	literals    = map[string]Value{}
	literalsEnd = uint32(abi.LibraryBase)
)

// literal gives a constant text that lies in the library's own data.
func literal(s string) Value {
	if v, ok := literals[s]; ok {
		return v
	}
	p := literalsEnd
	literalsEnd += uint32(copy(memory[p:abi.Remembered], s))
	flag := Tag(abi.FlagASCII)
	for i := range len(s) {
		if s[i] >= 0x80 {
			flag = 0
		}
	}
	v := textValue(Ptr(p), uint32(len(s)), flag)
	literals[s] = v
	return v
}

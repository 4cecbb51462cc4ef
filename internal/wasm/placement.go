package wasm

// Placement tells where the code of a decoded module lies, as Layout does for
// one that is made.
type Placement struct {
	CodeStart, CodeSize uint32
	Bodies              []PlacedBody
}

// PlacedBody says where a body lies, from CodeStart on: its first byte, which
// belongs to the declarations of its locals, and its first instruction.
type PlacedBody struct{ Start, Code uint32 }

// Placement computes where the bodies lie in what Encode gave and Decode read;
// numbers are taken to be as short as Encode writes them.
func (b *Binary) Placement() Placement {
	var p Placement
	if len(b.Bodies) == 0 {
		return p
	}
	at := uint32(ulebLength(uint64(len(b.Bodies))))
	for i := range b.Bodies {
		body := &b.Bodies[i]
		locals := ulebLength(uint64(len(body.Locals)))
		for _, run := range body.Locals {
			locals += ulebLength(uint64(run.Count)) + 1
		}
		size := locals + len(body.Code)
		start := at + uint32(ulebLength(uint64(size)))
		p.Bodies = append(p.Bodies, PlacedBody{start, start + uint32(locals)})
		at = start + uint32(size)
	}
	p.CodeSize = at
	p.CodeStart = uint32(b.Bodies[0].Offset) - p.Bodies[0].Code
	return p
}

func ulebLength(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

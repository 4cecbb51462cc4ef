package wasmhost

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

// asJSON reads a value back.
func asJSON(t *testing.T, mem memory, v cell) string {
	t.Helper()
	var r reader
	r.start(mem, nil, 1<<20)
	if err := r.value(v); err != nil {
		return err.Error()
	}
	return string(r.out)
}

func copied(t *testing.T, from memory, v cell) (memory, cell) {
	t.Helper()
	b := &builder{}
	b.startBuffer(1 << 20)
	c := copier{from: from, to: b}
	out, err := c.value(v)
	if err != nil {
		t.Fatal(err)
	}
	return b.mem, out
}

func TestCopy(t *testing.T) {
	g := &image{base: 64}
	long := g.text("a text that is longer than the limit up to which texts are copied one by one")
	inner := g.list(integer(1), floating(2.5), null(), boolean(1), long, long)
	deleted := cell{}
	d := g.dict(g.text("k"), inner, deleted, null(), integer(7), g.text("é"), null(), inner)
	mem := memory(append(make([]byte, 64), g.b...))
	before := asJSON(t, mem, d)
	to, out := copied(t, mem, d)
	if after := asJSON(t, to, out); after != before {
		t.Errorf("got %s, want %s", after, before)
	}
	// What is shared stays shared: the list is there once.
	r := reader{mem: to}
	entries, _ := r.entries(uint32(out.bits))
	if len(entries) != 3*abi.EntrySize || to.cellAt(entries[abi.EntryValue:]) != to.cellAt(entries[2*abi.EntrySize+abi.EntryValue:]) {
		t.Error("the shared list was copied twice, or the deleted entry too")
	}
	cells, _ := r.cells(uint32(to.cellAt(entries[abi.EntryValue:]).bits))
	if to.cellAt(cells[4*abi.CellSize:]) != to.cellAt(cells[5*abi.CellSize:]) {
		t.Error("the long text was copied twice")
	}
}

func TestCopyOfACycle(t *testing.T) {
	g := &image{base: 64}
	l := g.list(integer(1), null())
	mem := memory(append(make([]byte, 64), g.b...))
	at, _ := mem.u32(uint32(l.bits) + abi.ListCells)
	mem.putCell(at+abi.CellSize, l)
	to, out := copied(t, mem, l)
	r := reader{mem: to}
	cells, _ := r.cells(uint32(out.bits))
	if to.cellAt(cells[abi.CellSize:]) != out {
		t.Error("the copy does not contain itself")
	}
}

// A text keeps the parts it was made of.
func TestCopyKeepsParts(t *testing.T) {
	g := &image{base: 64}
	parts := g.list(cell{g.text("a = ").tag | abi.FlagConst, g.text("a = ").bits}, integer(5))
	header := g.words(uint32(parts.bits), 0)
	made := g.text("a = 5")
	if uint32(made.bits) != header+abi.PartsSize {
		t.Fatal("the parts do not lie in front of the text")
	}
	made.tag |= abi.FlagParts
	mem := memory(append(make([]byte, 64), g.b...))
	to, out := copied(t, mem, made)
	if out.tag != made.tag || asJSON(t, to, out) != `"a = 5"` {
		t.Errorf("got %v %s", out, asJSON(t, to, out))
	}
	list, _ := to.u32(uint32(out.bits) - abi.PartsSize)
	if s := asJSON(t, to, cell{abi.KindList, uint64(list)}); s != `["a = ",5]` {
		t.Errorf("parts %s", s)
	}
}

// Copies take no more room than there is.
func TestCopyIsBounded(t *testing.T) {
	g := &image{base: 64}
	short := g.text("some text")
	var cells []cell
	for range 1000 {
		cells = append(cells, short)
	}
	l := g.list(cells...)
	mem := memory(append(make([]byte, 64), g.b...))
	b := &builder{}
	b.startBuffer(20_000)
	c := copier{from: mem, to: b}
	if _, err := c.value(l); !errors.Is(err, errInputMemory) {
		t.Error(err)
	}
	if len(b.mem) > 20_000 {
		t.Error(len(b.mem))
	}
}

func TestFingerprint(t *testing.T) {
	g := &image{base: 64}
	one := g.list(integer(1), g.text("x"))
	two := g.list(integer(1), g.text("x"))
	three := g.list(integer(1), g.text("y"))
	mem := memory(append(make([]byte, 64), g.b...))
	scratch := &builder{}
	of := func(v cell) uint64 {
		h, err := fingerprint(mem, v, scratch, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if of(one) != of(two) || of(one) == of(three) || of(integer(1)) == of(floating(1)) || of(cell{}) == of(null()) {
		t.Error("fingerprints tell the wrong values apart")
	}
}

// Guest memory may say anything: a copy fails or succeeds, and is itself sound.
func TestCopyOfHostileMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		mem := make(memory, 512)
		for i := 0; i < len(mem); i += 4 {
			word := random.Uint32N(520)
			if random.IntN(8) == 0 {
				word = random.Uint32()
			}
			if i%16 == 0 {
				word = random.Uint32N(0x80)
			}
			binary.LittleEndian.PutUint32(mem[i:], word)
		}
		b := &builder{}
		b.startBuffer(1 << 16)
		c := copier{from: mem, to: b}
		v := mem.cellAt(mem[16*random.IntN(32):])
		out, err := c.value(v)
		switch {
		case err == nil:
			asJSON(t, b.mem, out)
		case !errors.Is(err, errCorrupt) && !errors.Is(err, errInputMemory):
			t.Fatal(err)
		}
	}
}

package hostcalls

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

// findAll gives the spans of all matches, as the guest asks for them, with
// room for few at a time.
func findAll(memory []byte, mode uint32, pattern, text string, room uint32) string {
	const patternAt = 64
	textAt := uint32(patternAt + len(pattern))
	copy(memory[patternAt:], pattern+text)
	groups := int32(RegexGroup(memory, mode, patternAt, uint32(len(pattern)), 0, 0))
	if groups < 0 {
		return fmt.Sprint("failure ", groups)
	}
	cells := 2 * (uint32(groups) + 1)
	room = max(room, 4*cells)
	var all strings.Builder
	from, advance := uint32(0), uint32(0)
	for {
		found := uint32(RegexFind(memory, nil, mode|advance, patternAt, uint32(len(pattern)), textAt, uint32(len(text)), from, 0x8000, room))
		for i := range found &^ abi.RegexLast {
			at := 0x8000 + i*4*cells
			for j := range cells {
				p := int32(binary.LittleEndian.Uint32(memory[at+4*j:]))
				fmt.Fprint(&all, p, " ")
			}
			from = binary.LittleEndian.Uint32(memory[at+4:])
			advance = 0
			if from == binary.LittleEndian.Uint32(memory[at:]) {
				advance = abi.RegexAdvance
			}
		}
		if found&abi.RegexLast != 0 {
			return strings.TrimSpace(all.String())
		}
	}
}

func TestRegexFind(t *testing.T) {
	memory := make([]byte, 65536)
	for _, c := range []struct {
		mode                uint32
		pattern, text, want string
	}{
		{0, "[0-9]+", "a1b22", "1 2 3 5"},
		{0, "(a)|(b)", "ab", "0 1 0 1 -1 -1 1 2 -1 -1 1 2"},
		{0, "x*", "abxd", "0 0 1 1 2 3 3 3 4 4"},
		{0, "|a", "a", "0 0 0 1 1 1"},
		{0, "", "é", "0 0 2 2"},
		{0, "^a", "aaa", "0 1"},
		{0, "(", "a", "failure -1"},
		{0, `(?=a)`, "a", "failure -1"},
		{0, "((a{100}){9}){9}", "a", "failure -1"},
		{0, strings.Repeat("(?:a?){500}", 40), "a", "failure -2"},
		{0, strings.Repeat("a", 4097), "a", "failure -2"},
		{0, "nothing", "a", ""},
		{abi.RegexBlanks, "a b", "a\u00a0b a\tb", "0 4 5 8"},
		{abi.RegexBlanks, "", "a \n", "1 2 2 3"},
		{abi.RegexBlanks, "[ -~]+", "ab\tc d", "0 2 3 6"},
		{abi.RegexBlanks, "[! ]", "\t!", "0 1 1 2"},
		{abi.RegexBlanks, "[^ ]+", "a\tb", "0 1 2 3"},
		{abi.RegexBlanks, `\ `, "\t ", "1 2"},
		{abi.RegexBlanks, `\Q [\E `, " [\t", "0 3"},
		{abi.RegexBlanks, `[[:alpha:] ]`, "1\ta", "1 2 2 3"},
		{abi.RegexBlanks, `[] ]`, "]\t", "0 1 1 2"},
		{abi.RegexBlanks, `[- a]`, "-\t", "0 1 1 2"},
		{abi.RegexBlanks, `[a -]`, "-\t", "0 1 1 2"},
		{0, " ", "\t", ""},
	} {
		for _, room := range []uint32{0, 24, 4096} {
			if got := findAll(memory, c.mode, c.pattern, c.text, room); got != c.want {
				t.Errorf("%.40q in %q: %s, want %s", c.pattern, c.text, got, c.want)
			}
		}
	}
}

func TestRegexGroupNames(t *testing.T) {
	memory := make([]byte, 256)
	const pattern = "(?P<one>a)(b)(?P<three>c)"
	copy(memory[64:], pattern+"onethreefour")
	at := uint32(64 + len(pattern))
	for _, c := range []struct{ at, n, want uint32 }{{at, 3, 1}, {at + 3, 5, 3}, {at + 8, 4, 0}, {at, 0, 3}, {1 << 31, 4, 0}} {
		got := RegexGroup(memory, 0, 64, uint32(len(pattern)), c.at, c.n)
		if uint32(got) != c.want || got>>32 == 0 {
			t.Errorf("group %x, want %d", got, c.want)
		}
	}
}

// TestRegexTurns stops a search that is quadratic, and sees its price.
func TestRegexTurns(t *testing.T) {
	memory := make([]byte, 1<<20)
	const pattern = "x*y|x"
	copy(memory[64:], pattern)
	for i := 1024; i < len(memory); i++ {
		memory[i] = 'x'
	}
	units := int64(0)
	defer func() {
		if r := recover(); r != "out of fuel" {
			t.Errorf("recovered %v", r)
		}
		if units < 1e8 || units > 2e8 {
			t.Errorf("stopped after %d units", units)
		}
	}()
	turn := func(n int64) {
		if units += n; units > 1e8 {
			panic("out of fuel")
		}
	}
	from := uint32(0)
	for {
		found := RegexFind(memory, turn, 0, 64, uint32(len(pattern)), 1024, uint32(len(memory)-1024), from, 512, 8)
		units += int64(found >> 32)
		from++
	}
}

func TestRegexCacheIsBounded(t *testing.T) {
	c := newCache[int](10_000)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 2000 {
				key := fmt.Sprint(worker%2, i)
				c.put(key, i, 100)
				if v, ok := c.get([]byte(key)); ok && v != i {
					t.Errorf("%s gives %d", key, v)
				}
			}
		})
	}
	all.Wait()
	if c.bytes > c.maxBytes || len(c.byKey) != c.order.Len() || c.order.Len() == 0 {
		t.Errorf("%d bytes, %d keys, %d in order", c.bytes, len(c.byKey), c.order.Len())
	}
	if c.put("huge", 1, 20_000); c.byKey["huge"] != nil {
		t.Error("a value larger than the cache is kept")
	}
}

func TestDigest(t *testing.T) {
	memory := make([]byte, 256)
	copy(memory[64:], "abc")
	for _, c := range []struct {
		kind, n uint32
		want    string
	}{
		{abi.DigestMD5, 3, "900150983cd24fb0d6963f7d28e17f72"},
		{abi.DigestMD5, 0, "d41d8cd98f00b204e9800998ecf8427e"},
		{abi.DigestSHA256, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{2, 3, ""},
	} {
		n := Digest(memory, c.kind, 64, c.n, 128)
		if got := string(memory[128 : 128+n]); got != c.want {
			t.Errorf("digest %d: %s", c.kind, got)
		}
	}
}

// TestWildPointers calls everything with places outside memory.
func TestWildPointers(t *testing.T) {
	memory := make([]byte, 128)
	wild := []uint32{0, 64, 100, 127, 128, 129, 1 << 31, 1<<32 - 1}
	for _, p := range wild {
		for _, n := range wild {
			for _, q := range wild {
				Digest(memory, abi.DigestMD5, p, n, q)
				RegexGroup(memory, 1, p, n, q, n)
				for _, r := range wild {
					RegexFind(memory, nil, 2, p, n, q, r, n, r, p)
					RegexFind(memory, nil, 0, 0, 1, q, r, n, q, p)
					TimeFormat(memory, nil, 0, p, n, q, r, n, q)
					TimeParse(memory, nil, p, n, q, r)
				}
			}
		}
	}
}

func FuzzRegex(f *testing.F) {
	for _, pattern := range []string{"a b", "[^ -]+", `\Q a`, "(x*)*|y", "[ ]", "[[:word:] ]", `\`, "[", "(?P<n>é)"} {
		f.Add(pattern, "aé b\t-x", uint32(0))
	}
	memory := make([]byte, 65536)
	f.Fuzz(func(t *testing.T, pattern, text string, mode uint32) {
		if len(pattern)+len(text) > 512 {
			t.Skip()
		}
		few := findAll(memory, mode&abi.RegexBlanks, pattern, text, 0)
		if many := findAll(memory, mode&abi.RegexBlanks, pattern, text, 16384); many != few {
			t.Errorf("%q in %q: %s with little room, %s with much", pattern, text, few, many)
		}
	})
}

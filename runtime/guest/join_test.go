package guest

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

// TestShortParts joins parts of all lengths about those that are moved as words,
// to texts that have room for them, have just enough, and have none.
func TestShortParts(t *testing.T) {
	start(t)
	const letters = "abcdefghijklmnopqrstuvwxyz"
	for grown := range 40 {
		for n := range 20 {
			base := strings.Repeat("+", 30+grown)
			part := val(letters[:n])
			text := Concat(Concat(val(base[:20]), val(base[20:])), val(""))
			want := base
			for i := range 6 {
				text = Concat(text, part)
				text = Join3(text, val(i*n), part)
				text = Join6(text, part, part, val("é"), val(""), val(-n))
				p := letters[:n]
				want += p + strconv.Itoa(i*n) + p + p + p + "é" + strconv.Itoa(-n)
			}
			if got := stringOf(text); got != want {
				t.Fatalf("%d and %d bytes: %q, want %q", grown, n, got, want)
			}
		}
	}
}

// TestPartsAtTheEndOfMemory has texts behind which there is no memory.
func TestPartsAtTheEndOfMemory(t *testing.T) {
	start(t)
	grown := Concat(val(strings.Repeat("x", 40)), val("y"))
	for n := range uint32(17) {
		grown = Concat(grown, val("z"))
		last := textValue(Ptr(uint32(len(memory))-n), n, abi.FlagASCII)
		for at := range n {
			store8(last.textPtr()+Ptr(at), 'a'+at)
		}
		before := stringOf(grown)
		grown = Join3(Concat(grown, last), last, val(""))
		if got := stringOf(grown)[len(before):]; got != strings.Repeat("abcdefghijklmnop"[:n], 2) {
			t.Errorf("%d bytes: %q", n, got)
		}
		clear(memory[last.textPtr():])
	}
}

func TestDecimals(t *testing.T) {
	start(t)
	numbers := []int64{0, 5, 99, math.MaxInt64, math.MinInt64, 1<<32 - 1, 1 << 32, 1<<32 + 1}
	for p := int64(10); p > 0 && p < math.MaxInt64/10; p *= 10 {
		numbers = append(numbers, p-1, p, p+1, -p, p*7+p/3)
	}
	for i := range int64(10_000) {
		numbers = append(numbers, i)
	}
	for _, i := range numbers {
		if got := stringOf(Join3(val("<"), integer(i), val(">"))); got != "<"+strconv.FormatInt(i, 10)+">" {
			t.Errorf("%d becomes %s", i, got)
		}
	}
}

// TestShortKeys holds that texts which fit in a word hash by all their bytes and
// by their length.
func TestShortKeys(t *testing.T) {
	start(t)
	seen := map[uint32]string{}
	for _, fill := range []string{"\x00", "a", "\x7f"} {
		for n := range 9 {
			for at := range max(n, 1) {
				for _, c := range []string{"", "b", "\x01"} {
					key := strings.Repeat(fill, n)
					if n > 0 {
						key = key[:at] + c + key[at:]
					}
					h := hashKey(val(key))
					if other, ok := seen[h]; ok && other != key {
						t.Errorf("%q and %q have one hash", key, other)
					}
					seen[h] = key
				}
			}
		}
	}
}

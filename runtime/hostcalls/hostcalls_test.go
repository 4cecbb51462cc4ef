package hostcalls

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

const (
	textAt = 64
	outAt  = 4096
)

func readGolden(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func changeCase(memory []byte, mode uint32, text string) string {
	copy(memory[textAt:], text)
	n := UnicodeCase(memory, mode, textAt, uint32(len(text)), outAt)
	return string(memory[outAt : outAt+n])
}

// TestUnicodeGolden holds every code point's class and case against what
// Python 3.11 says, as one digest for each plane.
func TestUnicodeGolden(t *testing.T) {
	var golden struct {
		Class, Upper, Lower, Title []string
		Texts                      [][5]string
	}
	readGolden(t, "testdata/unicode.json", &golden)
	memory := make([]byte, 65536)
	for plane := range 17 {
		class, upper, lower, title := sha256.New(), sha256.New(), sha256.New(), sha256.New()
		for c := plane << 16; c < (plane+1)<<16; c++ {
			if c >= 0xd800 && c < 0xe000 {
				continue
			}
			text := string(rune(c))
			fmt.Fprintf(class, "%d\n", UnicodeClass(uint32(c)))
			fmt.Fprintln(upper, changeCase(memory, abi.CaseUpper, text))
			fmt.Fprintln(lower, changeCase(memory, abi.CaseLower, text))
			fmt.Fprintln(title, changeCase(memory, abi.CaseTitle, text))
		}
		for _, check := range []struct {
			name string
			got  []byte
			want string
		}{
			{"class", class.Sum(nil), golden.Class[plane]},
			{"upper", upper.Sum(nil), golden.Upper[plane]},
			{"lower", lower.Sum(nil), golden.Lower[plane]},
			{"title", title.Sum(nil), golden.Title[plane]},
		} {
			if got := hex.EncodeToString(check.got[:8]); got != check.want {
				t.Errorf("plane %d: %s differs from Python's", plane, check.name)
			}
		}
	}
	for _, row := range golden.Texts {
		for mode, want := range row[1:] {
			if got := changeCase(memory, uint32(mode), row[0]); got != want {
				t.Errorf("case %d of %q: %q, want %q", mode, row[0], got, want)
			}
		}
	}
}

func TestFloatDigits(t *testing.T) {
	var golden struct{ Cases [][5]any }
	readGolden(t, "testdata/digits.json", &golden)
	memory := make([]byte, 65536)
	for _, row := range golden.Cases {
		value, err := strconv.ParseFloat(row[0].(string), 64)
		if err != nil {
			t.Fatal(err)
		}
		mode, ndigits := uint32(row[1].(float64)), uint32(row[2].(float64))
		got := FloatDigits(memory, value, mode, ndigits, outAt)
		digits := string(memory[outAt : outAt+uint32(got)])
		point := int32(got >> 32)
		if digits != row[3] || point != int32(row[4].(float64)) {
			t.Errorf("digits of %v, mode %d, %d: %s at %d, want %v at %v", value, mode, ndigits, digits, point, row[3], row[4])
		}
	}
}

func TestFloatParse(t *testing.T) {
	memory := make([]byte, 65536)
	for text, want := range map[string]float64{
		"1": 1, "+1.5": 1.5, "-.5e1": -5, "5.": 5, "1e400": math.Inf(1), "-1e400": math.Inf(-1), "1e-400": 0, "": 0,
		"0.1": 0.1, "123456789012345678901234567890": 123456789012345678901234567890,
	} {
		copy(memory[textAt:], text)
		if got := FloatParse(memory, textAt, uint32(len(text))); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestWrongPointers holds that nothing the guest passes can hurt the host.
func TestWrongPointers(t *testing.T) {
	memory := make([]byte, 65536)
	edges := []uint32{0, 1, 65000, 65535, 65536, 65537, 1 << 31, math.MaxUint32}
	for _, p := range edges {
		for _, n := range edges {
			FloatParse(memory, p, n)
			for mode := range uint32(6) {
				FloatDigits(memory, 1.5, mode, n, p)
				UnicodeCase(memory, mode, p, n, 1024)
				UnicodeCase(memory, mode, 1024, n, p)
			}
		}
		UnicodeClass(p)
	}
	if got := FloatDigits(memory, 1.5, abi.DigitsShortest, 0, 65000); got != 0 {
		t.Errorf("digits beyond memory: %d", got)
	}
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := FloatDigits(memory, value, abi.DigitsShortest, 0, outAt); got != 0 {
			t.Errorf("digits of %v: %d", value, got)
		}
	}
}

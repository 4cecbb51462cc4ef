package pike

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func TestFindAgreesWithTheStandardLibrary(t *testing.T) {
	patterns := []string{
		"", "a", "a*", "a+b", "(a|ab)(c|bcd)(d*)", "^a", "a$", "^$", `\bfoo\b`, `\Bo`, "(?m)^x$", "(?i)straße", "[^a-c]+", `\d{2,3}`,
		"(x+x+)+y", "(a*)*", "(a*)+", "(?s:.)+", ".+", "(a)|(b)", "(?P<n>x)(y)?", "é+", "[é-ü]", "a{0}", "x*y|x", "(|a)+", "(?:a??)b", `\z`, `\A.`, "日本", "a|b|cd|ef",
	}
	texts := []string{"", "a", "aab", "abcd", "foo food foo", "x\nx\n\nxx", "STRASSE straße", "12 345 6", "xxxxxxy", "éèü", "日本語", "\n", "xxxx", "bbb", "cdefab"}
	for _, pattern := range patterns {
		for _, text := range texts {
			compare(t, pattern, text)
		}
	}
}

// compare holds the first match against that of the standard library.
func compare(t *testing.T, pattern, text string) {
	t.Helper()
	re, err := regexp.Compile(pattern)
	p, err2 := Compile(pattern)
	if errors.Is(err2, ErrTooLarge) {
		return
	}
	if (err == nil) != (err2 == nil) {
		t.Fatalf("%q: %v and %v", pattern, err, err2)
	}
	if err != nil {
		return
	}
	var want []int32
	for _, at := range re.FindStringSubmatchIndex(text) {
		want = append(want, int32(at))
	}
	spans := make([]int32, 2*(p.Groups()+1))
	if !p.Find(&Search{Text: []byte(text)}, 0, false, spans) {
		spans = nil
	}
	if !slices.Equal(spans, want) {
		t.Errorf("%q in %q: %v, want %v", pattern, text, spans, want)
	}
}

func FuzzFind(f *testing.F) {
	f.Add(`(a|b)*?c\b`, "aabbc x")
	f.Add(`(?i)[k-s]+|^é$`, "Kſ é")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) < 64 && len(text) < 256 && utf8.ValidString(text) {
			compare(t, pattern, text)
		}
	})
}

// TestFindFromTheMiddle checks that what stands in front still counts.
func TestFindFromTheMiddle(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		from          int
		advance       bool
		want          string
	}{
		{`^a`, "aa", 1, false, "none"},
		{`\ba`, "aa a", 1, false, "[3 4]"},
		{`(?m)^a`, "b\na", 2, false, "[2 3]"},
		{`a*`, "aab", 2, false, "[2 2]"},
		{`a*`, "aab", 2, true, "[3 3]"},
		{`|a`, "a", 0, true, "[0 1]"},
		{`é|`, "aé", 1, true, "[1 3]"},
		{``, "", 0, true, "none"},
		{`$`, "ab", 2, false, "[2 2]"},
	} {
		p, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		spans, got := make([]int32, 2), "none"
		if p.Find(&Search{Text: []byte(c.text)}, c.from, c.advance, spans) {
			got = fmt.Sprint(spans)
		}
		if got != c.want {
			t.Errorf("%q in %q from %d: %s, want %s", c.pattern, c.text, c.from, got, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, pattern := range []string{
		"(?:[ab]{1000}c){11}", strings.Repeat(`\pL`, 2000), "((a{100}){10}){10}", strings.Repeat("(a)", 1200),
		"(?:x{0,1000}y){20}", "(?i)[" + strings.Repeat(`b-\x{1e942}`, 40) + "]", "[" + strings.Repeat(`b-é`, 40) + "]",
	} {
		if _, err := Compile(pattern); err == nil {
			t.Errorf("%.20q compiles", pattern)
		}
	}
	for _, pattern := range []string{"x{1000}", strings.Repeat("(a)", 300), `(\pL+ ){20}`} {
		if p, err := Compile(pattern); err != nil || p.Instructions() > maxInstructions {
			t.Errorf("%.20q: %v", pattern, err)
		}
	}
}

// TestSearchCanBeStopped stops one that would take hours.
func TestSearchCanBeStopped(t *testing.T) {
	p, err := Compile("(x+x+)+y|x*z")
	if err != nil {
		t.Fatal(err)
	}
	turns, steps := 0, int64(0)
	s := &Search{Text: []byte(strings.Repeat("x", 1<<20)), Turn: func(n int64) {
		turns++
		steps += n
		if turns == 50 {
			panic("enough")
		}
	}}
	defer func() {
		if r := recover(); r != "enough" {
			t.Errorf("recovered %v", r)
		}
		if limit := int64(50 * 2 * stepsPerTurn); steps > limit {
			t.Errorf("%d steps in 50 turns", steps)
		}
		// The machine that was in use is lost, the program is not.
		if !p.Find(&Search{Text: []byte("xxz")}, 0, false, make([]int32, 4)) {
			t.Error("nothing is found after a stop")
		}
	}()
	for from := range len(s.Text) {
		p.Find(s, from, false, make([]int32, 4))
	}
}

func TestConcurrentSearches(t *testing.T) {
	p, err := Compile(`(\w+)@(\w+)`)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			text := strings.Repeat(" ", i) + "me@there"
			for range 200 {
				spans := make([]int32, 6)
				if !p.Find(&Search{Text: []byte(text)}, 0, false, spans) || int(spans[0]) != i {
					t.Errorf("%v", spans)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkFind(b *testing.B) {
	text := []byte(strings.Repeat("some words, 12 numbers; and more of it\n", 1000))
	for _, pattern := range []string{`[0-9]+x`, `\w+@\w+`, `(a|b|c|d)*z{20}`, `.*x.*y.*z`, `(?:a?){50}a{50}`} {
		p, err := Compile(pattern)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(pattern, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			s := &Search{Text: text}
			for b.Loop() {
				p.Find(s, 0, false, make([]int32, 8))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(s.Steps), "ns/step")
		})
	}
}

package randomtext

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMatches(t *testing.T) {
	for _, class := range []string{
		"[0-9]", "[a-f0-9]{8}-[a-f0-9]{4}", "a|b|cd", "(foo|bar)+", "x*", "x{3,}", "[^a]", ".", `\d\w\s`, "(?i)straße k", `\pL`, `\p{Greek}`,
		"^abc$", `\bw\b`, "(?s:.)", "[^\\x00-\\x7f]", "é?", "(?P<n>[xy])z", "a{0}", "(a|)b", "[а-яa-z]", `[\x{D000}-\x{E000}]`,
	} {
		whole := regexp.MustCompile(`\A(?:` + class + `){5}\z`)
		if strings.ContainsAny(class, "^$") && class[0] != '[' || strings.Contains(class, `\b`) {
			whole = regexp.MustCompile(`\A(?:abc){5}\z|\Aw{5}\z`)
		}
		for range 50 {
			s, err := Generate(class, 5, 1<<16)
			if err != nil || !whole.MatchString(s) || !utf8.ValidString(s) {
				t.Fatalf("%s gives %q, %v", class, s, err)
			}
		}
	}
}

func TestWithoutAClass(t *testing.T) {
	s, err := Generate("", 1000, 1000)
	if err != nil || !regexp.MustCompile("^[0-9A-Za-z]{1000}$").MatchString(s) {
		t.Errorf("%q, %v", s, err)
	}
	again, _ := Generate("", 1000, 1000)
	if s == again {
		t.Error("the same text twice")
	}
	if s, err := Generate("[0-9]", 0, 0); s != "" || err != nil {
		t.Errorf("no matches give %q, %v", s, err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		class       string
		n, maxBytes int
		want        error
	}{
		{"[0-9]", 11, 10, ErrTooLong},
		{"é", 6, 11, ErrTooLong},
		{"[0-9]", -1, 10, ErrNegative},
		{"a{0}", 1 << 40, 10, ErrTooLong},
		{`a\bb`, 1, 10, ErrNoMatch},
		{`[^\x00-\x{10FFFF}]`, 1, 10, ErrNoMatch},
		{strings.Repeat("a", 5000), 1, 10000, ErrTooLarge},
		{strings.Repeat("(?:a{1000})", 200), 1, 1 << 30, ErrTooLarge},
		{"((((((a*)*)*)*)*)*)*", 1, 1 << 30, ErrTooLarge},
	} {
		if _, err := Generate(c.class, c.n, c.maxBytes); !errors.Is(err, c.want) {
			t.Errorf("%.20q: %v, want %v", c.class, err, c.want)
		}
	}
	if _, err := Generate("[", 1, 10); err == nil || err.Error() != `invalid regular expression: "["` {
		t.Errorf("a bad pattern: %v", err)
	}
}

// TestSpread holds that every choice comes up about as often.
func TestSpread(t *testing.T) {
	source := rand.NewChaCha8([32]byte{1})
	for _, class := range []string{"[0-9]", "[a-cx-z]", "0|1|2|3|4|5|6", "(?i)k"} {
		s, err := generate(source, class, 20_000, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		count := map[rune]int{}
		for _, r := range s {
			count[r]++
		}
		for r, n := range count {
			if want := 20_000 / len(count); n < want*9/10 || n > want*11/10 {
				t.Errorf("%s: %c comes %d times, want about %d", class, r, n, want)
			}
		}
	}
}

func FuzzGenerate(f *testing.F) {
	f.Add("[a-z]{3}|x*", 3)
	f.Add(`(?i)\bé.\B`, 2)
	f.Fuzz(func(t *testing.T, class string, n int) {
		s, err := Generate(class, n, 4096)
		if err == nil && (len(s) > 4096 || !utf8.ValidString(s)) {
			t.Errorf("%q gives %q", class, s)
		}
	})
}

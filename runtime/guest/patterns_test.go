package guest

import (
	"strings"
	"testing"
)

// TestPatternsAreCharged holds that work which no length tells costs fuel.
func TestPatternsAreCharged(t *testing.T) {
	start(t)
	source := textOf(strings.Repeat("some words ", 1000))
	for _, c := range []struct {
		pattern string
		atLeast uint64
	}{
		{"w", 11_000 / 8}, {`\w+x`, 11_000 * 16}, {"(?:a?){300}b", 300 * 256}, {"[", 64},
	} {
		charged = 0
		GetRegex(source, textOf(c.pattern))
		if charged < c.atLeast || charged > c.atLeast*100 {
			t.Errorf("%s costs %d, want at least %d", c.pattern, charged, c.atLeast)
		}
		charged = 0
		ReplacePattern(source, textOf(c.pattern), textOf("_"))
		if charged < c.atLeast {
			t.Errorf("replacing %s costs %d, want at least %d", c.pattern, charged, c.atLeast)
		}
	}
}

// TestPatternsTakeNoMemory holds that a search gives its room back.
func TestPatternsTakeNoMemory(t *testing.T) {
	start(t)
	source, pattern := textOf("a1b22"), textOf("[0-9]+")
	GetRegex(source, pattern)
	before := uint32(alloc(0))
	for range 100 {
		GetRegex(source, pattern)
	}
	if used := uint32(alloc(0)) - before; used > 100*16 {
		t.Errorf("100 searches leave %d bytes", used)
	}
}

// TestLongResults go beyond the first guess at their size.
func TestLongResults(t *testing.T) {
	start(t)
	source := textOf(strings.Repeat("a,", 5000))
	want(t, "replace", ReplacePattern(source, textOf(","), textOf("--é")), strings.Repeat("a--é", 5000))
	want(t, "getRegex", GetRegex(source, textOf("(a)(,)")), strings.Repeat("a,", 5000))
	want(t, "groups", GetRegex(textOf("x"), textOf(strings.Repeat("(x)|", 300)+"y")), "x")
	want(t, "format", FormatTime(integer(0), textOf(strings.Repeat("%A", 1000)), undefined(), undefined()), strings.Repeat("Thursday", 1000))
}

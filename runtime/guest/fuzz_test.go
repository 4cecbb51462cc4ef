package guest

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/avapd/avapd/runtime/abi"
)

// fuzzed runs f on a memory that is small and comes back afterwards. Ending
// the run for want of memory is no failure; anything else that panics is.
func fuzzed(t *testing.T, f func()) {
	t.Helper()
	mark, saved := load32(abi.HeapTop), memoryCap
	memoryCap = max(memorySize(), 256)
	defer func() {
		memoryCap = saved
		if r := recover(); r != nil && r != "guest trap" {
			panic(r)
		}
		outLen = 0
		reset(mark)
	}()
	f()
	if outLen != 0 {
		t.Errorf("%d bytes stay in the scratch buffer", outLen)
	}
}

// validTexts holds that every text in a value is UTF-8 with a true flag.
func validTexts(t *testing.T, v Value) {
	t.Helper()
	switch v.Tag.Kind() {
	case abi.KindText:
		if !utf8.ValidString(stringOf(v)) {
			t.Errorf("%q is no UTF-8", stringOf(v))
		}
		checkFlag(t, v)
	case abi.KindList:
		for i := range v.list().len() {
			validTexts(t, v.list().at(i))
		}
	case abi.KindDict:
		for i := range v.dict().used() {
			validTexts(t, v.dict().key(i))
			validTexts(t, v.dict().value(i))
		}
	}
	if v.failed() {
		validTexts(t, errorMessage())
	}
}

func fuzzText(f *testing.F, seeds []string, check func(t *testing.T, s string)) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 1<<16 {
			t.Skip()
		}
		fuzzed(t, func() { check(t, s) })
	})
}

func FuzzParseJSON(f *testing.F) {
	seeds := []string{`{"a": [1, -2.5e3, "x\n\u00e9\ud83d\ude00", null, true]}`, `[`, `"\ud800"`, ` 1 `, `[[[]]]`, `{"a":1,}`}
	fuzzText(f, seeds, func(t *testing.T, s string) {
		v := parseJSON(textOf(s))
		if valid := json.Valid([]byte(s)); valid != (v.Tag != abi.KindUndefined) && nesting(s) < maxNesting {
			t.Errorf("%q: valid is %t, but the result is %s", s, valid, show(v))
		}
		validTexts(t, v)
	})
}

// nesting is at least how deep a JSON text nests.
func nesting(s string) int {
	n := 0
	for _, c := range s {
		if c == '[' || c == '{' {
			n++
		}
	}
	return n
}

func FuzzParseLiteral(f *testing.F) {
	seeds := []string{`['a', "b", 1_0, 0x1F, .5, None, True]`, `{'k': {1: [2,]}}`, `['\x41\101\q\U0001F600']`, `['é'`, `[+-1]`}
	fuzzText(f, seeds, func(t *testing.T, s string) {
		v := parseLiteral(textOf(s))
		validTexts(t, v)
		if v.Tag == abi.KindUndefined {
			return
		}
		shown := show(v)
		if again := parseLiteral(Repr(v)); show(again) != shown && !holdsInfinity(v) {
			t.Errorf("%q reads as %s, and its literal as %s", s, shown, show(again))
		}
		validTexts(t, parseParamText(textOf(s)))
	})
}

func holdsInfinity(v Value) bool {
	switch v.Tag {
	case abi.KindFloat:
		return !isFinite(v.float())
	case abi.KindList:
		for i := range v.list().len() {
			if holdsInfinity(v.list().at(i)) {
				return true
			}
		}
	case abi.KindDict:
		for i := range v.dict().used() {
			if holdsInfinity(v.dict().key(i)) || holdsInfinity(v.dict().value(i)) {
				return true
			}
		}
	}
	return false
}

func FuzzFormatValue(f *testing.F) {
	for _, spec := range []string{"", ">10", "é^+#012,.3f", "_x", "08.2e", "z.0%", "c", "<5s", "=+,d", ".3g", "n", "999999999"} {
		f.Add(spec, int64(-42), 1234.5, "日本é")
	}
	f.Fuzz(func(t *testing.T, spec string, i int64, x float64, s string) {
		if !utf8.ValidString(spec) || !utf8.ValidString(s) {
			t.Skip()
		}
		fuzzed(t, func() {
			for _, v := range []any{i, x, s, i&1 == 0, nil, []any{s}} {
				validTexts(t, FormatValue(val(v), textOf(spec)))
			}
		})
	})
}

func FuzzPercentFormat(f *testing.F) {
	for _, format := range []string{"%s-%d", "%05.2f|%-8r", "%(k)s", "%*d", "%.*e", "%c%%", "%#x", "%", "%(", "%+ 08g", "é%y"} {
		f.Add(format, int64(7), math.Pi, "日é")
	}
	f.Fuzz(func(t *testing.T, format string, i int64, x float64, s string) {
		if !utf8.ValidString(format) || !utf8.ValidString(s) {
			t.Skip()
		}
		fuzzed(t, func() {
			text := textOf(format)
			for _, args := range [][]any{{i, x, s}, {s, i, x}, {x}, {pairs{"k", s, s, i}}, {}} {
				validTexts(t, PercentFormat(text, val(args)))
			}
		})
	})
}

func FuzzMethodFormat(f *testing.F) {
	for _, format := range []string{"{} {1}", "{0[k]:>{1}}", "{!r:^9}", "{{}}", "{0.k!s}", "{:{}}", "{", "}", "{0[", "é{:,.2f}"} {
		f.Add(format, int64(7), math.Pi, "日é")
	}
	f.Fuzz(func(t *testing.T, format string, i int64, x float64, s string) {
		if !utf8.ValidString(format) || !utf8.ValidString(s) {
			t.Skip()
		}
		fuzzed(t, func() {
			for _, args := range [][]any{{i, x, s}, {pairs{"k", s}, i}, {[]any{s, i}}, {}} {
				validTexts(t, MethodFormat(textOf(format), val(args)))
			}
		})
	})
}

func FuzzPatterns(f *testing.F) {
	for _, pattern := range []string{"(a)|b", " ", "", "x*", "(?P<n>é)?", "[", "[ -~]", `\bw`} {
		f.Add("aé bx", pattern, `\1\g<n>\0\101\x`)
	}
	f.Fuzz(func(t *testing.T, source, pattern, replacement string) {
		if !utf8.ValidString(source) || !utf8.ValidString(pattern) || !utf8.ValidString(replacement) || len(source) > 4096 {
			t.Skip()
		}
		fuzzed(t, func() {
			validTexts(t, GetRegex(textOf(source), textOf(pattern)))
			validTexts(t, ReplacePattern(textOf(source), textOf(pattern), textOf(replacement)))
			if same := ReplacePattern(textOf(source), textOf(pattern), textOf(`\g<0>`)); !same.failed() && stringOf(same) != source {
				t.Errorf("%q with itself in place of %q is %q", source, pattern, stringOf(same))
			}
		})
	})
}

func FuzzDates(f *testing.F) {
	for _, format := range []string{"%Y-%m-%d", "%c é", "%-5^d%%%f", "%", "%é", "%d%d"} {
		f.Add("2024-05-06", format, 1.7e9)
	}
	f.Fuzz(func(t *testing.T, text, format string, seconds float64) {
		if !utf8.ValidString(text) || !utf8.ValidString(format) {
			t.Skip()
		}
		fuzzed(t, func() {
			validTexts(t, FormatTime(floating(seconds), textOf(format), textOf(text), undefined()))
			validTexts(t, FormatTime(floating(seconds), textOf(format), undefined(), textOf(text)))
			validTexts(t, FormatTime(floating(seconds), textOf(format), undefined(), undefined()))
			validTexts(t, ParseTime(textOf(text), textOf(format), undefined()))
		})
	})
}

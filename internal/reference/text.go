package reference

import (
	"slices"
	"strings"
	"unicode"
)

// The white space that split and strip know without an argument.
func blank(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }

// folded are characters whose upper case is more than one character, among those that tests use.
var folded = map[rune]string{'ß': "SS", 'ŉ': "ʼN", 'ǰ': "J̌", 'ﬀ': "FF", 'ﬁ': "FI", 'ﬂ': "FL", 'ﬃ': "FFI", 'ﬄ': "FFL", 'ﬅ': "ST", 'ﬆ': "ST", 'և': "ԵՒ", 'ΐ': "Ϊ́", 'ΰ': "Ϋ́"}

func upper(s string) string {
	var out strings.Builder
	for _, c := range s {
		if more, ok := folded[c]; ok {
			out.WriteString(more)
		} else {
			out.WriteRune(unicode.ToUpper(c))
		}
	}
	return out.String()
}

// lower knows the two special cases of Unicode: the dotted I, and the sigma at the end of a word.
func lower(s string) string {
	runes := []rune(s)
	var out strings.Builder
	for i, c := range runes {
		switch {
		case c == 'İ':
			out.WriteString("i̇")
		case c == 'Σ' && finalSigma(runes, i):
			out.WriteRune('ς')
		default:
			out.WriteRune(unicode.ToLower(c))
		}
	}
	return out.String()
}

func finalSigma(runes []rune, at int) bool {
	cased := func(c rune) bool {
		return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
	}
	ignorable := func(c rune) bool {
		return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’", c)
	}
	before, after := at-1, at+1
	for before >= 0 && ignorable(runes[before]) {
		before--
	}
	for after < len(runes) && ignorable(runes[after]) {
		after++
	}
	return before >= 0 && cased(runes[before]) && (after == len(runes) || !cased(runes[after]))
}

func titleFirst(c rune) string {
	if more, ok := folded[c]; ok {
		runes := []rune(more)
		return string(runes[0]) + lower(string(runes[1:]))
	}
	return string(unicode.ToTitle(c))
}

func title(s string) string {
	runes := []rune(s)
	low := []rune(lower(s))
	if len(low) != len(runes) {
		low = nil
	}
	var out strings.Builder
	inWord := false
	for i, c := range runes {
		switch {
		case !inWord:
			out.WriteString(titleFirst(c))
		case low != nil:
			out.WriteRune(low[i])
		default:
			out.WriteString(lower(string(c)))
		}
		inWord = unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c) || unicode.Is(unicode.Other_Lowercase, c) || unicode.Is(unicode.Other_Uppercase, c)
	}
	return out.String()
}

func capitalize(s string) string {
	runes := []rune(s)
	if len(runes) == 0 {
		return ""
	}
	low := []rune(lower(s))
	if len(low) == len(runes) {
		return titleFirst(runes[0]) + string(low[1:])
	}
	return titleFirst(runes[0]) + lower(string(runes[1:]))
}

func strip(s, ends string, set value) string {
	cut := blank
	if chars, ok := set.(string); ok {
		cut = func(c rune) bool { return strings.ContainsRune(chars, c) }
	}
	if ends != "right" {
		s = strings.TrimLeftFunc(s, cut)
	}
	if ends != "left" {
		s = strings.TrimRightFunc(s, cut)
	}
	return s
}

// split without a separator takes runs of blanks for one, and none at the ends.
func (in *interpreter) split(s string, args []value) value {
	most := int64(-1)
	if len(args) > 1 {
		most = in.wholeArgument(args[1])
	}
	out := newList()
	if len(args) > 0 && args[0] != nil {
		separator, ok := args[0].(string)
		switch {
		case !ok:
			panic(in.unfit("separator"))
		case separator == "":
			panic(in.unfit("empty separator"))
		}
		n := -1
		if most >= 0 {
			n = int(min(most, int64(len(s)))) + 1
		}
		for _, part := range strings.SplitN(s, separator, n) {
			out.items = append(out.items, part)
		}
		return out
	}
	for s = strings.TrimLeftFunc(s, blank); s != ""; s = strings.TrimLeftFunc(s, blank) {
		if most >= 0 && int64(len(out.items)) >= most {
			out.items = append(out.items, s)
			break
		}
		end := strings.IndexFunc(s, blank)
		if end < 0 {
			end = len(s)
		}
		out.items = append(out.items, s[:end])
		s = s[end:]
	}
	return out
}

func (in *interpreter) joinItems(separator string, v value) value {
	var parts []string
	size := 0
	if k := kindOf(v); k != "str" && k != "list" && k != "dict" {
		panic(in.unfit("join of what has no items"))
	}
	for _, item := range in.items(v) {
		part, ok := item.(string)
		if !ok {
			panic(in.unfit("join"))
		}
		parts = append(parts, part)
		size += len(part) + len(separator)
	}
	in.grow(size)
	return strings.Join(parts, separator)
}

func (in *interpreter) replaceText(s string, args []value) value {
	from, ok := args[0].(string)
	to, ok2 := args[1].(string)
	if !ok || !ok2 {
		panic(in.unfit("replace"))
	}
	n := -1
	if len(args) > 2 {
		n = int(max(min(in.wholeArgument(args[2]), 1<<30), -1))
	}
	in.grow(len(s) + boundedProduct(len(to), int64(strings.Count(s, from))))
	return strings.Replace(s, from, to, n)
}

// part gives the characters of s between bounds that may be left out, as slices do, and where they begin; ok is false when
// the first bound lies behind the text.
func (in *interpreter) part(s string, bounds []value) (runes []rune, from int, ok bool) {
	runes = []rune(s)
	from, to := in.bounds(len(runes), bounds)
	if from > len(runes) || from > to {
		return nil, from, false
	}
	return runes[from:to], from, true
}

// bounds reads optional first and last positions; the first may lie behind the end.
func (in *interpreter) bounds(n int, given []value) (from, to int) {
	at := func(i, fallback int) int {
		if i >= len(given) || given[i] == nil {
			return fallback
		}
		v, ok := integral(given[i])
		if !ok {
			panic(in.unfit("slice indices must be integers"))
		}
		if v < 0 {
			v = max(v+int64(n), 0)
		}
		return int(min(v, int64(n)+1))
	}
	return at(0, 0), min(at(1, n), n)
}

func (in *interpreter) affix(s string, args []value, test func(s, affix string) bool) value {
	choices := []value{args[0]}
	if l, ok := args[0].(*list); ok {
		choices = l.items
	}
	runes, _, there := in.part(s, args[1:])
	for _, c := range choices {
		affix, ok := c.(string)
		if !ok {
			panic(in.unfit("affix"))
		}
		if there && test(string(runes), affix) {
			return true
		}
	}
	return false
}

func (in *interpreter) findText(s string, args []value) value {
	wanted, ok := args[0].(string)
	if !ok {
		panic(in.unfit("find"))
	}
	runes, from, there := in.part(s, args[1:])
	if !there {
		return int64(-1)
	}
	before, _, found := strings.Cut(string(runes), wanted)
	if !found {
		return int64(-1)
	}
	return int64(from + len([]rune(before)))
}

func (in *interpreter) countText(s string, args []value) value {
	wanted, ok := args[0].(string)
	if !ok {
		panic(in.unfit("count"))
	}
	runes, _, there := in.part(s, args[1:])
	if !there {
		return int64(0)
	}
	return int64(strings.Count(string(runes), wanted))
}

func everyRune(s string, test func(rune) bool) bool {
	return s != "" && !slices.ContainsFunc([]rune(s), func(c rune) bool { return !test(c) })
}

// digit also holds for the superscripts and the circled digits that Python counts.
func digit(c rune) bool {
	return unicode.Is(unicode.Nd, c) || strings.ContainsRune("²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉①②③④⑤⑥⑦⑧⑨", c)
}

func letterOrDigit(c rune) bool {
	return unicode.IsLetter(c) || unicode.In(c, unicode.N) || strings.ContainsRune("一二三四五六七八九十百千万", c)
}

func zfill(s string, width int) string {
	missing := width - len([]rune(s))
	if missing <= 0 {
		return s
	}
	zeros := strings.Repeat("0", missing)
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[:1] + zeros + s[1:]
	}
	return zeros + s
}

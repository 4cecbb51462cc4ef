package reference

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// floatText writes a float as Python's repr does: the shortest digits that read back, with an exponent below 1e-4 and from
// 1e16 on.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	digits := strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, _ := strings.Cut(digits, "e")
	if e, _ := strconv.Atoi(exponent); e < -4 || e >= 16 {
		return digits
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// str is the text of a value.
func (in *interpreter) str(v value) string {
	if s, ok := v.(string); ok {
		return s
	}
	return in.repr(v, nil)
}

// repr is a value's literal. A container within itself shows as dots.
func (in *interpreter) repr(v value, open []value) string {
	in.step()
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	case string:
		return textLiteral(v)
	}
	for _, outer := range open {
		if outer == v {
			if _, isList := v.(*list); isList {
				return "[...]"
			}
			return "{...}"
		}
	}
	open = append(open, v)
	var parts []string
	if l, ok := v.(*list); ok {
		for _, item := range l.items {
			parts = append(parts, in.repr(item, open))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	for _, p := range v.(*dict).entries() {
		parts = append(parts, in.repr(p.key, open)+": "+in.repr(p.value, open))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// textLiteral quotes text, with double quotes where it holds single ones only.
func textLiteral(s string) string {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var out strings.Builder
	out.WriteRune(quote)
	for _, c := range s {
		switch {
		case c == quote || c == '\\':
			out.WriteString(`\` + string(c))
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			out.WriteString(`\r`)
		case c == '\t':
			out.WriteString(`\t`)
		case c == ' ' || string(c) == Any || unicode.In(c, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S):
			out.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&out, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, c)
		default:
			fmt.Fprintf(&out, `\U%08x`, c)
		}
	}
	out.WriteRune(quote)
	return out.String()
}

// spec is a format specification: [[fill]align][sign][z][#][0][width][grouping][.precision][type].
type spec struct {
	fill             string
	align            byte
	sign             byte
	noNegativeZero   bool
	alternate        bool
	width, precision int // precision -1: none
	grouping         string
	kind             byte
}

func (in *interpreter) parseSpec(text string) spec {
	s := spec{fill: " ", precision: -1}
	runes := []rune(text)
	isAlign := func(i int) bool { return i < len(runes) && strings.ContainsRune("<>=^", runes[i]) }
	at := 0
	switch {
	case isAlign(1):
		s.fill, s.align, at = string(runes[0]), byte(runes[1]), 2
	case isAlign(0):
		s.align, at = byte(runes[0]), 1
	}
	filled := at == 2
	accept := func(set string) byte {
		if at < len(runes) && strings.ContainsRune(set, runes[at]) {
			at++
			return byte(runes[at-1])
		}
		return 0
	}
	number := func() int {
		n, digits := 0, 0
		for at < len(runes) && runes[at] >= '0' && runes[at] <= '9' {
			n = min(n*10+int(runes[at]-'0'), mostBytes+1)
			at++
			digits++
		}
		if digits == 0 {
			return -1
		}
		return n
	}
	s.sign = accept("+- ")
	s.noNegativeZero = accept("z") != 0
	s.alternate = accept("#") != 0
	if !filled && accept("0") != 0 {
		s.fill = "0"
		if s.align == 0 {
			s.align = '='
		}
	}
	s.width = max(number(), 0)
	if g := accept(",_"); g != 0 {
		s.grouping = string(g)
		if accept(",_") != 0 {
			panic(in.unfit("two groupings"))
		}
	}
	if accept(".") != 0 {
		if s.precision = number(); s.precision < 0 {
			panic(in.unfit("precision missing"))
		}
	}
	if at < len(runes) {
		if at+1 < len(runes) || runes[at] > unicode.MaxASCII {
			panic(in.unfit("invalid format specifier"))
		}
		s.kind = byte(runes[at])
	}
	in.grow(s.width)
	in.grow(max(s.precision, 0))
	return s
}

// format writes a value by a specification, as Python's format does.
func (in *interpreter) format(v value, text string) string {
	if text == "" {
		return in.str(v)
	}
	switch v := v.(type) {
	case string:
		return in.formatText(v, in.parseSpec(text))
	case bool:
		return in.formatInt(big.NewInt(whole(v)), in.parseSpec(text))
	case int64:
		return in.formatInt(big.NewInt(v), in.parseSpec(text))
	case float64:
		return in.formatFloat(v, in.parseSpec(text))
	}
	panic(in.unfit("unsupported format string"))
}

func pad(body string, s spec, usual byte) string {
	missing := s.width - len([]rune(body))
	if missing <= 0 {
		return body
	}
	align := s.align
	if align == 0 {
		align = usual
	}
	left := 0
	switch align {
	case '>', '=':
		left = missing
	case '^':
		left = missing / 2
	}
	return strings.Repeat(s.fill, left) + body + strings.Repeat(s.fill, missing-left)
}

func (in *interpreter) formatText(v string, s spec) string {
	if s.kind != 0 && s.kind != 's' || s.sign != 0 || s.align == '=' && s.fill != "0" || s.alternate || s.grouping != "" || s.noNegativeZero {
		panic(in.unfit("format of text"))
	}
	if s.align == '=' { // `0` before the width: Python 3.10 and later pad text on the right
		s.align = '<'
	}
	if runes := []rune(v); s.precision >= 0 && len(runes) > s.precision {
		v = string(runes[:s.precision])
	}
	return pad(v, s, '<')
}

func (in *interpreter) formatInt(v *big.Int, s spec) string {
	if s.kind != 0 && strings.ContainsRune("eEfFgG%", rune(s.kind)) {
		f, _ := new(big.Float).SetInt(v).Float64()
		return in.formatFloat(f, s)
	}
	if s.precision >= 0 || s.noNegativeZero {
		panic(in.unfit("precision of an int"))
	}
	base, prefix := 10, ""
	switch s.kind {
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x', 'X':
		base, prefix = 16, "0"+string(s.kind)
	case 'c':
		return in.formatChar(v, s)
	case 0, 'd', 'n':
	default:
		panic(in.unfit("format code of an int"))
	}
	if s.kind == 'n' && s.grouping != "" || s.grouping == "," && base != 10 {
		panic(in.unfit("grouping"))
	}
	digits := new(big.Int).Abs(v).Text(base)
	if s.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	if !s.alternate {
		prefix = ""
	}
	group := 3
	if base != 10 {
		group = 4
	}
	return signed(v.Sign() < 0, prefix, digits, "", group, s)
}

func (in *interpreter) formatChar(v *big.Int, s spec) string {
	if s.sign != 0 || s.alternate || s.grouping != "" {
		panic(in.unfit("sign of a character"))
	}
	if !v.IsInt64() || v.Int64() < 0 || v.Int64() > unicode.MaxRune {
		panic(in.fail(codeOverflow, Any, "character out of range"))
	}
	return pad(string(rune(v.Int64())), s, '>')
}

// signed puts sign, prefix, grouped digits and the rest together, with zeros or another fill between sign and digits where
// the alignment is `=`.
func signed(negative bool, prefix, digits, rest string, group int, s spec) string {
	sign := ""
	switch {
	case negative:
		sign = "-"
	case s.sign == '+' || s.sign == ' ':
		sign = string(s.sign)
	}
	head := sign + prefix
	if s.align == '=' && s.fill == "0" && s.grouping != "" && allDigitsIn(digits) {
		for len(head)+len(grouped(digits, s.grouping, group))+len(rest) < s.width {
			digits = "0" + digits
		}
		// A separator never stands first: one zero more takes its place.
	}
	if s.grouping != "" {
		digits = grouped(digits, s.grouping, group)
	}
	if s.align == '=' {
		if missing := s.width - len([]rune(head+digits+rest)); missing > 0 {
			digits = strings.Repeat(s.fill, missing) + digits
		}
		return head + digits + rest
	}
	return pad(head+digits+rest, s, '>')
}

func allDigitsIn(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

func grouped(digits, separator string, size int) string {
	if !allDigitsIn(digits) {
		return digits // inf and nan
	}
	var parts []string
	for len(digits) > size {
		parts = append([]string{digits[len(digits)-size:]}, parts...)
		digits = digits[:len(digits)-size]
	}
	return strings.Join(append([]string{digits}, parts...), separator)
}

func (in *interpreter) formatFloat(f float64, s spec) string {
	kind, percent := s.kind, false
	if s.grouping != "" && kind == 'n' {
		panic(in.unfit("grouping"))
	}
	switch kind {
	case '%':
		kind, percent = 'f', true
		f *= 100
	case 'n':
		kind = 'g'
	case 0, 'e', 'E', 'f', 'F', 'g', 'G':
	default:
		panic(in.unfit("format code of a float"))
	}
	negative := math.Signbit(f) && !math.IsNaN(f)
	body := floatBody(math.Abs(f), kind, s.precision, s.alternate)
	if s.noNegativeZero && strings.Trim(body, "0.e+-") == "" {
		negative = false
	}
	digits, rest := body, ""
	if at := strings.IndexAny(body, ".eE"); at >= 0 && !math.IsInf(f, 0) && !math.IsNaN(f) {
		digits, rest = body[:at], body[at:]
	}
	if percent {
		rest += "%"
	}
	return signed(negative, "", digits, rest, 3, s)
}

// floatBody writes a float without sign by a format code and a precision.
func floatBody(f float64, kind byte, precision int, alternate bool) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		if kind == 'E' || kind == 'F' || kind == 'G' {
			return strings.ToUpper(floatText(f))
		}
		return floatText(f)
	}
	if kind == 0 && precision < 0 {
		return floatText(f)
	}
	if precision < 0 {
		precision = 6
	}
	upper := kind == 'E' || kind == 'F' || kind == 'G'
	var out string
	switch kind {
	case 'e', 'E':
		out = strconv.FormatFloat(f, 'e', precision, 64)
		if precision == 0 && alternate {
			out = strings.Replace(out, "e", ".e", 1)
		}
	case 'f', 'F':
		out = strconv.FormatFloat(f, 'f', precision, 64)
		if precision == 0 && alternate {
			out += "."
		}
	default:
		out = general(f, max(precision, 1), alternate, kind == 0)
	}
	if upper {
		out = strings.ToUpper(out)
	}
	return out
}

// general is the code g, or none at all with a precision, which keeps one digit behind the point and goes over to an
// exponent one digit earlier.
func general(f float64, precision int, alternate, none bool) string {
	scientific := strconv.FormatFloat(f, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(scientific, "e")
	e, _ := strconv.Atoi(exponent)
	limit := precision
	if none {
		limit = precision - 1
	}
	strip := func(s string) string {
		if alternate {
			if !strings.Contains(s, ".") {
				s += "."
			}
			return s
		}
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	if e < -4 || e >= limit {
		return strip(mantissa) + "e" + exponent
	}
	out := strip(strconv.FormatFloat(f, 'f', max(precision-1-e, 0), 64))
	if none && !strings.Contains(out, ".") {
		out += ".0"
	}
	return out
}

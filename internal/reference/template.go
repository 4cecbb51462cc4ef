package reference

import (
	"math/big"
	"strconv"
	"strings"
)

// percent is text % arguments. list is the argument itself, which %(name)s looks into.
func (in *interpreter) percent(text string, args []value, whole value) value {
	var out strings.Builder
	used, mapped := 0, false
	next := func() value {
		if used >= len(args) {
			panic(in.unfit("not enough arguments for format"))
		}
		used++
		return args[used-1]
	}
	rest := text
	for {
		plain, after, found := strings.Cut(rest, "%")
		out.WriteString(plain)
		if !found {
			break
		}
		var field percentField
		rest = in.percentField(after, &field, next)
		if field.kind == '%' {
			out.WriteString("%")
			continue
		}
		var v value
		if field.mapped {
			mapped = true
			d, ok := whole.(*dict)
			if !ok {
				panic(in.unfit("format requires a mapping"))
			}
			if v, ok = in.find(d, field.key); !ok {
				panic(in.missingKey())
			}
		} else {
			v = next()
		}
		out.WriteString(in.percentValue(&field, v))
	}
	_, isDict := whole.(*dict)
	_, isList := whole.(*list)
	if used < len(args) && !mapped && !isDict && !isList {
		panic(in.unfit("not all arguments converted"))
	}
	in.grow(out.Len())
	return out.String()
}

// percentField is `%[(key)][flags][width][.precision]code`.
type percentField struct {
	mapped bool
	key    string
	flags  string
	spec   spec
	kind   byte
}

func (in *interpreter) percentField(text string, f *percentField, next func() value) (rest string) {
	f.spec = spec{fill: " ", precision: -1}
	if strings.HasPrefix(text, "(") {
		depth, at := 0, 0
		for ; at < len(text); at++ {
			if text[at] == '(' {
				depth++
			}
			if text[at] == ')' {
				if depth--; depth == 0 {
					break
				}
			}
		}
		if at == len(text) {
			panic(in.unfit("incomplete format key"))
		}
		f.mapped, f.key, text = true, text[1:at], text[at+1:]
	}
	bare := strings.TrimLeft(text, "-+ #0")
	f.flags, text = text[:len(text)-len(bare)], bare
	number := func() int {
		if strings.HasPrefix(text, "*") {
			text = text[1:]
			n, ok := next().(int64)
			if !ok {
				panic(in.unfit("* wants int"))
			}
			in.grow(int(max(n, -n)))
			return int(n)
		}
		digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
		text = text[len(digits):]
		n, _ := strconv.Atoi(digits)
		in.grow(n)
		return n
	}
	f.spec.width = number()
	if f.spec.width < 0 {
		f.flags += "-"
		f.spec.width = -f.spec.width
	}
	if strings.HasPrefix(text, ".") {
		text = text[1:]
		f.spec.precision = max(number(), 0)
	}
	text = strings.TrimLeft(text, "hlL")
	if text == "" {
		panic(in.unfit("incomplete format"))
	}
	f.kind = text[0]
	return text[1:]
}

func (in *interpreter) percentValue(f *percentField, v value) string {
	s := f.spec
	s.alternate = strings.Contains(f.flags, "#")
	if strings.Contains(f.flags, "+") {
		s.sign = '+'
	} else if strings.Contains(f.flags, " ") {
		s.sign = ' '
	}
	zero := strings.Contains(f.flags, "0") && !strings.Contains(f.flags, "-")
	usual := byte('>')
	if strings.Contains(f.flags, "-") {
		usual = '<'
	}
	switch f.kind {
	case 's', 'r', 'a':
		text := in.str(v)
		if f.kind != 's' {
			text = in.repr(v, nil)
		}
		if f.kind == 'a' {
			text = asciiOnly(text)
		}
		if runes := []rune(text); s.precision >= 0 && len(runes) > s.precision {
			text = string(runes[:s.precision])
		}
		return pad(text, spec{fill: " ", width: s.width}, usual)
	case 'c':
		return pad(in.percentChar(v), spec{fill: " ", width: s.width}, usual)
	}
	if zero {
		s.fill, s.align = "0", '='
	} else {
		s.align = usual
	}
	switch f.kind {
	case 'd', 'i', 'u', 'x', 'X', 'o':
		return in.percentInt(f.kind, v, s)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if !numeric(v) {
			panic(in.unfit("must be real number"))
		}
		s.kind = f.kind
		return in.formatFloat(toFloat(v), s)
	}
	panic(in.unfit("unsupported format character"))
}

func (in *interpreter) percentInt(kind byte, v value, s spec) string {
	i, ok := integral(v)
	number := big.NewInt(i)
	if f, isFloat := v.(float64); isFloat && strings.IndexByte("diu", kind) >= 0 {
		number, ok = in.truncated(f), true
	}
	if !ok {
		panic(in.unfit("a number is required"))
	}
	precision := s.precision
	s.precision, s.kind = -1, kind
	if strings.IndexByte("diu", kind) >= 0 {
		s.kind, s.alternate = 'd', false
	}
	if precision < 0 {
		return in.formatInt(number, s)
	}
	plain := s
	plain.width, plain.sign = 0, 0
	text := strings.TrimPrefix(in.formatInt(number, plain), "-")
	prefix := ""
	if s.alternate {
		prefix, text = text[:2], text[2:]
	}
	return signed(number.Sign() < 0, prefix, strings.Repeat("0", max(precision-len(text), 0))+text, "", 3, s)
}

func (in *interpreter) percentChar(v value) string {
	if text, ok := v.(string); ok && len([]rune(text)) == 1 {
		return text
	}
	i, ok := integral(v)
	if !ok {
		panic(in.unfit("%c requires int or char"))
	}
	if i < 0 || i > 0x10ffff {
		panic(in.fail(codeOverflow, Any, "character out of range"))
	}
	return string(rune(i))
}

func asciiOnly(s string) string {
	var out strings.Builder
	for _, c := range s {
		if c < 0x80 {
			out.WriteRune(c)
			continue
		}
		quoted := strings.Trim(strconv.QuoteRuneToASCII(c), "'")
		if c < 0x100 {
			quoted = `\x` + quoted[len(quoted)-2:]
		}
		out.WriteString(quoted)
	}
	return out.String()
}

// fields is text.format(…): {} and {0}, with indexes, keys, conversions and specifications that hold fields.
func (in *interpreter) fields(text string, args []value, numbering *int, depth int) string {
	if depth > 2 {
		panic(in.unfit("max string recursion exceeded"))
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		doubled := i+1 < len(text) && text[i+1] == c
		switch {
		case c != '{' && c != '}':
			out.WriteByte(c)
		case doubled:
			out.WriteByte(c)
			i++
		case c == '}':
			panic(in.unfit("single }"))
		default:
			end := closing(text, i+1)
			if end < 0 {
				panic(in.unfit("expected }"))
			}
			out.WriteString(in.field(text[i+1:end], args, numbering, depth))
			i = end
		}
	}
	return out.String()
}

// closing finds the brace that ends a field.
func closing(text string, at int) int {
	depth, bracket := 1, false
	for ; at < len(text); at++ {
		switch {
		case text[at] == '[' && depth == 1:
			bracket = true
		case text[at] == ']':
			bracket = false
		case bracket:
		case text[at] == '{':
			depth++
		case text[at] == '}':
			if depth--; depth == 0 {
				return at
			}
		}
	}
	return -1
}

func (in *interpreter) field(text string, args []value, numbering *int, depth int) string {
	name, specification, conversion := text, "", byte(0)
	bracket := 0
	for i := range len(text) {
		switch text[i] {
		case '[':
			bracket++
		case ']':
			bracket--
		}
		if bracket <= 0 && (text[i] == ':' || text[i] == '!') {
			name, specification = text[:i], text[i:]
			break
		}
	}
	if strings.HasPrefix(specification, "!") {
		if len(specification) < 2 || len(specification) > 2 && specification[2] != ':' || strings.IndexByte("rsa", specification[1]) < 0 {
			panic(in.unfit("conversion"))
		}
		conversion, specification = specification[1], specification[2:]
	}
	specification = strings.TrimPrefix(specification, ":")
	v := in.fieldValue(name, args, numbering)
	switch conversion {
	case 'r':
		v = in.repr(v, nil)
	case 'a':
		v = asciiOnly(in.repr(v, nil))
	case 's':
		v = in.str(v)
	}
	return in.format(v, in.fields(specification, args, numbering, depth+1))
}

func (in *interpreter) fieldValue(name string, args []value, numbering *int) value {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	first, rest := name[:end], name[end:]
	index, err := strconv.Atoi(first)
	switch {
	case first == "":
		if *numbering < 0 {
			panic(in.unfit("switch of numbering"))
		}
		index = *numbering
		*numbering++
	case err != nil:
		panic(in.missingKey())
	default:
		if *numbering > 0 {
			panic(in.unfit("switch of numbering"))
		}
		*numbering = -1
	}
	if index >= len(args) {
		panic(in.unfit("replacement index out of range"))
	}
	v := args[index]
	for rest != "" {
		if rest[0] == '.' {
			name, rest = rest[1:], ""
			if end := strings.IndexAny(name, ".["); end >= 0 {
				name, rest = name[:end], name[end:]
			}
			v = in.attribute(v, name)
			continue
		}
		key, after, found := strings.Cut(rest[1:], "]")
		if rest[0] != '[' || !found {
			panic(in.unfit("field"))
		}
		rest = after
		if i, err := strconv.ParseInt(key, 10, 64); err == nil {
			v = in.index(v, i)
		} else {
			v = in.index(v, key)
		}
	}
	return v
}

package wasmhost

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxSkippedDepth bounds how deep a value may be nested that nobody reads.
const maxSkippedDepth = 10_000

var (
	// errSyntax says that a text is not JSON; whole words why.
	errSyntax   = errors.New("is not JSON")
	errTrailing = errors.New("is followed by more text")
)

// jsonText is a JSON text (RFC 8259), and how far it has been read. The inputs of
// an execution are mostly a few short members, for which a general decoder costs
// more to set up than to read them.
type jsonText struct {
	bytes []byte
	at    int
	// unquoted is where strings that nobody reads are tried.
	unquoted []byte
}

// open begins with another text.
func (t *jsonText) open(text []byte) { t.bytes, t.at = text, 0 }

// close lets go of the text, and of all that was made of it.
func (t *jsonText) close() {
	clear(t.unquoted[:cap(t.unquoted)])
	*t = jsonText{unquoted: emptied(t.unquoted)}
}

// next goes over white space and gives the byte that follows, 0 at the end.
func (t *jsonText) next() byte {
	for ; t.at < len(t.bytes); t.at++ {
		switch c := t.bytes[t.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// isEmpty enters an array or object and tells whether it ends at once.
func (t *jsonText) isEmpty(end byte) bool {
	t.at++
	if t.next() != end {
		return false
	}
	t.at++
	return true
}

// more goes over what follows an element: a comma, or the end.
func (t *jsonText) more(end byte) (bool, error) {
	c := t.next()
	if c != ',' && c != end {
		return false, errSyntax
	}
	t.at++
	return c == ',', nil
}

// colon goes over what follows a name.
func (t *jsonText) colon() error {
	if t.next() != ':' {
		return errSyntax
	}
	t.at++
	return nil
}

// quoted reads a string, with its quotes. Escapes, if it has any, are not looked
// at, nor is whether the rest is UTF-8 then.
func (t *jsonText) quoted() (raw []byte, escaped bool, err error) {
	if t.next() != '"' {
		return nil, false, errSyntax
	}
	text := t.bytes[t.at:]
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			raw = text[:i+1]
			if !escaped && !utf8.Valid(raw) {
				return nil, false, errSyntax
			}
			t.at += len(raw)
			return raw, escaped, nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return nil, false, errSyntax
		}
	}
	return nil, false, errSyntax
}

// scalar reads null, true, false or a number.
func (t *jsonText) scalar() ([]byte, error) {
	text := t.bytes[t.at:]
	n := numberLength(text)
	for _, word := range [...]string{"null", "true", "false"} {
		if n == 0 && bytes.HasPrefix(text, []byte(word)) {
			n = len(word)
		}
	}
	if n == 0 {
		return nil, errSyntax
	}
	t.at += n
	return text[:n], nil
}

// numberLength is the length of the number that a text starts with, or 0.
func numberLength(text []byte) int {
	n := 0
	if n < len(text) && text[n] == '-' {
		n++
	}
	whole := digits(text[n:])
	if whole == 0 || whole > 1 && text[n] == '0' {
		return 0
	}
	n += whole
	if n < len(text) && text[n] == '.' {
		part := digits(text[n+1:])
		if part == 0 {
			return 0
		}
		n += 1 + part
	}
	if n == len(text) || text[n]|0x20 != 'e' {
		return n
	}
	n++
	if n < len(text) && (text[n] == '+' || text[n] == '-') {
		n++
	}
	exponent := digits(text[n:])
	if exponent == 0 {
		return 0
	}
	return n + exponent
}

func digits(text []byte) int {
	for i, c := range text {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(text)
}

// skip goes over a value.
func (t *jsonText) skip(depth int) error {
	switch c := t.next(); c {
	case '"':
		raw, escaped, err := t.quoted()
		if err == nil && escaped {
			var s []byte
			if s, err = unquote(t.unquoted[:0], raw); err == nil {
				t.unquoted = s
			}
		}
		return err
	case '[', '{':
		if depth == maxSkippedDepth {
			return errInputDepth
		}
		return t.skipElements(c, depth+1)
	}
	_, err := t.scalar()
	return err
}

// skipElements goes over an array or object from its start on.
func (t *jsonText) skipElements(start byte, depth int) error {
	end := start + 2 // as ASCII has it for both
	if t.isEmpty(end) {
		return nil
	}
	for more := true; more; {
		if start == '{' {
			if t.next() != '"' {
				return errSyntax
			}
			if err := t.skip(depth); err != nil {
				return err
			}
			if err := t.colon(); err != nil {
				return err
			}
		}
		err := t.skip(depth)
		if err != nil {
			return err
		}
		if more, err = t.more(end); err != nil {
			return err
		}
	}
	return nil
}

// unquote appends what a string with escapes means.
func unquote(dst, raw []byte) ([]byte, error) {
	s, err := jsontext.AppendUnquote(dst, raw)
	if err != nil {
		return nil, errSyntax
	}
	return s, nil
}

// whole is the error of reading a text, or tells that it goes on.
func (t *jsonText) whole(err error) error {
	if err == nil {
		if t.next(); t.at < len(t.bytes) {
			return errTrailing
		}
		return nil
	}
	if !errors.Is(err, errSyntax) {
		return err
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(t.bytes), jsontext.AllowDuplicateNames(true))
	if _, worded := decoder.ReadValue(); worded != nil {
		return worded
	}
	return errTrailing // the value would be right if it ended earlier
}

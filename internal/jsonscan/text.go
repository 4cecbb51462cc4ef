package jsonscan

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep a value may be nested that nobody reads.
const maxDepth = 10_000

var (
	// ErrSyntax says that a text is not JSON; Whole words why.
	ErrSyntax = errors.New("is not JSON")
	// ErrTrailing says that there is more than a value.
	ErrTrailing = errors.New("is followed by more text")
	// ErrDepth says that what nobody reads is too deep.
	ErrDepth = fmt.Errorf("is nested deeper than %d levels", maxDepth)
)

// Text is a JSON text, and how far it has been read.
type Text struct {
	bytes []byte
	at    int
}

// Open begins with another text; with nil it lets go of what it had.
func (t *Text) Open(text []byte) { t.bytes, t.at = text, 0 }

// At is how many bytes have been read.
func (t *Text) At() int { return t.at }

// From is what has been read since it was At a place.
func (t *Text) From(at int) []byte { return t.bytes[at:t.at:t.at] }

// Next goes over white space and gives the byte that follows, 0 at the end.
func (t *Text) Next() byte {
	for ; t.at < len(t.bytes); t.at++ {
		switch c := t.bytes[t.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// IsEmpty enters an array or object and tells whether it ends at once.
func (t *Text) IsEmpty(end byte) bool {
	t.at++
	if t.Next() != end {
		return false
	}
	t.at++
	return true
}

// More goes over what follows an element: a comma, or the end.
func (t *Text) More(end byte) (bool, error) {
	c := t.Next()
	if c != ',' && c != end {
		return false, ErrSyntax
	}
	t.at++
	return c == ',', nil
}

// Colon goes over what follows a name.
func (t *Text) Colon() error {
	if t.Next() != ':' {
		return ErrSyntax
	}
	t.at++
	return nil
}

// Quoted reads a string, with its quotes. Escapes, if it has any, are not looked
// at, nor is whether the rest is UTF-8 then.
func (t *Text) Quoted() (raw []byte, escaped bool, err error) {
	if t.Next() != '"' {
		return nil, false, ErrSyntax
	}
	text := t.bytes[t.at:]
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			raw = text[:i+1]
			if !escaped && !utf8.Valid(raw) {
				return nil, false, ErrSyntax
			}
			t.at += len(raw)
			return raw, escaped, nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return nil, false, ErrSyntax
		}
	}
	return nil, false, ErrSyntax
}

// Scalar reads null, true, false or a number.
func (t *Text) Scalar() ([]byte, error) {
	text := t.bytes[t.at:]
	n := numberLength(text)
	for _, word := range [...]string{"null", "true", "false"} {
		if n == 0 && bytes.HasPrefix(text, []byte(word)) {
			n = len(word)
		}
	}
	if n == 0 {
		return nil, ErrSyntax
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

// Skip goes over a value that is inside of so many others.
func (t *Text) Skip(depth int) error {
	switch c := t.Next(); c {
	case '"':
		raw, escaped, err := t.Quoted()
		if err == nil && escaped && !areEscapes(raw) {
			err = ErrSyntax
		}
		return err
	case '[', '{':
		if depth == maxDepth {
			return ErrDepth
		}
		return t.skipElements(c, depth+1)
	}
	_, err := t.Scalar()
	return err
}

// areEscapes tells whether a string is UTF-8 and its escapes are some.
func areEscapes(raw []byte) bool {
	for rest := raw; ; {
		i := bytes.IndexByte(rest, '\\')
		if i < 0 {
			return utf8.Valid(raw)
		}
		rest = rest[i:] // at least one byte follows, since the quote that ends the string has no backslash
		n := 2
		if r := codeUnit(rest); r >= 0 {
			n = 6
			if utf16.IsSurrogate(r) { // which mean something in pairs only
				if utf16.DecodeRune(r, codeUnit(rest[n:])) == utf8.RuneError {
					return false
				}
				n = 12
			}
		} else if strings.IndexByte(`"\/bfnrt`, rest[1]) < 0 {
			return false
		}
		rest = rest[n:]
	}
}

// codeUnit is what \u and four digits mean that a text begins with, -1 if it does not.
func codeUnit(text []byte) (r rune) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	for _, c := range text[2:6] {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 || c < '0' {
			return -1
		}
		r = r<<4 | rune(d)
	}
	return r
}

// skipElements goes over an array or object from its start on.
func (t *Text) skipElements(start byte, depth int) error {
	end := start + 2 // as ASCII has it for both
	if t.IsEmpty(end) {
		return nil
	}
	for more := true; more; {
		if start == '{' {
			if t.Next() != '"' {
				return ErrSyntax
			}
			if err := t.Skip(depth); err != nil {
				return err
			}
			if err := t.Colon(); err != nil {
				return err
			}
		}
		err := t.Skip(depth)
		if err != nil {
			return err
		}
		if more, err = t.More(end); err != nil {
			return err
		}
	}
	return nil
}

// Unquote appends what a string with escapes means.
func Unquote(dst, raw []byte) ([]byte, error) {
	s, err := jsontext.AppendUnquote(dst, raw)
	if err != nil {
		return nil, ErrSyntax
	}
	return s, nil
}

// Whole is the error of reading a text, or tells that it goes on.
func (t *Text) Whole(err error) error {
	if err == nil {
		if t.Next(); t.at < len(t.bytes) {
			return ErrTrailing
		}
		return nil
	}
	if !errors.Is(err, ErrSyntax) {
		return err
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(t.bytes), jsontext.AllowDuplicateNames(true))
	if _, worded := decoder.ReadValue(); worded != nil {
		return worded
	}
	return ErrTrailing // the value would be right if it ended earlier
}

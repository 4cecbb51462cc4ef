package config

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonWalk reads one JSON document token by token, which keeps numbers as they
// are written and knows where they are.
type jsonWalk struct {
	*file
	content []byte
	decoder *jsontext.Decoder
}

func (f *file) walkJSON(content []byte) error {
	// Names that are there twice are found here, with both lines.
	w := &jsonWalk{f, content, jsontext.NewDecoder(bytes.NewReader(content), jsontext.AllowDuplicateNames(true))}
	if w.decoder.PeekKind() != jsontext.KindBeginObject {
		return &syntaxError{1, "the file does not hold a JSON object"}
	}
	if err := w.value("", 1); err != nil {
		return w.failed(err)
	}
	if _, err := w.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return &syntaxError{w.line(), "a file holds one document"}
	}
	return nil
}

func (w *jsonWalk) failed(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		problem := "it ends too early"
		if syntax.Err != nil && !errors.Is(syntax.Err, io.ErrUnexpectedEOF) {
			problem = syntax.Err.Error()
		}
		return &syntaxError{w.lineAt(syntax.ByteOffset), "no JSON: " + problem}
	}
	return &syntaxError{w.line(), "no JSON: " + err.Error()}
}

func (w *jsonWalk) lineAt(offset int64) int {
	return 1 + bytes.Count(w.content[:min(offset, int64(len(w.content)))], []byte("\n"))
}

// line is that of the token that was read last.
func (w *jsonWalk) line() int { return w.lineAt(w.decoder.InputOffset()) }

func (w *jsonWalk) value(name string, line int) error {
	token, err := w.decoder.ReadToken()
	if err != nil {
		return err //nolint:wrapcheck // failed words it
	}
	switch token.Kind() {
	case jsontext.KindBeginObject:
		return w.object(name, line)
	case jsontext.KindBeginArray:
		return w.array(name, line)
	case jsontext.KindNull:
		w.empty(name, line)
	default:
		w.set(name, line, false, token.String())
	}
	return nil
}

func (w *jsonWalk) object(name string, line int) error {
	seen := names{}
	for w.decoder.PeekKind() == jsontext.KindString {
		token, err := w.decoder.ReadToken()
		if err != nil {
			return err //nolint:wrapcheck // failed words it
		}
		member, fresh := w.enter(seen, name, token.String(), w.line())
		if !fresh {
			err = w.decoder.SkipValue()
		} else {
			err = w.value(member, w.line())
		}
		if err != nil {
			return err //nolint:wrapcheck // failed words it
		}
	}
	if len(seen) == 0 && name != "" {
		w.empty(name, line)
	}
	_, err := w.decoder.ReadToken()
	return err //nolint:wrapcheck // failed words it
}

func (w *jsonWalk) array(name string, line int) error {
	var items []string
	plain := true
	for kind := w.decoder.PeekKind(); kind != jsontext.KindEndArray; kind = w.decoder.PeekKind() {
		value, err := w.decoder.ReadValue()
		if err != nil {
			return err //nolint:wrapcheck // failed words it
		}
		text := string(value)
		if kind == jsontext.KindString {
			unquoted, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return err //nolint:wrapcheck // failed words it
			}
			text = string(unquoted)
		}
		plain = plain && kind != jsontext.KindBeginObject && kind != jsontext.KindBeginArray
		items = append(items, text)
	}
	if _, err := w.decoder.ReadToken(); err != nil {
		return err //nolint:wrapcheck // failed words it
	}
	if !plain {
		w.fault(name, line, "an item of a list must be a text")
		return nil
	}
	w.set(name, line, true, items...)
	return nil
}

package server

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// The members of a body that mean something to the server. All but script and
// variables can be read with addParam too, as every other member can.
const (
	memberScript    = "script"
	memberVariables = "variables"
	memberLimits    = "limits"
	memberLogs      = "logs"
	memberEcho      = "echo_variables"
	memberCommand   = "command" // of an item of a batch
)

// call is a decoded request. Its byte slices are parts of the body and live as
// long as the handler runs.
type call struct {
	// config is what held when the request came.
	config    *config.Config
	script    string
	hasScript bool
	// variables is the text of a JSON object, empty if there is none.
	variables []byte
	limits    config.Limits
	logs      bool
	echo      bool
	// command is what an item of a batch names instead of a script.
	command string
	item    bool
	// hint tells what may be the matter if there is no script.
	hint string
}

// request is what the engine gets of a call.
func (c *call) request(client string) engine.Request {
	return engine.Request{
		Client: client, Source: c.script, Variables: c.variables,
		Limits: EngineLimits(c.limits), MaxLimits: EngineLimits(c.config.LimitsMax), Logs: c.logs, EchoVariables: c.echo,
	}
}

func (s *Server) newCall() call {
	c := s.settings.Load()
	return call{config: c, limits: c.Limits}
}

// decoder reads JSON bodies. It is pooled: a request costs the copy of its
// script and nothing else here.
type decoder struct {
	json   jsontext.Decoder
	buffer bytes.Buffer
	// text is where escapes are taken out of strings.
	text []byte
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// newDecoder reads body in place.
func newDecoder(body []byte) *decoder {
	d, _ := decoders.Get().(*decoder)
	// A buffer made from the slice is read by jsontext without a copy.
	d.buffer = *bytes.NewBuffer(body)
	// The language's definition lets the last of duplicate names win.
	d.json.Reset(&d.buffer, jsontext.AllowDuplicateNames(true))
	return d
}

func (d *decoder) release() {
	d.buffer = bytes.Buffer{}
	// The decoder must not hold on to the body while it waits in the pool.
	d.json.Reset(&d.buffer)
	if cap(d.text) > maxKeptBytes {
		d.text = nil
	}
	decoders.Put(d)
}

// decodeJSON reads the body of execute and check into c, which holds the
// defaults.
func (s *Server) decodeJSON(body []byte, c *call) error {
	d := newDecoder(body)
	defer d.release()
	switch begin, err := d.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil // who needs a member will miss it
	case err != nil:
		return jsonProblem(err)
	case begin.Kind() != jsontext.KindBeginObject:
		return newProblem(http.StatusBadRequest, diag.BadJSON, "the body must be a JSON object, not %s", kindWord(begin.Kind()))
	}
	for d.json.PeekKind() == jsontext.KindString {
		name, err := d.string()
		if err != nil {
			return jsonProblem(err)
		}
		if err := s.decodeMember(d, memberName(name), c); err != nil {
			return err
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return jsonProblem(err)
	}
	// The whole body is in the reader's buffer.
	if len(bytes.TrimLeft(d.json.UnreadBuffer(), " \t\r\n")) > 0 {
		return newProblem(http.StatusBadRequest, diag.BadJSON, "there is text after the JSON object")
	}
	return nil
}

// messageNoScript is one of the messages that callers match on.
const messageNoScript = "Script cannot be empty"

func (s *Server) decodeMember(d *decoder, name string, c *call) (err error) {
	switch name {
	case memberScript:
		if d.json.PeekKind() == jsontext.KindNull {
			c.script, c.hasScript = "", false
			return skip(d)
		}
		c.script, err = readText(d, name)
		c.hasScript = true
	case memberVariables:
		if err := expect(d, name, jsontext.KindBeginObject, "an object"); err != nil {
			return err
		}
		var value jsontext.Value
		value, err = d.json.ReadValue()
		c.variables = value
	case memberLimits:
		return s.decodeLimits(d, c)
	case memberLogs:
		c.logs, err = readBool(d, name)
	case memberEcho:
		c.echo, err = readBool(d, name)
	case memberCommand:
		if !c.item {
			return skip(d)
		}
		c.command, err = readText(d, name)
	default:
		return skip(d)
	}
	return jsonProblem(err)
}

// limitMember is one member of limits.
type limitMember struct {
	name  string
	least int64
}

var limitMembers = []limitMember{{limitFuel, 1}, {limitTime, 1}, {limitMemory, config.MinMemoryBytes}, {limitDepth, 1}, {limitOutput, 1}}

const (
	limitFuel   = "fuel"
	limitTime   = "time_ms"
	limitMemory = "memory_bytes"
	limitDepth  = "call_depth"
	limitOutput = "output_bytes"
)

// place is where a limit is. That it is no table of functions lets the compiler see
// that the limits of a request need not be on the heap.
func (m limitMember) place(l *config.Limits) *int64 {
	switch m.name {
	case limitFuel:
		return &l.Fuel
	case limitTime:
		return &l.TimeMS
	case limitMemory:
		return &l.MemoryBytes
	case limitDepth:
		return &l.CallDepth
	default:
		return &l.OutputBytes
	}
}

func (s *Server) decodeLimits(d *decoder, c *call) error {
	if err := expect(d, memberLimits, jsontext.KindBeginObject, "an object"); err != nil {
		return err
	}
	if _, err := d.json.ReadToken(); err != nil {
		return jsonProblem(err)
	}
	for d.json.PeekKind() == jsontext.KindString {
		text, err := d.string()
		if err != nil {
			return jsonProblem(err)
		}
		name := string(text)
		i := slices.IndexFunc(limitMembers, func(m limitMember) bool { return m.name == name })
		if i < 0 {
			return unknownLimit(d, name)
		}
		if err := readLimit(d, limitMembers[i], &c.limits, &c.config.LimitsMax); err != nil {
			return err
		}
	}
	_, err := d.json.ReadToken()
	return jsonProblem(err)
}

func unknownLimit(d *decoder, name string) error {
	names := make([]string, len(limitMembers))
	for i, m := range limitMembers {
		names[i] = m.name
	}
	p := newProblem(http.StatusBadRequest, diag.BadFieldValue, "limits has no member %q, at byte %d of the body; it may have %s",
		printable(name), d.json.InputOffset(), strings.Join(names, ", "))
	p.suggestion = diag.DidYouMean(name, names)
	return p
}

func readLimit(d *decoder, m limitMember, limits, most *config.Limits) error {
	path := memberLimits + "." + m.name
	if err := expect(d, path, jsontext.KindNumber, "a whole number"); err != nil {
		return err
	}
	offset := d.offset()
	token, err := d.json.ReadToken()
	if err != nil {
		return jsonProblem(err)
	}
	n, ok := wholeNumber(token.String())
	if bound := *m.place(most); !ok || n < m.least || n > bound {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "%s must be a whole number from %d to %d, which is this server's limit; at byte %d of the body",
			path, m.least, bound, offset)
	}
	*m.place(limits) = n
	return nil
}

// wholeNumber reads a JSON number that is whole, in whichever form.
func wholeNumber(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func readText(d *decoder, name string) (string, error) {
	if err := expect(d, name, jsontext.KindString, "text"); err != nil {
		return "", err
	}
	text, err := d.string()
	return string(text), err
}

// string reads a string without its escapes. The bytes are valid until the
// next call.
func (d *decoder) string() ([]byte, error) {
	value, err := d.json.ReadValue()
	if err != nil {
		return nil, err //nolint:wrapcheck // jsonProblem words it
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	d.text, err = jsontext.AppendUnquote(d.text[:0], value)
	return d.text, err //nolint:wrapcheck // as above
}

// memberName makes a name of the bytes without a copy: of names that mean
// nothing here only the kind is of interest.
func memberName(name []byte) string {
	for _, known := range []string{memberScript, memberVariables, memberLimits, memberLogs, memberEcho, memberCommand} {
		if string(name) == known {
			return known
		}
	}
	return ""
}

func readBool(d *decoder, name string) (bool, error) {
	kind := d.json.PeekKind()
	if kind == jsontext.KindTrue || kind == jsontext.KindFalse {
		token, err := d.json.ReadToken()
		return err == nil && token.Bool(), err
	}
	return false, expect(d, name, jsontext.KindTrue, "true or false")
}

func skip(d *decoder) error { return jsonProblem(d.json.SkipValue()) }

// expect checks the kind of the next value and leaves the value unread.
func expect(d *decoder, name string, want jsontext.Kind, word string) error {
	kind := d.json.PeekKind()
	if kind == want {
		return nil
	}
	if kind == jsontext.KindInvalid {
		_, err := d.json.ReadToken()
		return jsonProblem(err)
	}
	return newProblem(http.StatusBadRequest, diag.BadFieldType, "%s must be %s, not %s; at byte %d of the body",
		name, word, kindWord(kind), d.offset())
}

// offset is where the next token begins, counted in bytes from 0.
func (d *decoder) offset() int64 {
	rest := d.json.UnreadBuffer()
	return d.json.InputOffset() + int64(len(rest)-len(bytes.TrimLeft(rest, " \t\r\n:,")))
}

func kindWord(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "text"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindBeginArray:
		return "an array"
	default:
		return "nothing"
	}
}

// jsonProblem words an error of the JSON reader. It passes nil and problems.
func jsonProblem(err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	p := newProblem(http.StatusBadRequest, diag.BadJSON, "the body is not valid JSON: it ends too early")
	if errors.Is(err, io.EOF) { // which is said of no token at all
		p.message = messageEmptyBody
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok && !errors.Is(err, io.ErrUnexpectedEOF) {
		at := ""
		if syntax.JSONPointer != "" {
			at = " in " + printable(string(syntax.JSONPointer))
		}
		p.message = "the body is not valid JSON: " + printable(syntax.Err.Error()) + at +
			", at byte " + strconv.FormatInt(syntax.ByteOffset, 10)
	}
	p.cause = err
	return p
}

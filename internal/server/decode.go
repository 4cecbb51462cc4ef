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
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/jsonscan"
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
	// named tells that the path names a command, so that a script counts for nothing.
	named bool
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

// decoder reads JSON bodies in place. The language's definition lets the last of
// duplicate names win.
type decoder struct{ jsonscan.Text }

func newDecoder(body []byte) (d decoder) {
	d.Open(body)
	return d
}

// decodeJSON reads the body of execute and check into c, which holds the
// defaults.
func (s *Server) decodeJSON(body []byte, c *call) error {
	d := newDecoder(body)
	if d.Next() == 0 && d.At() == len(body) {
		return nil // who needs a member will miss it
	}
	var err error
	switch kind := d.kind(); {
	case kind == jsontext.KindBeginObject:
		err = d.members(func(name []byte) error { return s.decodeMember(&d, memberName(name), c) })
	case kind == jsontext.KindBeginArray || d.Skip(0) == nil:
		return newProblem(http.StatusBadRequest, diag.BadJSON, "the body must be a JSON object, not %s", kindWord(kind))
	default:
		err = jsonscan.ErrSyntax
	}
	return d.end(err, "there is text after the JSON object")
}

// members enters an object and gives the names of its members, whose values are to
// be read.
func (d *decoder) members(read func(name []byte) error) error {
	if d.IsEmpty('}') {
		return nil
	}
	for more := true; more; {
		name, err := d.string()
		if err == nil {
			err = d.Colon()
		}
		if err == nil {
			err = read(name)
		}
		if err == nil {
			more, err = d.More('}')
		}
		if err != nil {
			return err //nolint:wrapcheck // end words it
		}
	}
	return nil
}

// end words an error of reading. Without one nothing may follow what was read.
func (d *decoder) end(err error, trailing string) error {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	switch err = d.Whole(err); {
	case errors.Is(err, jsonscan.ErrTrailing):
		return newProblem(http.StatusBadRequest, diag.BadJSON, "%s", trailing)
	case errors.Is(err, jsonscan.ErrDepth):
		return newProblem(http.StatusRequestEntityTooLarge, diag.BodyComplex, "the body %v", err)
	}
	return jsonProblem(err)
}

// messageNoScript is one of the messages that callers match on.
const messageNoScript = "Script cannot be empty"

func (s *Server) decodeMember(d *decoder, name string, c *call) (err error) {
	switch name {
	case memberScript:
		if d.kind() == jsontext.KindNull {
			c.script, c.hasScript = "", false
			return d.Skip(1)
		}
		if c.named {
			if err = expect(d, name, jsontext.KindString, "text"); err == nil {
				err = d.Skip(1)
			}
			return err
		}
		c.script, err = readText(d, name)
		c.hasScript = true
	case memberVariables:
		if err := expect(d, name, jsontext.KindBeginObject, "an object"); err != nil {
			return err
		}
		at := d.At()
		err = d.Skip(1)
		c.variables = d.From(at)
	case memberLimits:
		return s.decodeLimits(d, c)
	case memberLogs:
		c.logs, err = readBool(d, name)
	case memberEcho:
		c.echo, err = readBool(d, name)
	case memberCommand:
		if !c.item {
			return d.Skip(1)
		}
		c.command, err = readText(d, name)
	default:
		return d.Skip(1)
	}
	return err
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
	return d.members(func(text []byte) error {
		name := string(text)
		i := slices.IndexFunc(limitMembers, func(m limitMember) bool { return m.name == name })
		if i < 0 {
			return unknownLimit(d, name)
		}
		return readLimit(d, limitMembers[i], &c.limits, &c.config.LimitsMax)
	})
}

func unknownLimit(d *decoder, name string) error {
	names := make([]string, len(limitMembers))
	for i, m := range limitMembers {
		names[i] = m.name
	}
	p := newProblem(http.StatusBadRequest, diag.BadFieldValue, "limits has no member %q, at byte %d of the body; it may have %s",
		printable(name), d.At(), strings.Join(names, ", "))
	p.suggestion = diag.DidYouMean(name, names)
	return p
}

func readLimit(d *decoder, m limitMember, limits, most *config.Limits) error {
	path := memberLimits + "." + m.name
	if err := expect(d, path, jsontext.KindNumber, "a whole number"); err != nil {
		return err
	}
	offset := d.At()
	text, err := d.Scalar()
	if err != nil {
		return err //nolint:wrapcheck // end words it
	}
	n, ok := wholeNumber(string(text))
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
	raw, escaped, err := d.Quoted()
	if err != nil || !escaped {
		return string(bytes.Trim(raw, `"`)), err //nolint:wrapcheck // end words it
	}
	text, err := jsonscan.Unquote(make([]byte, 0, len(raw)), raw)
	return unsafe.String(unsafe.SliceData(text), len(text)), err //nolint:wrapcheck // as above
}

// string reads a string without its escapes.
func (d *decoder) string() ([]byte, error) {
	raw, escaped, err := d.Quoted()
	if err != nil || !escaped {
		return bytes.Trim(raw, `"`), err //nolint:wrapcheck // end words it
	}
	return jsonscan.Unquote(nil, raw) //nolint:wrapcheck // as above
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
	kind := d.kind()
	if kind == jsontext.KindTrue || kind == jsontext.KindFalse {
		_, err := d.Scalar()
		return kind == jsontext.KindTrue, err //nolint:wrapcheck // end words it
	}
	return false, expect(d, name, jsontext.KindTrue, "true or false")
}

// kind is that of the next value, by its first byte.
func (d *decoder) kind() jsontext.Kind {
	c := d.Next()
	if c == '-' || '0' <= c && c <= '9' {
		return jsontext.KindNumber
	}
	return jsontext.Kind(c)
}

// expect checks the kind of the next value and leaves the value unread.
func expect(d *decoder, name string, want jsontext.Kind, word string) error {
	kind := d.kind()
	if kind == want {
		return nil
	}
	at := d.At()
	if kind != jsontext.KindBeginObject && kind != jsontext.KindBeginArray {
		if err := d.Skip(1); err != nil {
			return err //nolint:wrapcheck // end words it
		}
	}
	return newProblem(http.StatusBadRequest, diag.BadFieldType, "%s must be %s, not %s; at byte %d of the body",
		name, word, kindWord(kind), at)
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
	default:
		return "an array"
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

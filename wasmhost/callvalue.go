package wasmhost

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/avapd/avapd/runtime/abi"
)

// A value on this side of the wall is nil, bool, int64, float64, string, []any,
// Object, Connector, or Missing{}; as a result it may also be an int or JSON.

// Object is a dict. As an argument its keys are texts; others are written as
// JSON writes them.
type Object []Member

// Member is a pair of an Object.
type Member struct {
	Name  string
	Value any
}

// Connector is the number of something that the host keeps for a script.
type Connector int64

// Missing is an argument that was not given.
type Missing struct{}

// JSON is a result given as the text of a JSON value.
type JSON []byte

// Part is a piece of a text: constant, or a value.
type Part struct {
	Text    string
	Value   any
	IsValue bool
}

// Origin says how a text came about.
type Origin uint8

// The origins of texts.
const (
	Computed Origin = iota // by any operation of the script, or from outside
	Constant               // it stands in the script
	InParts                // from constant texts and values, which are known
)

const (
	// maxArgumentBytes bounds what one call takes to this side.
	maxArgumentBytes = 16 << 20
	maxArgumentDepth = 200
	argumentCell     = 16
)

var (
	errArgumentBytes = fmt.Errorf("the arguments are larger than %d bytes", maxArgumentBytes)
	errArgumentDepth = fmt.Errorf("an argument is nested deeper than %d levels, or contains itself", maxArgumentDepth)
)

// Count is the number of arguments.
func (c *Call) Count() int { return c.count }

// Given reports whether an argument was given, as something other than null.
func (c *Call) Given(i int) bool {
	k := c.cell(i).kind()
	return k != abi.KindUndefined && k != abi.KindNull
}

func (c *Call) cell(i int) cell {
	if i >= c.count {
		return cell{}
	}
	v, _ := c.e.slot.memory().cell(abi.CallArgs + uint32(i)*abi.CellSize)
	return v
}

// Value reads an argument.
func (c *Call) Value(i int) (any, error) { return c.decode(c.cell(i), 0) }

// Parts reads an argument that is text with what is known of its making. ok is
// false for an argument that is no text.
func (c *Call) Parts(i int) (parts []Part, origin Origin, ok bool, err error) {
	v := c.cell(i)
	if v.kind() != abi.KindText {
		return nil, Computed, false, nil
	}
	if v.tag&abi.FlagParts != 0 {
		parts, err = c.parts(v)
		return parts, InParts, true, err
	}
	text, err := c.decode(v, 0)
	if err != nil {
		return nil, Computed, true, err
	}
	if v.tag&abi.FlagConst != 0 {
		origin = Constant
	}
	return []Part{{Text: text.(string)}}, origin, true, nil
}

// parts reads the list in front of a text.
func (c *Call) parts(v cell) ([]Part, error) {
	mem := c.e.slot.memory()
	at := uint32(v.bits)
	if at < abi.PartsSize {
		return nil, errCorrupt
	}
	header, ok := mem.u32(at - abi.PartsSize)
	if !ok {
		return nil, errCorrupt
	}
	cells, ok := c.cells(header)
	if !ok {
		return nil, errCorrupt
	}
	parts := make([]Part, 0, len(cells)/abi.CellSize)
	for ; len(cells) > 0; cells = cells[abi.CellSize:] {
		p := mem.cellAt(cells)
		value, err := c.decode(p, 0)
		if err != nil {
			return nil, err
		}
		if text, isText := value.(string); isText && p.tag&abi.FlagConst != 0 {
			parts = append(parts, Part{Text: text})
			continue
		}
		parts = append(parts, Part{Value: value, IsValue: true})
	}
	return parts, nil
}

func (c *Call) cells(list uint32) ([]byte, bool) {
	r := reader{mem: c.e.slot.memory()}
	return r.cells(list)
}

// weigh counts what is read of the arguments, and charges for it.
func (c *Call) weigh(n uint64) error {
	if n > maxArgumentBytes || c.argumentBytes+int(n) > maxArgumentBytes {
		return Mistaken(errArgumentBytes)
	}
	c.argumentBytes += int(n)
	c.ChargeBytes(int64(n))
	return nil
}

func (c *Call) decode(v cell, depth int) (any, error) {
	if depth > maxArgumentDepth {
		return nil, Mistaken(errArgumentDepth)
	}
	if err := c.weigh(argumentCell); err != nil {
		return nil, err
	}
	switch v.kind() {
	case abi.KindUndefined:
		return Missing{}, nil
	case abi.KindNull:
		return nil, nil
	case abi.KindBool:
		return v.bits != 0, nil
	case abi.KindInt:
		return int64(v.bits), nil
	case abi.KindFloat:
		return math.Float64frombits(v.bits), nil
	case abi.KindText:
		if err := c.weigh(v.bits >> 32); err != nil {
			return nil, err
		}
		text, ok := c.e.slot.memory().text(v)
		if !ok {
			return nil, errCorrupt
		}
		return string(text), nil
	case abi.KindList:
		return c.decodeList(uint32(v.bits), depth)
	case abi.KindDict:
		return c.decodeDict(uint32(v.bits), depth)
	case abi.KindConnector:
		return Connector(v.bits), nil
	}
	return nil, errCorrupt
}

func (c *Call) decodeList(p uint32, depth int) (any, error) {
	cells, ok := c.cells(p)
	if !ok {
		return nil, errCorrupt
	}
	if err := c.weigh(uint64(len(cells))); err != nil {
		return nil, err
	}
	list := make([]any, 0, len(cells)/abi.CellSize)
	for ; len(cells) > 0; cells = cells[abi.CellSize:] {
		item, err := c.decode(memory{}.cellAt(cells), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

func (c *Call) decodeDict(p uint32, depth int) (any, error) {
	r := reader{mem: c.e.slot.memory()}
	entries, ok := r.entries(p)
	if !ok {
		return nil, errCorrupt
	}
	if err := c.weigh(uint64(len(entries))); err != nil {
		return nil, err
	}
	object := make(Object, 0, len(entries)/abi.EntrySize)
	for ; len(entries) > 0; entries = entries[abi.EntrySize:] {
		key := r.mem.cellAt(entries[abi.EntryKey:])
		if key.kind() == abi.KindUndefined {
			continue
		}
		name, err := c.decode(key, depth+1)
		if err != nil {
			return nil, err
		}
		value, err := c.decode(r.mem.cellAt(entries[abi.EntryValue:]), depth+1)
		if err != nil {
			return nil, err
		}
		object = append(object, Member{keyText(name), value})
	}
	return object, nil
}

// keyText is a key as JSON writes it.
func keyText(key any) string {
	switch key := key.(type) {
	case string:
		return key
	case bool:
		return strconv.FormatBool(key)
	case int64:
		return strconv.FormatInt(key, 10)
	case float64:
		return string(appendFloatKey(nil, key))
	}
	return "null"
}

// Return gives the command's result and charges for its size. A run without
// memory for it ends here. The error is that of JSON that is none.
func (c *Call) Return(v any) error {
	c.open()
	b := &c.e.builder
	mark := b.top
	result, err := b.encode(v)
	b.scratch = b.scratch[:0]
	if errors.Is(err, errInputMemory) {
		c.outOfMemory(err)
	}
	if err != nil {
		b.top = mark
		return err
	}
	c.ChargeBytes(int64(b.top - mark))
	b.mem.putCell(abi.CallResult, result)
	c.returned = true
	return nil
}

// encode writes a value to guest memory.
func (b *builder) encode(v any) (cell, error) {
	switch v := v.(type) {
	case nil:
		return cell{tag: abi.KindNull}, nil
	case bool:
		if v {
			return cell{abi.KindBool, 1}, nil
		}
		return cell{abi.KindBool, 0}, nil
	case int:
		return cell{abi.KindInt, uint64(v)}, nil
	case int64:
		return cell{abi.KindInt, uint64(v)}, nil
	case float64:
		return cell{abi.KindFloat, math.Float64bits(v)}, nil
	case string:
		return b.clean(v)
	case Connector:
		return cell{abi.KindConnector, uint64(v)}, nil
	case JSON:
		return b.document(v)
	case []any:
		return b.encodeList(v)
	case Object:
		return b.encodeObject(v)
	}
	return cell{}, fmt.Errorf("a value of type %T cannot cross the wall", v)
}

func (b *builder) nest() error {
	if b.depth++; b.depth > maxInputDepth {
		return errInputDepth
	}
	return nil
}

func (b *builder) encodeList(list []any) (cell, error) {
	if err := b.nest(); err != nil {
		return cell{}, err
	}
	defer func() { b.depth-- }()
	base := len(b.scratch)
	for _, item := range list {
		v, err := b.encode(item)
		if err != nil {
			return cell{}, err
		}
		b.scratch = append(b.scratch, v)
	}
	v, err := b.list(b.scratch[base:])
	b.scratch = b.scratch[:base]
	return v, err
}

func (b *builder) encodeObject(object Object) (cell, error) {
	if err := b.nest(); err != nil {
		return cell{}, err
	}
	defer func() { b.depth-- }()
	base := len(b.scratch)
	for _, m := range object {
		name, err := b.clean(m.Name)
		if err != nil {
			return cell{}, err
		}
		b.scratch = append(b.scratch, name)
		v, err := b.encode(m.Value)
		if err != nil {
			return cell{}, err
		}
		b.scratch = append(b.scratch, v)
	}
	v, err := b.dict(b.dedupe(b.scratch[base:]))
	b.scratch = b.scratch[:base]
	return v, err
}

// document reads a whole JSON text.
func (b *builder) document(raw []byte) (cell, error) {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	b.json.Open(raw)
	v, err := b.value()
	return v, b.json.Whole(err)
}

// TextOf is a value as the language's str writes it; lists and dicts as JSON.
func TextOf(v any) string {
	switch v := v.(type) {
	case nil, Missing:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+"))
		}
		return string(appendFloat(nil, v))
	case string:
		return v
	case Connector:
		return "connector"
	}
	return string(AppendJSON(nil, v))
}

// AppendJSON writes a value as the answer of a script would have it.
func AppendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			break
		}
		return appendFloat(b, v)
	case string:
		return appendQuoted(b, []byte(v))
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSON(b, item)
		}
		return append(b, ']')
	case Object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, []byte(m.Name)), ':')
			b = AppendJSON(b, m.Value)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

package wasmhost

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/avapd/avapd/runtime/abi"
)

// Output is the answer of a run that succeeded.
type Output struct {
	// Status is 200, or what the script asked for.
	Status int
	// JSON is the whole document; the others are the members' values in it.
	JSON                    []byte
	Result, Variables, Logs Span
}

// Span is the place of a member's value in a document; the zero value is no
// place.
type Span struct{ Start, End int }

// Of cuts the value out of the document.
func (s Span) Of(document []byte) []byte { return document[s.Start:s.End:s.End] }

// answer appends the document to dst.
func (e *execution) answer(dst []byte, echo bool) (Output, error) {
	r := &e.reader
	r.start(e.slot.memory(), dst, e.limits.OutputBytes)
	r.base = len(dst)
	out := Output{}
	var err error
	if out.Result, err = e.part(`{"success":true,"result":`, e.results); err != nil {
		return Output{}, err
	}
	if echo {
		if out.Variables, err = e.part(`,"variables":`, e.variables); err != nil {
			return Output{}, err
		}
	}
	if out.Logs, err = e.part(`,"logs":`, e.logs); err != nil {
		return Output{}, err
	}
	if err = r.literal("}"); err != nil {
		return Output{}, err
	}
	out.Status, out.JSON = e.status(), r.out[r.base:]
	return out, nil
}

// part writes a member's name and value and gives the place of the value.
func (e *execution) part(name string, value func() error) (Span, error) {
	r := &e.reader
	if err := r.literal(name); err != nil {
		return Span{}, err
	}
	start := len(r.out)
	err := value()
	return Span{start - r.base, len(r.out) - r.base}, err
}

// results writes what addResult published.
func (e *execution) results() error {
	c, ok := e.reader.mem.cell(abi.Results)
	if !ok || c.kind() != abi.KindDict {
		return errCorrupt
	}
	return e.reader.value(c)
}

// variables writes all globals that are defined: the request's in its order,
// then the others by their first assignment.
func (e *execution) variables() error {
	if err := e.reader.literal("{"); err != nil {
		return err
	}
	first := true
	for _, v := range e.request {
		value := v.value
		if v.global >= 0 {
			value, _ = e.reader.mem.cell(globalCell(int(v.global)))
		}
		if err := e.variable(&first, v, value); err != nil {
			return err
		}
	}
	e.sortGlobals()
	for _, g := range e.order {
		value, _ := e.reader.mem.cell(globalCell(int(g.number)))
		if err := e.variable(&first, requestVariable{global: g.number}, value); err != nil {
			return err
		}
	}
	return e.reader.literal("}")
}

// orderedGlobal is a global that the script assigned first.
type orderedGlobal struct {
	number   int32
	sequence uint32
}

// sortGlobals puts the defined globals that the request did not bring into
// order.
func (e *execution) sortGlobals() {
	mem := e.reader.mem
	e.order = e.order[:0]
	for i := range e.module.Manifest.Globals {
		p := globalCell(i)
		tag, _ := mem.u32(p + abi.CellTag)
		sequence, _ := mem.u32(p + abi.CellExtra)
		if tag != abi.KindUndefined && !e.brought(int32(i)) {
			e.order = append(e.order, orderedGlobal{int32(i), sequence})
		}
	}
	slices.SortFunc(e.order, func(a, b orderedGlobal) int {
		return cmp.Or(cmp.Compare(a.sequence, b.sequence), cmp.Compare(a.number, b.number))
	})
}

// brought reports whether a global is one of the request's variables. The
// guest's own word for it, a sequence number of 0, is not relied on.
func (e *execution) brought(global int32) bool {
	return e.broughtSet[global>>6]&(1<<(global&63)) != 0
}

// variable writes one member. A value that cannot be written, because it
// contains itself or is too deep, is null.
func (e *execution) variable(first *bool, v requestVariable, value cell) error {
	r := &e.reader
	if k := value.kind(); k == abi.KindUndefined || k == abi.KindConnector {
		return nil
	}
	if !*first {
		if err := r.literal(","); err != nil {
			return err
		}
	}
	*first = false
	if err := e.variableName(v); err != nil {
		return err
	}
	start := len(r.out)
	err := r.value(value)
	if errors.Is(err, errCycle) || errors.Is(err, errOutputDepth) {
		r.out = r.out[:start]
		return r.literal("null")
	}
	return err
}

func (e *execution) variableName(v requestVariable) error {
	if v.global >= 0 {
		return e.reader.raw(e.module.quoted[v.global])
	}
	if err := e.reader.text(v.name); err != nil {
		return err
	}
	return e.reader.literal(":")
}

// logs writes the execution's log.
func (e *execution) logs() error {
	r := &e.reader
	c, ok := r.mem.cell(abi.Logs)
	if !ok || c.kind() != abi.KindList || c.bits>>32 != 0 {
		return errCorrupt
	}
	entries, ok := r.cells(uint32(c.bits))
	if !ok {
		return errCorrupt
	}
	if err := r.literal("["); err != nil {
		return err
	}
	for i := 0; i < len(entries); i += abi.CellSize {
		if i > 0 {
			if err := r.literal(","); err != nil {
				return err
			}
		}
		if err := e.logEntry(r.mem.cellAt(entries[i:])); err != nil {
			return err
		}
	}
	return r.literal("]")
}

// logEntry writes one entry; see the Log constants of package abi.
func (e *execution) logEntry(c cell) error {
	r := &e.reader
	var f [4]cell
	if c.kind() != abi.KindList || c.bits>>32 != 0 {
		return errCorrupt
	}
	cells, ok := r.cells(uint32(c.bits))
	n := len(cells) / abi.CellSize
	if !ok || n < 3 || n > len(f) {
		return errCorrupt
	}
	for i := range n {
		f[i] = r.mem.cellAt(cells[i*abi.CellSize:])
	}
	kind, site := f[0], e.module.site(uint32(min(f[1].bits, math.MaxUint32)))
	if kind.kind() != abi.KindInt || f[1].kind() != abi.KindInt {
		return errCorrupt
	}
	switch {
	case kind.bits == abi.LogPrint:
		return e.logFields("print", site.Line, cell{}, `,"message":`, f[2])
	case kind.bits == abi.LogFailure:
		return e.logFields(site.Command, site.Line, cell{}, `,"success":false,"error":`, f[2])
	case kind.bits == abi.LogDone:
		return e.logFields(site.Command, site.Line, f[2], `,"success":true`, cell{})
	case kind.bits == abi.LogFailed && n == 4:
		return e.logFields(site.Command, site.Line, f[2], `,"success":false,"error":`, f[3])
	}
	return errCorrupt
}

// logFields writes command, line, a duration if there is one, and the rest
// with a text if there is one.
func (e *execution) logFields(command string, line int, duration cell, rest string, text cell) error {
	r := &e.reader
	var room [128]byte
	b := appendQuoted(append(room[:0], `{"command":`...), []byte(command))
	b = append(b, `,"line":`...)
	b = strconv.AppendInt(b, int64(line), 10)
	if duration.kind() != abi.KindUndefined {
		ms := math.Float64frombits(duration.bits)
		if duration.kind() != abi.KindFloat || math.IsNaN(ms) || math.IsInf(ms, 0) {
			return errCorrupt
		}
		b = append(b, `,"duration_ms":`...)
		// Thousandths of a millisecond are as fine as the clock is honest.
		b = appendFloat(b, math.Round(ms*1000)/1000)
	}
	b = append(b, rest...)
	if err := r.raw(b); err != nil {
		return err
	}
	if text.kind() != abi.KindUndefined {
		if err := r.text(text); err != nil {
			return err
		}
	}
	return r.literal("}")
}

const (
	statusDefault = 200
	statusMin     = 200
	statusMax     = 599
)

// status is what the variable _status asks for, or 200.
func (e *execution) status() int {
	c := e.statusVariable()
	var f float64
	switch c.kind() {
	case abi.KindInt:
		if i := int64(c.bits); i >= statusMin && i <= statusMax {
			return int(i)
		}
		return statusDefault
	case abi.KindFloat:
		f = math.Float64frombits(c.bits)
	case abi.KindText:
		s, ok := e.reader.mem.text(c)
		if !ok || !isNumberText(s) {
			return statusDefault
		}
		f, _ = strconv.ParseFloat(string(bytes.TrimSpace(s)), 64)
	default:
		return statusDefault
	}
	if f >= statusMin && f <= statusMax && f == math.Trunc(f) {
		return int(f)
	}
	return statusDefault
}

func (e *execution) statusVariable() cell {
	if g := e.module.statusGlobal; g >= 0 {
		c, _ := e.reader.mem.cell(globalCell(g))
		return c
	}
	for _, v := range e.request {
		if name, _ := e.reader.mem.text(v.name); string(name) == statusName {
			return v.value
		}
	}
	return cell{}
}

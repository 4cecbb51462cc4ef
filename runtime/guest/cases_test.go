package guest

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/library"
)

// The tables under testdata/cases are run by every machine there is: natively,
// on both of wazero's engines, and on V8 where node is installed. A line is
//
//	Function argument … => result
//
// Values are written as in JSON, with undefined, nan, inf, and keys of any
// kind. Behind the arguments may stand "with" and a dict that fills query,
// body, form, and results of the control block. The result is a value; ok for
// a function without one; error: and the message; or halt and its code.
// Behind "|" it may say what something holds after the call: first for the
// first argument, results, logs or return. A case whose result is ? gets it
// from the native run with -update.

var updateCases = flag.Bool("update", false, "write the results that cases with ? have natively")

// machineCase is a line of a table.
type machineCase struct {
	where string
	fn    library.Function
	args  []any
	with  pairs
	want  string
	after []string // names of what else is shown
	// notNode leaves the case out on V8.
	notNode bool
}

// outcome is what a machine says about a case.
type outcome struct {
	halted  bool
	results []uint64
	// message is the caught error's text, if the function failed.
	message []uint64
	memory  []byte
	problem string // anything else that went wrong
}

// machine runs one function of the library in a fresh state.
type machine interface {
	// base is where a case's own data starts.
	base() uint32
	run(c *machineCase, image *image) outcome
}

// image is the control block and the data of a case.
type image struct {
	base    uint32
	control [abi.ControlEnd - abi.ControlBase]byte
	data    []byte
	words   []uint64 // the arguments
	first   [2]uint64
}

func (m *image) alloc(n int) uint32 {
	for len(m.data)%16 != 0 {
		m.data = append(m.data, 0)
	}
	p := m.base + uint32(len(m.data))
	m.data = append(m.data, make([]byte, n)...)
	return p
}

func (m *image) put32(p, v uint32) { binary.LittleEndian.PutUint32(m.data[p-m.base:], v) }

func (m *image) putCell(p uint32, v any) {
	tag, bits := m.value(v)
	m.put32(p, uint32(tag))
	binary.LittleEndian.PutUint64(m.data[p-m.base+abi.CellPayload:], bits)
}

// value writes a value as the host would and gives its two words.
func (m *image) value(v any) (tag, bits uint64) {
	switch v := v.(type) {
	case nil:
		return abi.KindNull, 0
	case missingType:
		return abi.KindUndefined, 0
	case bool:
		return abi.KindBool, b2u(v)
	case int64:
		return abi.KindInt, uint64(v)
	case float64:
		return abi.KindFloat, math.Float64bits(v)
	case string:
		p := m.alloc(len(v))
		copy(m.data[p-m.base:], v)
		tag = abi.KindText | abi.FlagASCII
		for i := range len(v) {
			if v[i] >= 0x80 {
				tag = abi.KindText
			}
		}
		return tag, uint64(p) | uint64(len(v))<<32
	case []any:
		header, cells := m.alloc(abi.ListSize), m.alloc(len(v)*abi.CellSize)
		m.put32(header+abi.ListLen, uint32(len(v)))
		m.put32(header+abi.ListCap, uint32(len(v)))
		m.put32(header+abi.ListCells, cells)
		for i, item := range v {
			m.putCell(cells+uint32(i)*abi.CellSize, item)
		}
		return abi.KindList, uint64(header)
	case pairs:
		n := uint32(len(v) / 2)
		header, entries := m.alloc(abi.DictSize), m.alloc(int(n)*abi.EntrySize)
		m.put32(header+abi.DictCount, n)
		m.put32(header+abi.DictUsed, n)
		m.put32(header+abi.DictCap, n)
		m.put32(header+abi.DictEntries, entries)
		for i := range n {
			m.putCell(entries+i*abi.EntrySize+abi.EntryKey, v[2*i])
			m.putCell(entries+i*abi.EntrySize+abi.EntryValue, v[2*i+1])
		}
		return abi.KindDict, uint64(header)
	}
	panic(fmt.Sprintf("no value for a %T", v))
}

func (m *image) set32(at int, v uint32) {
	binary.LittleEndian.PutUint32(m.control[at-abi.ControlBase:], v)
}

func (m *image) setCell(at int, v any) {
	tag, bits := m.value(v)
	m.set32(at, uint32(tag))
	binary.LittleEndian.PutUint64(m.control[at-abi.ControlBase+abi.CellPayload:], bits)
}

// stackSlots is the room for the call stack in a case's data.
const stackSlots = 16

// newImage lays a case out. heapEnd is 0 where the machine sets it.
func newImage(c *machineCase, base uint32) *image {
	m := &image{base: base}
	stack := m.alloc(4 * stackSlots)
	m.set32(abi.StackBase, stack)
	m.set32(abi.StackLimit, stack+4*stackSlots)
	m.set32(abi.Site, 7)
	binary.LittleEndian.PutUint64(m.control[abi.HashSeed-abi.ControlBase:], 0x0123456789abcdef)
	m.setCell(abi.Results, pairs{})
	m.setCell(abi.Logs, []any{})
	for i := 0; i < len(c.with); i += 2 {
		at, ok := map[any]int{"query": abi.Query, "body": abi.Body, "form": abi.Form, "results": abi.Results}[c.with[i]]
		if !ok {
			panic(fmt.Sprintf("%s: nothing is called %v", c.where, c.with[i]))
		}
		m.setCell(at, c.with[i+1])
	}
	types := c.fn.Params
	for i, a := range c.args {
		switch {
		case len(types) >= 2 && types[0] == wasm.I32 && types[1] == wasm.I64:
			tag, bits := m.value(a)
			m.words = append(m.words, tag, bits)
			if i == 0 {
				m.first = [2]uint64{tag, bits}
			}
			types = types[2:]
		case types[0] == wasm.F64:
			m.words = append(m.words, math.Float64bits(a.(float64)))
			types = types[1:]
		default:
			m.words = append(m.words, uint64(uint32(a.(int64))))
			types = types[1:]
		}
	}
	m.alloc(0)
	m.set32(abi.HeapTop, base+uint32(len(m.data)))
	return m
}

// maxShownDepth bounds what is shown of a value that contains itself.
const maxShownDepth = 8

// shower reads values out of a machine's memory.
type shower struct {
	memory  []byte
	problem string
}

func (s *shower) bytes(p, n uint32) []byte {
	if uint64(p)+uint64(n) > uint64(len(s.memory)) {
		s.problem = fmt.Sprintf("%d bytes at %d lie outside memory", n, p)
		return make([]byte, n&0xffff)
	}
	return s.memory[p : p+n]
}

func (s *shower) load(p uint32) uint32 { return binary.LittleEndian.Uint32(s.bytes(p, 4)) }

func (s *shower) cell(p uint32, depth int) string {
	return s.show(uint64(s.load(p)), binary.LittleEndian.Uint64(s.bytes(p+abi.CellPayload, 8)), depth)
}

func (s *shower) show(tag, bits uint64, depth int) string {
	switch tag & abi.KindMask {
	case abi.KindUndefined:
		return "undefined"
	case abi.KindNull:
		return "null"
	case abi.KindBool:
		return strconv.FormatBool(bits != 0)
	case abi.KindInt:
		return strconv.FormatInt(int64(bits), 10)
	case abi.KindFloat:
		return showCaseFloat(math.Float64frombits(bits))
	case abi.KindText:
		return s.text(tag, bits)
	case abi.KindList, abi.KindDict:
		if depth == maxShownDepth || s.problem != "" {
			return "…"
		}
		if tag&abi.KindMask == abi.KindList {
			return s.list(uint32(bits), depth+1)
		}
		return s.dict(uint32(bits), depth+1)
	}
	return fmt.Sprintf("tag %d", tag)
}

func (s *shower) text(tag, bits uint64) string {
	b := s.bytes(uint32(bits), uint32(bits>>32))
	if !utf8.Valid(b) {
		s.problem = fmt.Sprintf("text %q is not UTF-8", b)
	}
	if tag&abi.FlagASCII != 0 && slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 }) {
		s.problem = fmt.Sprintf("text %q is marked as ASCII", b)
	}
	return strconv.Quote(string(b))
}

func (s *shower) list(p uint32, depth int) string {
	var items []string
	cells := s.load(p + abi.ListCells)
	for i := range s.load(p + abi.ListLen) {
		items = append(items, s.cell(cells+i*abi.CellSize, depth))
	}
	if s.load(p+abi.ListMark) != 0 {
		s.problem = "a list's mark was left behind"
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func (s *shower) dict(p uint32, depth int) string {
	var items []string
	entries := s.load(p + abi.DictEntries)
	for i := range s.load(p + abi.DictUsed) {
		e := entries + i*abi.EntrySize
		if s.load(e)&abi.KindMask != abi.KindUndefined {
			items = append(items, s.cell(e+abi.EntryKey, depth)+": "+s.cell(e+abi.EntryValue, depth))
		}
	}
	if n := s.load(p + abi.DictCount); int(n) != len(items) {
		s.problem = fmt.Sprintf("a dict of %d entries counts %d", len(items), n)
	}
	if s.load(p+abi.DictMark) != 0 {
		s.problem = "a dict's mark was left behind"
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func showCaseFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return showFloat(f)
}

// result shows an outcome as a table has it.
func (c *machineCase) result(o outcome, m *image) string {
	s := &shower{memory: o.memory}
	var shown string
	switch {
	case o.problem != "":
		return "problem: " + o.problem
	case o.halted:
		return fmt.Sprintf("halt %d", s.load(abi.Halt))
	case o.message != nil:
		b := s.bytes(uint32(o.message[1]), uint32(o.message[1]>>32))
		shown = "error: " + string(b)
	case len(o.results) == 0:
		shown = "ok"
	case len(o.results) == 1:
		shown = strconv.Itoa(int(int32(o.results[0])))
	default:
		shown = s.show(o.results[0], o.results[1], 0)
	}
	for _, name := range c.after {
		shown += " | " + name + " "
		if name == "first" {
			shown += s.show(m.first[0], m.first[1], 0)
			continue
		}
		at, ok := map[string]uint32{"results": abi.Results, "logs": abi.Logs, "return": abi.Return}[name]
		if !ok {
			panic(c.where + ": nothing is called " + name)
		}
		shown += s.cell(at, 0)
	}
	if s.problem != "" {
		shown += " problem: " + s.problem
	}
	return shown
}

// failed reports whether results say that the function failed.
func (c *machineCase) failed(results []uint64) bool {
	return c.fn.Fallible && int32(results[0]) < 0
}

// fillArgs lets a case leave out arguments at the end.
func (c *machineCase) fillArgs() {
	n := 0
	for i := 0; i < len(c.fn.Params); i++ {
		if c.fn.Params[i] == wasm.I32 && i+1 < len(c.fn.Params) && c.fn.Params[i+1] == wasm.I64 {
			i++
		}
		n++
	}
	for len(c.args) < n {
		c.args = append(c.args, missing)
	}
}

// TestCases runs the tables on every machine.
func TestCases(t *testing.T) {
	paths, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	// Catch is called for every error, Root makes sense only behind KeepRoot.
	covered := map[string]bool{"Catch": true, "Root": true}
	var all []*machineCase
	for _, path := range paths {
		if *updateCases {
			updateTable(t, path)
		}
		cases := readTable(t, path)
		for _, c := range cases {
			covered[c.fn.Name] = true
		}
		all = append(all, cases...)
	}
	for _, f := range library.Functions() {
		if !covered[f.Name] {
			t.Errorf("no case calls %s", f.Name)
		}
	}
	runEverywhere(t, all)
}

// runEverywhere holds the cases' results on every machine against what they
// want.
func runEverywhere(t *testing.T, all []*machineCase) {
	t.Run("native", func(t *testing.T) { runCases(t, newNative(t), all) })
	if !testing.Short() { // with the race detector it takes minutes
		t.Run("interpreter", func(t *testing.T) { runCases(t, newWazero(t, false), all) })
	}
	t.Run("compiler", func(t *testing.T) { runCases(t, newWazero(t, true), all) })
	t.Run("node", func(t *testing.T) { runNode(t, all) })
}

func runCases(t *testing.T, m machine, all []*machineCase) {
	for _, c := range all {
		image := newImage(c, m.base())
		if got := c.result(m.run(c, image), image); got != c.want {
			t.Errorf("%s: got %s\nwant %s", c.where, got, c.want)
		}
	}
}

func readTable(t *testing.T, path string) []*machineCase {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []*machineCase
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		c, err := parseCase(line)
		if err != nil {
			t.Fatalf("%s:%d: %v", path, n, err)
		}
		c.where = fmt.Sprintf("%s:%d: %s", path, n, line)
		cases = append(cases, c)
	}
	return cases
}

// updateTable replaces results that are ?.
func updateTable(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	native := newNative(t)
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		head, tail, asked := strings.Cut(strings.TrimSuffix(line, "\n"), "=> ?")
		if !asked {
			out.WriteString(line)
			continue
		}
		c, err := parseCase(head + "=> null" + tail)
		if err != nil {
			t.Fatal(err)
		}
		image := newImage(c, native.base())
		fmt.Fprintf(&out, "%s=> %s\n", head, c.result(native.run(c, image), image))
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

package debug

import (
	"bytes"
	"debug/dwarf"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/wasm"
)

// table has two files, and a column behind a character that takes two units of
// UTF-16.
var table = Table{
	Producer: "test",
	Sources:  []Source{{"main.avap", "a\nb 😀 c\n" + strings.Repeat("\n", 500) + "far"}, {"dir/part.avap", "x"}},
	Positions: []Position{
		{}, {0, 1, 1}, {0, 2, 5}, {1, 1, 1}, {0, 503, 2}, {Source: 2, Line: 1, Column: 1},
	},
}

// place is what a row of a table says, with the offset in the code section.
type place struct {
	Offset       int
	File         string
	Line, Column int
}

// marked makes a module whose functions come from all over the table, and gives
// what must be known about it. Offsets are found by distinctive constants.
func marked(t *testing.T) (module []byte, layout wasm.Layout, want []place) {
	t.Helper()
	m := &wasm.Module{}
	imported := m.ImportFunc("m", "f", wasm.FuncType{})
	body := func(f *wasm.Func, n int32) {
		f.NewLocal(wasm.I64)
		for range n {
			f.I32Const(-77)
			f.Op(wasm.OpDrop)
			f.Call(imported)
			f.GlobalGet(m.Globals[0])
			f.Op(wasm.OpDrop)
		}
	}
	m.NewGlobal("g", wasm.I64, 0)
	first := m.NewFunc("first", wasm.FuncType{})
	first.Mark(4) // nothing comes from there
	first.Mark(1)
	body(first, 3)
	first.Mark(2)
	body(first, 100)
	first.Mark(2)
	body(first, 1)
	m.NewFunc("made up", wasm.FuncType{})
	second := m.NewFunc("second", wasm.FuncType{})
	body(second, 1)
	second.Mark(3)
	second.Call(imported)
	second.Mark(4)
	body(second, 1)
	second.Mark(5) // a file that does not exist
	body(second, 1)
	module, layout = m.EncodeLayout()

	code := module[layout.CodeStart:][:layout.CodeSize]
	constant := []byte{byte(wasm.OpI32Const), 0xb3, 0x7f}
	start := bytes.Index(code, constant)
	each := bytes.Index(code[start+1:], constant) + 1 // bytes of one turn of body
	tail := bytes.LastIndex(code, constant)           // the last turn
	behind := tail - each - 2                         // the single call before the turns of 4 and 5
	return module, layout, []place{
		{start - 3, "main.avap", 1, 1},
		{start + 3*each, "main.avap", 2, 5},
		{start + 104*each + 2, "main.avap", 0, 0}, // end, size
		{behind, "dir/part.avap", 1, 1},
		{behind + 2, "main.avap", 503, 2},
		{tail, "main.avap", 0, 0},
		{int(layout.CodeSize), "end", 0, 0},
	}
}

func TestLineTable(t *testing.T) {
	module, layout, want := marked(t)
	sections := map[string][]byte{}
	for _, s := range table.Sections(&layout) {
		sections[s.Name] = s.Bytes
		module = wasm.AppendCustom(module, s)
	}
	binary, err := wasm.Decode(module)
	if err != nil {
		t.Fatal(err)
	}
	if first := binary.Bodies[0].Code; !bytes.HasPrefix(module[int(layout.CodeStart)+want[0].Offset:][3:], first) {
		t.Error("the first mark is not where the first body starts")
	}
	data, err := dwarf.New(sections[".debug_abbrev"], nil, nil, sections[".debug_info"], sections[".debug_line"], nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	unit, err := data.Reader().Next()
	if err != nil || unit.Tag != dwarf.TagCompileUnit || unit.Val(dwarf.AttrName) != "main.avap" || unit.Val(dwarf.AttrProducer) != "test" {
		t.Fatalf("unit %v, %v", unit, err)
	}
	ranges, err := data.Ranges(unit)
	if diff := cmp.Diff([][2]uint64{{uint64(want[0].Offset), uint64(layout.CodeSize)}}, ranges); err != nil || diff != "" {
		t.Errorf("ranges: %v\n%s", err, diff)
	}
	if diff := cmp.Diff(want, readLines(t, data, unit)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func readLines(t *testing.T, data *dwarf.Data, unit *dwarf.Entry) []place {
	t.Helper()
	lines, err := data.LineReader(unit)
	if err != nil {
		t.Fatal(err)
	}
	var got []place
	for {
		var e dwarf.LineEntry
		switch err := lines.Next(&e); {
		case errors.Is(err, io.EOF):
			return got
		case err != nil:
			t.Fatal(err)
		case e.EndSequence:
			got = append(got, place{int(e.Address), "end", 0, 0})
		default:
			got = append(got, place{int(e.Address), e.File.Name, e.Line, e.Column})
		}
	}
}

func TestSourceMap(t *testing.T) {
	_, layout, lines := marked(t)
	text, err := table.SourceMap(&layout)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Version        int
		Sources        []string
		SourcesContent []string
		Names          []string
		Mappings       string
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if m.Version != 3 || m.Names == nil || m.SourcesContent[1] != "x" {
		t.Errorf("%s", text)
	}
	var want []place
	for _, l := range lines[:len(lines)-1] {
		l.Offset += int(layout.CodeStart)
		switch {
		case l.Line == 0:
			l.File = ""
		case l.Line == 2:
			l.Column = 6 // the emoji counts twice
		}
		want = append(want, l)
	}
	if diff := cmp.Diff(want, decodeMappings(t, m.Mappings, m.Sources)); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, m.Mappings)
	}
}

// decodeMappings reads the segments of a map with one line.
func decodeMappings(t *testing.T, mappings string, sources []string) []place {
	t.Helper()
	var got []place
	var at, source, line, column int
	for segment := range strings.SplitSeq(mappings, ",") {
		var fields []int
		v, shift := 0, 0
		for i := range len(segment) {
			digit := strings.IndexByte(base64Digits, segment[i])
			v |= digit & 31 << shift
			if shift += 5; digit < 32 {
				if v&1 == 1 {
					v = -v
				}
				fields = append(fields, v/2)
				v, shift = 0, 0
			}
		}
		at += fields[0]
		if len(fields) == 1 {
			got = append(got, place{Offset: at})
			continue
		}
		source, line, column = source+fields[1], line+fields[2], column+fields[3]
		got = append(got, place{at, sources[source], line + 1, column + 1})
	}
	return got
}

func TestModuleWithoutCode(t *testing.T) {
	_, layout := (&wasm.Module{}).EncodeLayout()
	if s := table.Sections(&layout); s != nil {
		t.Errorf("%v", s)
	}
	if _, err := table.SourceMap(&layout); err != nil {
		t.Error(err)
	}
}

func TestSourceMapURL(t *testing.T) {
	if s := SourceMapURL("a.map"); s.Name != "sourceMappingURL" || string(s.Bytes) != "\x05a.map" {
		t.Errorf("%+v", s)
	}
}

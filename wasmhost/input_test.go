package wasmhost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/jsonscan"
	"github.com/avapd/avapd/runtime/abi"
)

// grower lets a builder grow a slot without a guest.
type grower struct {
	api.Memory
	slot *slot
}

func (g grower) Grow(pages uint32) (uint32, bool) {
	old := g.slot.sizeBytes
	return uint32(old / abi.PageBytes), g.slot.Reallocate(old+uint64(pages)*abi.PageBytes) != nil
}

func newBuilder(pages int) *builder {
	s := &slot{base: make([]byte, pages*abi.PageBytes), limitBytes: uint64(pages) * abi.PageBytes, sizeBytes: abi.PageBytes}
	b := &builder{}
	b.start(s, grower{slot: s}, 4096)
	return b
}

// roundTrip writes JSON into memory and reads it back.
func roundTrip(t *testing.T, raw string) (string, error) {
	t.Helper()
	b := newBuilder(64)
	pairs, err := b.object([]byte(raw), nil)
	if err != nil {
		return "", err
	}
	v, err := b.dict(pairs)
	if err != nil {
		return "", err
	}
	r := &reader{}
	r.start(b.slot.memory(), nil, 16<<20)
	if err := r.value(v); err != nil {
		t.Fatalf("%.100s: reading back: %v", raw, err)
	}
	return string(r.out), nil
}

func TestJSONRoundTrip(t *testing.T) {
	for raw, want := range map[string]string{
		`{}`:                                 `{}`,
		` { "a" : 1 } `:                      `{"a":1}`,
		`{"a":1.0,"b":1e2}`:                  `{"a":1.0,"b":100.0}`,
		`{"a":-0,"b":-0.0}`:                  `{"a":0,"b":-0.0}`,
		`{"a":1,"b":2,"a":3}`:                `{"a":3,"b":2}`,
		`{"a":{"x":1,"x":[]}}`:               `{"a":{"x":[]}}`,
		`{"a":"\u00e9\ud83d\ude00\n\u0000"}`: `{"a":"é😀\n\u0000"}`,
		`{"\u0061":1,"a":2}`:                 `{"a":2}`,
		`{"a":9223372036854775807,"b":-9223372036854775808}`:                `{"a":9223372036854775807,"b":-9223372036854775808}`,
		`{"a":9223372036854775808,"b":1e400,"c":-1e400}`:                    `{"a":9.223372036854775808e+18,"b":null,"c":null}`,
		`{"a":[[],{},[null,true,false,"x"]],"b":{"c":{"d":[1,2,[3]]}}}`:     `{"a":[[],{},[null,true,false,"x"]],"b":{"c":{"d":[1,2,[3]]}}}`,
		`{"long":"` + strings.Repeat("é\\n", 30_000) + `"}`:                 `{"long":"` + strings.Repeat("é\\n", 30_000) + `"}`,
		`{"a":` + strings.Repeat("[", 499) + strings.Repeat("]", 499) + `}`: `{"a":` + strings.Repeat("[", 499) + strings.Repeat("]", 499) + `}`,
	} {
		got, err := roundTrip(t, raw)
		want = strings.Replace(want, "9.223372036854775808e+18", "9.223372036854776e+18", 1)
		if err != nil || got != want {
			t.Errorf("%.100s:\ngot  %.200s, %v\nwant %.200s", raw, got, err, want)
		}
	}
}

func TestManyMembers(t *testing.T) {
	var raw, want bytes.Buffer
	raw.WriteByte('{')
	want.WriteByte('{')
	for i := range 5000 {
		name, _ := json.Marshal(i % 1000)
		if i > 0 {
			raw.WriteByte(',')
		}
		raw.WriteString(`"k` + string(name) + `":` + string(name))
		if i < 1000 {
			if i > 0 {
				want.WriteByte(',')
			}
			want.WriteString(`"k` + string(name) + `":` + string(name))
		}
	}
	raw.WriteByte('}')
	want.WriteByte('}')
	if got, err := roundTrip(t, raw.String()); err != nil || got != want.String() {
		t.Errorf("got %.100s, %v", got, err)
	}
}

func TestBadJSON(t *testing.T) {
	for _, raw := range []string{
		`[]`, `1`, `"x"`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":01}`, `{"a":.5}`, `{"a":NaN}`, `{"a":'x'}`, `{a:1}`, `{"a":1}{`, `{"a":1} x`,
		"{\"a\":\"\xff\"}", "{\"\xff\":1}", `{"a":"\ud800"}`, `{"a":"\x41"}`, "{\"a\":\"\n\"}", `{"a":[1,]}`, `{"a":tru}`, `{"a":[}`, `{"a":1}]`,
		`{"a":1.}`, `{"a":1e}`, `{"a":1e+}`, `{"a":-}`, `{"a":+1}`, `{"a":nul}`, `{"a":truefalse}`, `{"a":"x}`, `{"a":"\"}`, "{}\x00", `{"a",1}`, `{"a":{1:2}}`,
		`{"a":` + strings.Repeat(`{"a":`, 1<<20),
		`{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
	} {
		if got, err := roundTrip(t, raw); err == nil {
			t.Errorf("%.60s: accepted as %.60s", raw, got)
		}
		_, err := newBuilder(1).object([]byte(raw), func([]byte) bool { return false })
		if err == nil {
			t.Errorf("%.60s: accepted while nobody wants its members", raw)
		}
		if errors.Is(err, jsonscan.ErrSyntax) {
			t.Errorf("%.60s: the message does not say what is wrong", raw)
		}
	}
}

// What nobody reads may be nested deeper than what a script can have.
func TestInputDepth(t *testing.T) {
	raw := []byte(`{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`)
	if _, err := newBuilder(1).object(raw, nil); !errors.Is(err, errInputDepth) {
		t.Error(err)
	}
	if _, err := newBuilder(1).object(raw, func([]byte) bool { return false }); err != nil {
		t.Error(err)
	}
}

func TestInputsBeyondMemory(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript([]string{"a"}, nil)
		s.manifest.Needs = abi.Needs{Body: true, Query: true, Form: true}
		m := s.finish(t, h, 0)
		limits := testLimits
		limits.MemoryPages = 4
		large := strings.Repeat("[],", 100_000) + "[]"
		for _, in := range []Input{
			{Variables: []byte(`{"a":[` + large + `]}`)},
			{Variables: []byte(`{"a":"` + strings.Repeat("x", 300_000) + `"}`)},
			{Body: []byte(`{"a":[` + large + `]}`)},
			{Query: slices.Repeat([]Pair{{"a", "b"}}, 10_000)},
			{Form: []Pair{{"a", strings.Repeat("b", 300_000)}}},
		} {
			mustFail(t, h, m, in, limits, diag.OutOfMemory)
		}
		// One page is enough for a script that needs no more, with its call stack.
		limits.MemoryPages = 1
		if _, usage, failure := h.Run(context.Background(), m, &Input{}, limits, nil); failure != nil || usage.MemoryPages != 1 {
			t.Errorf("%v, %d pages", failure, usage.MemoryPages)
		}
		limits.CallDepth = 20_000
		failure := mustFail(t, h, m, Input{}, limits, diag.OutOfMemory)
		if failure.Message != "out of memory: the script alone needs more than the limit of 64 KiB" {
			t.Errorf("got %q", failure.Message)
		}
		// What does not fit four pages fits more: memory is grown on the way.
		limits.MemoryPages = 1024
		in := Input{Variables: []byte(`{"a":[` + large + `]}`), EchoVariables: true}
		out, usage, failure := h.Run(context.Background(), m, &in, limits, nil)
		if failure != nil || string(out.Variables.Of(out.JSON)) != `{"a":[`+large+`]}` {
			t.Errorf("got %.40s, %v", out.JSON, failure)
		}
		if usage.MemoryPages < 40 || usage.MemoryPages > 140 {
			t.Errorf("%d pages", usage.MemoryPages)
		}
	})
}

func TestVariablesAreEchoedInOrder(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		s := newScript([]string{"b", "new", "a"}, nil)
		p := globalCell(1)
		s.storeCell(p, integer(5))
		s.store32(p+abi.CellExtra, 1)
		m := s.finish(t, h, 0)
		in := Input{Variables: []byte(`{"z":[1.0],"a":1,"y":{"k":null},"b":2,"a":"last"}`), EchoVariables: true}
		out := mustRun(t, h, m, in)
		if want := `{"z":[1.0],"a":"last","y":{"k":null},"b":2,"new":5}`; string(out.Variables.Of(out.JSON)) != want {
			t.Errorf("got %s, want %s", out.JSON, want)
		}
		if len(out.Variables.Of(out.JSON)) == 0 || !json.Valid(out.JSON) {
			t.Errorf("document %s", out.JSON)
		}
	})
}

func TestStatusOfTheRequest(t *testing.T) {
	h := newHost(t, EngineCompiler, nil)
	unaware := newScript(nil, nil).finish(t, h, 0)
	aware := newScript([]string{"_status"}, nil).finish(t, h, 0)
	for _, echo := range []bool{false, true} {
		for _, m := range []*Module{unaware, aware} {
			if out := mustRun(t, h, m, Input{Variables: []byte(`{"x":1,"_status":"409"}`), EchoVariables: echo}); out.Status != 409 {
				t.Errorf("status %d", out.Status)
			}
		}
	}
}

func TestBadInputs(t *testing.T) {
	h := newHost(t, EngineCompiler, nil)
	s := newScript(nil, nil)
	s.manifest.Needs.Body = true
	m := s.finish(t, h, 0)
	mustFail(t, h, m, Input{Variables: []byte(`[1]`)}, testLimits, diag.BadFieldType)
	mustFail(t, h, m, Input{Variables: []byte(`{"a":`)}, testLimits, diag.BadJSON)
	mustFail(t, h, m, Input{Body: []byte(`"x"`)}, testLimits, diag.BadFieldType)
	mustFail(t, h, m, Input{Body: []byte("{\"a\":\"\xff\"}")}, testLimits, diag.BadJSON)
	mustRun(t, h, m, Input{Variables: []byte("null"), Body: []byte(" null ")})
}

// The guest's view of the parameters, read back as JSON.
func TestParameters(t *testing.T) {
	h := newHost(t, EngineCompiler, nil)
	m := newScript(nil, nil).finish(t, h, 0)
	m.Manifest.Needs = abi.Needs{Path: true, Query: true, Body: true, Form: true}
	in := Input{
		Body:  []byte(`{"script":"ignored","variables":{"x":1},"n":1,"o":{"script":2}}`),
		Query: []Pair{{"a", "1"}, {"b", "é x"}, {"a", ""}, {"bad", "\xff"}},
		Form:  []Pair{{"f", "&="}},
		Path:  []Pair{{"id", "7"}},
	}
	e, err := h.takeExecution(m, "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.giveExecution(e)
	e.module, e.limits = m, testLimits
	e.foundFamily()
	if failure := e.instantiate(); failure != nil {
		t.Fatal(failure.Cause)
	}
	if err := e.seed(&in); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[uint32]string{
		abi.Body:  `{"n":1,"o":{"script":2}}`,
		abi.Query: `[["a","1"],["b","é x"],["a",""],["bad","` + "\uFFFD" + `"]]`,
		abi.Form:  `[["f","&="]]`,
		abi.Path:  `[["id","7"]]`,
	} {
		mem := e.slot.memory()
		c, _ := mem.cell(at)
		e.reader.start(mem, nil, 10_000)
		if err := e.reader.value(c); err != nil || string(e.reader.out) != want {
			t.Errorf("cell %d: got %s, %v; want %s", at, e.reader.out, err, want)
		}
	}
}

// FuzzInput compares with two other readers of JSON: a text is accepted, whether
// its members are read or gone over, if it is to the one, and means what the other
// makes of it.
func FuzzInput(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x",null,true]}`, `{"a":1,"a":2}`, `{"a":"\u00e9\\"}`, `{"k":1e309}`, `{"a":[`, `{"a":-01.5E+}`, "{\"a\\x\":\"\\ud800\"}\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		got, err := roundTrip(t, string(raw))
		if errors.Is(err, errNotObject) || errors.Is(err, errInputDepth) {
			return
		}
		if valid := jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true)); valid != (err == nil) {
			t.Fatalf("%q: %v; valid: %v", raw, err, valid)
		}
		if _, skipped := newBuilder(1).object(raw, func([]byte) bool { return false }); (skipped == nil) != (err == nil) {
			t.Fatalf("%q: %v; as members that nobody wants: %v", raw, err, skipped)
		}
		if err != nil {
			return
		}
		var want, have map[string]any
		if err := json.Unmarshal(raw, &want); err != nil {
			if strings.Contains(err.Error(), "cannot unmarshal number") {
				return // beyond the range of float64, which is infinite here
			}
			t.Fatalf("accepted %q, which is not JSON: %v", raw, err)
		}
		if err := json.Unmarshal([]byte(got), &have); err != nil {
			t.Fatalf("%q came back as %q: %v", raw, got, err)
		}
		if !reflect.DeepEqual(have, want) {
			t.Fatalf("%q came back as %q", raw, got)
		}
	})
}

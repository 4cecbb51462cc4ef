package manual

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/conformance/loopback"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/runtime/catalog"
)

var update = flag.Bool("update", false, "write the generated tables and what the examples answer")

// documents are those whose examples are executed.
var documents = []string{"language.md", "cookbook.md"}

func path(document string) string { return filepath.Join("..", "..", "docs", document) }

// notes is where the notes about commands are.
const notes = "commands"

// The manual has an example of every command, and the example needs its
// command. A note may come before its command.
func TestNotes(t *testing.T) {
	fixture := newFixture(t)
	for _, c := range catalog.Commands() {
		if _, err := os.Stat(filepath.Join(notes, c.Name+".md")); err != nil {
			t.Error(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(notes, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, e := range fixture.checkFile(t, file) {
			if name := strings.TrimSuffix(filepath.Base(file), ".md"); !slices.Contains(e.Needs, name) {
				t.Errorf("%s does not need %s", e.Name, name)
			}
		}
	}
}

func TestReferenceIsFresh(t *testing.T) {
	content, err := os.ReadFile(path("language.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Replace(string(content), os.DirFS(notes))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path("language.md"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(content)); diff != "" {
		t.Errorf("run make generate: %s", diff)
	}
}

func TestExamples(t *testing.T) {
	fixture := newFixture(t)
	for _, document := range documents {
		fixture.checkFile(t, path(document))
	}
}

// fixture is what examples run on.
type fixture struct {
	engine *engine.Engine
	http   *httptest.Server
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{engine: newEngine(t), http: loopback.Start()}
	t.Cleanup(f.http.Close)
	return f
}

// newEngine makes an engine with an empty database.
func newEngine(t *testing.T) *engine.Engine {
	t.Helper()
	config := engine.Config{HashSeed: func() uint64 { return 1 }}
	config.Commands.Egress.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	config.Commands.Data.SQLiteFile = filepath.Join(t.TempDir(), "data.db")
	e, err := engine.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// needsSQL reports whether an example leaves something in the database.
func needsSQL(e *Example) bool {
	return slices.ContainsFunc(e.Needs, func(name string) bool {
		c, ok := catalog.LookupCommand(name)
		return ok && c.Capability == catalog.CapabilitySQL
	})
}

// provided are the capabilities that the fixture's engine has something for.
var provided = map[string]bool{
	"":                            true,
	catalog.CapabilityClock:       true,
	catalog.CapabilityConnector:   true,
	catalog.CapabilityConcurrency: true,
	catalog.CapabilityHTTP:        true,
	catalog.CapabilityRandom:      true,
	catalog.CapabilitySQL:         true,
}

// checkFile runs the examples of a file; with -update it writes what they
// answered.
func (f *fixture) checkFile(t *testing.T, file string) []Example {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	examples, err := Examples(filepath.Base(file), string(content))
	if err != nil {
		t.Fatal(err)
	}
	if len(examples) == 0 {
		t.Errorf("no examples in %s", file)
	}
	lines := strings.Split(string(content), "\n")
	// From the end: what is written moves only lines behind it.
	for _, e := range slices.Backward(examples) {
		t.Run(e.Name, func(t *testing.T) { lines = f.check(t, &e, lines) })
	}
	if written := strings.Join(lines, "\n"); *update && written != string(content) {
		if err := os.WriteFile(file, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return examples
}

// runs tells whether an example can be executed.
func (f *fixture) runs(e *Example) bool {
	for _, name := range e.Needs {
		if c, ok := catalog.LookupCommand(name); !syntax.IsKeyword(name) && (!ok || !provided[c.Capability]) {
			return false
		}
	}
	return true
}

func parse(t *testing.T, e *Example) {
	t.Helper()
	if _, findings := syntax.Parse("", []byte(e.Script), syntax.Options{RawParam: catalog.RawParam}); findings.HasErrors() {
		t.Errorf("%s: %v", e.Name, findings)
	}
}

// check runs an example and gives the lines of its document, with what it
// answered when that is to be written.
func (f *fixture) check(t *testing.T, e *Example, lines []string) []string {
	t.Helper()
	if !f.runs(e) {
		parse(t, e)
		t.Skipf("parsed only: needs %v", e.Needs)
	}
	failures := e.Failures()
	if len(failures) == 0 && len(e.Want) == 0 {
		t.Fatal("the example says neither what it answers nor how it fails")
	}
	request, err := f.request(e)
	if err != nil {
		t.Fatal(err)
	}
	runner := f.engine
	if needsSQL(e) {
		runner = newEngine(t)
	}
	answer, err := runner.Run(t.Context(), request)
	if err != nil || len(failures) > 0 {
		return compareFailures(t, e, failures, err, lines)
	}
	for _, part := range slices.Backward(e.Want) {
		lines = f.comparePart(t, part, answer, lines)
	}
	return lines
}

// request makes an example's request. {PORT} is that of the HTTP service.
func (f *fixture) request(e *Example) (*engine.Request, error) {
	var r struct {
		Variables, Body json.RawMessage
		Query, Form     [][2]string
		Limits          struct {
			Fuel        int64  `json:"fuel"`
			TimeMS      int64  `json:"time_ms"`
			MemoryBytes uint32 `json:"memory_bytes"`
			CallDepth   uint32 `json:"call_depth"`
			OutputBytes int    `json:"output_bytes"`
		}
		Logs bool
	}
	if e.Request != "" {
		decoder := json.NewDecoder(strings.NewReader(strings.ReplaceAll(e.Request, "{PORT}", loopback.Port(f.http))))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&r); err != nil {
			return nil, err
		}
	}
	request := &engine.Request{
		Source: e.Script, Variables: r.Variables, Body: r.Body, Query: pairs(r.Query), Form: pairs(r.Form),
		Logs: r.Logs, EchoVariables: true,
	}
	request.Limits.Fuel, request.Limits.CallDepth, request.Limits.OutputBytes = r.Limits.Fuel, r.Limits.CallDepth, r.Limits.OutputBytes
	request.Limits.MemoryPages, request.Limits.Duration = r.Limits.MemoryBytes>>16, time.Duration(r.Limits.TimeMS)*time.Millisecond
	if len(e.Files) > 0 {
		request.Load = func(name string) ([]byte, error) {
			text, ok := e.Files[name]
			if !ok {
				return nil, os.ErrNotExist
			}
			return []byte(text), nil
		}
	}
	return request, nil
}

func pairs(list [][2]string) []engine.Pair {
	var out []engine.Pair
	for _, p := range list {
		out = append(out, engine.Pair{Name: p[0], Value: p[1]})
	}
	return out
}

func compareFailures(t *testing.T, e *Example, want []Failure, err error, lines []string) []string {
	t.Helper()
	var got []Failure
	var findings diag.List
	var failure *diag.Failure
	switch {
	case errors.As(err, &findings):
		for _, d := range findings {
			if d.Severity == diag.Error {
				got = append(got, Failure{d.Span.Start.Line, d.Message})
			}
		}
	case errors.As(err, &failure):
		got = append(got, Failure{failure.Span.Start.Line, failure.Message})
	case err != nil:
		t.Fatal(err)
	}
	if *update {
		for i := e.FirstLine; i <= e.LastLine; i++ {
			lines[i], _, _ = strings.Cut(lines[i], errorMark)
		}
		for _, g := range got {
			if i := e.FirstLine + g.Line - 1; g.Line > 0 {
				lines[i] = strings.TrimRight(lines[i], " ") + "  " + errorMark + " " + g.Message
			}
		}
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", e.Script, diff)
	}
	return lines
}

var duration = regexp.MustCompile(`"duration_ms":[0-9.e-]+`)

func (f *fixture) comparePart(t *testing.T, part Part, answer *engine.Answer, lines []string) []string {
	t.Helper()
	got := map[string][]byte{"result": answer.Result, "variables": answer.Variables, "logs": answer.Logs, "answer": answer.JSON}[part.Kind]
	text := duration.ReplaceAllString(string(got), `"duration_ms":0`)
	text = strings.ReplaceAll(text, "127.0.0.1:"+loopback.Port(f.http), "127.0.0.1:{PORT}")
	if *update {
		return slices.Replace(lines, part.FirstLine, part.LastLine+1, strings.Split(layout(t, text), "\n")...)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(part.JSON)); err != nil {
		t.Fatalf("%s: %v", part.Kind, err)
	}
	if diff := cmp.Diff(want.String(), text); diff != "" {
		t.Errorf("%s\n%s", part.Kind, diff)
	}
	if status := strconv.Itoa(answer.Status); status != part.Status {
		t.Errorf("status %s, want %s", status, part.Status)
	}
	return lines
}

// lineBytes is how long a line of expected JSON gets.
const lineBytes = 100

// layout writes JSON for readers: on one line, or a member per line.
func layout(t *testing.T, compact string) string {
	t.Helper()
	line := spaced(compact)
	if len(line) <= lineBytes || compact[0] != '{' && compact[0] != '[' {
		return line
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(compact), "", "  "); err != nil {
		t.Fatal(err)
	}
	var members []string
	for l := range strings.SplitSeq(indented.String(), "\n") {
		if strings.HasPrefix(l, "   ") || strings.HasPrefix(l, "  }") || strings.HasPrefix(l, "  ]") {
			members[len(members)-1] += strings.TrimLeft(l, " ")
			continue
		}
		members = append(members, l)
	}
	for i, m := range members {
		body := strings.TrimLeft(m, " ")
		comma := strings.HasSuffix(body, ",") && i < len(members)-1
		body = m[:len(m)-len(body)] + spaced(strings.TrimSuffix(body, ","))
		if comma {
			body += ","
		}
		members[i] = body
	}
	return strings.Join(members, "\n")
}

// spaced puts a blank behind the commas and colons of compact JSON.
func spaced(compact string) string {
	var b strings.Builder
	inText := false
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		b.WriteByte(c)
		switch {
		case c == '\\' && inText:
			i++
			b.WriteByte(compact[i])
		case c == '"':
			inText = !inText
		case !inText && (c == ',' || c == ':') && i+1 < len(compact) && compact[i+1] != ' ':
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func TestLayout(t *testing.T) {
	long := fmt.Sprintf(`{"a":{"b":[1,{"c":"x,y:\"z"}]},"d":%q}`, strings.Repeat("e", lineBytes))
	want := "{\n  \"a\": {\"b\": [1, {\"c\": \"x,y:\\\"z\"}]},\n  \"d\": \"" + strings.Repeat("e", lineBytes) + "\"\n}"
	if diff := cmp.Diff(want, layout(t, long)); diff != "" {
		t.Error(diff)
	}
}

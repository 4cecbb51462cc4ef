package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/conformance"
	"github.com/avapd/avapd/internal/oracle"
	"github.com/avapd/avapd/runtime/catalog"
)

func parsing() syntax.Options { return syntax.Options{RawParam: catalog.RawParam} }

// TestAgreesWithPython holds the evaluator to the answers that Python gave for generated programs.
func TestAgreesWithPython(t *testing.T) {
	programs, err := oracle.ReadPrograms("../../testdata/oracle/programs.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	unanswered := 0
	for _, p := range programs {
		got := Evaluate(p.Script, &Request{Parse: parsing()})
		if got.Open != "" {
			unanswered++
			continue
		}
		if problem := differs(p.Answer, got); problem != "" {
			t.Errorf("seed %d: %s\n%s", p.Seed, problem, p.Script)
		}
	}
	t.Logf("%d programs, %d of them open", len(programs), unanswered)
	if unanswered > len(programs)/20 {
		t.Errorf("%d of %d programs are open", unanswered, len(programs))
	}
}

func differs(want oracle.Answer, got Outcome) string {
	switch {
	case got.Refused != nil && want.Result == nil:
		return ""
	case got.Refused != nil:
		return fmt.Sprint("refused: ", got.Refused)
	case (want.Result == nil) != (got.Code != ""):
		return fmt.Sprintf("%+v, Python says %s %q", got, want.Result, want.Error)
	case want.Result == nil && want.Error != "" && !Matches(got.Message, want.Error):
		return fmt.Sprintf("message %q, Python says %q", got.Message, want.Error)
	case want.Result != nil && !MatchesJSON(got.Result, wildcard(want.Result)):
		return fmt.Sprintf("%s\nPython says\n%s", got.Result, want.Result)
	}
	return ""
}

// wildcard writes the oracle's mark for any message as ours.
func wildcard(text json.RawMessage) string {
	return strings.ReplaceAll(string(text), "<any message>", Any)
}

// TestTables holds the evaluator to Python's values of single expressions.
func TestTables(t *testing.T) {
	tables, err := oracle.ReadTables("../../testdata/oracle/tables")
	if err != nil {
		t.Fatal(err)
	}
	count, unanswered := 0, 0
	for _, table := range tables {
		for _, e := range table.Expressions {
			script := strings.Join(append(slices.Clip(e.Lets), "r = "+e.Text, "addResult(r)"), "\n")
			got := Evaluate(script, &Request{Parse: parsing()})
			count++
			if got.Open != "" {
				unanswered++
				t.Logf("%s: %s", e.Text, got.Open)
				continue
			}
			want := *e.Want
			if want.Result == nil && got.Refused != nil {
				continue
			}
			if want.Result != nil {
				want.Result = json.RawMessage(`{"r":` + string(want.Result) + `}`)
			}
			if problem := differs(want, got); problem != "" {
				t.Errorf("%s:%d: %s: %s", table.Path, e.Line, e.Text, problem)
			}
		}
	}
	t.Logf("%d expressions, %d of them open", count, unanswered)
}

// effects are the words of cases that need more than this package has.
var effects = []string{"Request", "orm", "avapConnector", "registerEndpoint", "go ", "go(", "go_async", "gather", "getDateTime", "randomString", "import", "include"}

// TestConformance holds the evaluator to the cases of the definition.
func TestConformance(t *testing.T) {
	passed, skipped := 0, 0
	for _, dir := range []string{"../../testdata/conformance", "../../testdata/conformance/extra"} {
		cases, err := conformance.Load(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		for i := range cases {
			c := &cases[i]
			if slices.ContainsFunc(effects, func(word string) bool { return strings.Contains(c.Script, word) }) {
				skipped++
				continue
			}
			got := Evaluate(c.Script, request(t, c))
			c.Expect.AnswerLacks = nil // the form of an answer is the server's
			if got.Code != "" {
				c.Expect.AnswerContains = nil
			}
			if strings.Contains(got.Message, Any) && Matches(Any+c.Expect.ErrorContains+Any, got.Message) {
				c.Expect.ErrorContains = ""
			}
			if _, findings := compiler.Compile(compiler.Source{Text: c.Script}, compiler.Options{}); got.Open != "" || findings.HasErrors() {
				skipped++
				continue
			}
			if err := c.Expect.Check(answer(got)); err != nil {
				t.Errorf("%s (%s)\n%s\n%v", c.ID, c.File, c.Script, err)
				continue
			}
			passed++
		}
	}
	t.Logf("%d passed, %d skipped", passed, skipped)
}

func request(t *testing.T, c *conformance.Case) *Request {
	t.Helper()
	r := &Request{Variables: c.Variables, Parse: parsing()}
	values, err := url.ParseQuery(string(c.Query))
	if err != nil {
		t.Fatal(err)
	}
	for one := range strings.SplitSeq(string(c.Query), "&") {
		name, _, _ := strings.Cut(one, "=")
		if name, err = url.QueryUnescape(name); err == nil && len(values[name]) > 0 {
			r.Query = append(r.Query, Pair{name, values[name][0]})
			values[name] = values[name][1:]
		}
	}
	r.Logs = string(c.Body["logs"]) == "true"
	if len(c.Body) > 0 {
		body, err := json.Marshal(c.Body)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = body
	}
	return r
}

// answer writes an outcome as the server would.
func answer(o Outcome) conformance.Answer {
	if o.Code != "" {
		body, _ := json.Marshal(map[string]any{"error": o.Message})
		return conformance.Answer{Status: 400, Body: body}
	}
	var body bytes.Buffer
	fmt.Fprintf(&body, `{"success": true, "result": %s, "variables": %s, "logs": %s}`, o.Result, o.Variables, o.Logs)
	return conformance.Answer{Status: o.Status, Body: body.Bytes()}
}

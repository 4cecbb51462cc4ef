package diag

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func at(line, column, offset, length int) Span {
	return Span{
		Start: Position{File: "a.avap", Line: line, Column: column, Offset: offset},
		End:   Position{File: "a.avap", Line: line, Column: column + length, Offset: offset + length},
	}
}

// TestTable checks that every code of the source has a complete entry in the
// table, in the range its number promises.
func TestTable(t *testing.T) {
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`Code\s+= "(AVAP\d+)"`).FindAllStringSubmatch(string(source), -1)
	seen := map[string]bool{}
	for _, m := range declared {
		if seen[m[1]] {
			t.Errorf("%s is declared twice", m[1])
		}
		seen[m[1]] = true
		if _, ok := Lookup(Code(m[1])); !ok {
			t.Errorf("%s has no entry in the table", m[1])
		}
	}
	for _, e := range Entries() {
		if !seen[string(e.Code)] {
			t.Errorf("%s is in the table but not declared", e.Code)
		}
		if e.Explanation == "" || !strings.HasSuffix(e.Explanation, ".") || Group(e.Code) == "" {
			t.Errorf("%s has no explanation in explain.txtar, or no group", e.Code)
		}
		if e.Title == "" || !strings.HasSuffix(e.Next, ".") || !strings.Contains("1234569", string(e.Code[4])) {
			t.Errorf("incomplete entry %+v", e)
		}
	}
}

func TestRender(t *testing.T) {
	source := "a = 1\nb = é + * 2\n" + strings.Repeat("x", 200) + " !\n"
	list := List{
		suggesting(New(SyntaxError, at(2, 9, 15, 1), "expected an expression, found *"), "remove it"),
		New(UnexpectedText, at(3, 202, 221, 1), "unexpected !").WithNote(at(1, 1, 0, 1), "first assigned here"),
		New(TooComplex, at(2, 1, 0, 1), "too complex"),
		New(BadValue, at(9, 1, 0, 1), "beyond the end"),
		New(Internal, Span{}, "broken"),
	}
	var b strings.Builder
	if err := Render(&b, list, func(string) []byte { return []byte(source) }); err != nil {
		t.Fatal(err)
	}
	want := `a.avap:2:9: error: expected an expression, found * [AVAP1001]
    b = é + * 2
            ^
    suggestion: remove it
a.avap:3:202: error: unexpected ! [AVAP1002]
    …` + strings.Repeat("x", 78) + ` !
    ` + strings.Repeat(" ", 80) + `^
    next step: Write an assignment, a command call or a block marker; put plain text in quotes.
a.avap:1:1: note: first assigned here
    a = 1
    ^
a.avap:2:1: error: too complex [AVAP2015]
    b = é + * 2
    ^
    next step: Split the script into several, or move parts of it into functions.
a.avap:9:1: error: beyond the end [AVAP3007]
    next step: Check the value given to the command or builtin.
script: error: broken [AVAP9001]
    next step: Report it to the operator with the request's identifier.
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJSON(t *testing.T) {
	got, err := json.Marshal(suggesting(New(BadNumber, at(2, 3, 9, 4), "integer is out of range"), "write a float"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"code":"AVAP1007","severity":"error","file":"a.avap","line":2,"column":3,"end_line":2,"end_column":7,` +
		`"message":"integer is out of range","suggestion":"write a float"}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestList(t *testing.T) {
	second, first := New(BadNumber, at(2, 1, 10, 1), "second"), New(BadEscape, at(1, 1, 0, 1), "first")
	list := List{second, first, second}.Sorted()
	if len(list) != 2 || list[0].Message != "first" {
		t.Fatalf("sorted: %v", list)
	}
	if got := list.Err().Error(); got != "a.avap:1:1: first (and 1 more)" {
		t.Errorf("Error() = %s", got)
	}
	var d Diagnostic
	if !errors.As(list.Err(), &d) || d.Code != BadEscape {
		t.Errorf("As found %v", d)
	}
	warning := Diagnostic{Severity: Warning}
	if (List{warning}).Err() != nil || (List{}).Err() != nil {
		t.Error("a list without errors is an error")
	}
	if n := len(make(List, 80).Sorted()); n != 1 {
		t.Errorf("%d repeats", n)
	}
	list = nil
	for i := range 51 {
		list = append(list, New(BadNumber, at(1+i, 1, i, 1), "a number"))
	}
	if n := len(list.Sorted()); n != 50 {
		t.Errorf("%d of 51 are kept", n)
	}
}

func TestSuggest(t *testing.T) {
	words := []string{"addVar", "addResult", "endLoop", "end", "getListLen", "if"}
	for name, want := range map[string]string{
		"addvar": "addVar", "adVar": "addVar", "addVra": "addVar", "addReslt": "addResult", "endloop": "endLoop",
		"edn": "end", "getLstLen": "getListLen", "noSuchCommand": "", "x": "", "": "", "addVar": "", "zz": "",
		strings.Repeat("a", 100): "",
	} {
		if got := Suggest(name, words); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", name, got, want)
		}
	}
	if got := DidYouMean("addvar", words); got != "did you mean addVar?" {
		t.Errorf("DidYouMean = %q", got)
	}
}

var update = flag.Bool("update", false, "write docs/errors.md")

// TestExplanations checks that explain.txtar speaks of nothing but codes of
// the table.
func TestExplanations(t *testing.T) {
	name := regexp.MustCompile(`^(AVAP\d+)(\.with|\.(bad|good)(\.http)?)?$`)
	for section := range explanations() {
		m := name.FindStringSubmatch(section)
		if m == nil {
			t.Errorf("section %s", section)
			continue
		}
		if _, ok := Lookup(Code(m[1])); !ok {
			t.Errorf("%s is no code", m[1])
		}
	}
}

// TestDocumentation checks that docs/errors.md is what the table says.
func TestDocumentation(t *testing.T) {
	const path = "../../docs/errors.md"
	if *update {
		if err := os.WriteFile(path, []byte(Markdown()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Markdown(), string(have)); diff != "" {
		t.Errorf("run make generate: %s", diff)
	}
}

func suggesting(d Diagnostic, text string) Diagnostic {
	d.Suggestion = text
	return d
}

package manual

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExamplesOfADocument(t *testing.T) {
	const document = "text\n```avap file=a.avap\nx = 1\n```\n```avap needs=p,q\nimport \"a.avap\"\ny = 1 / 0  // error: division by zero\n```\n" +
		"```sh\nls\n```\n```json request\n{}\n```\n```json result status=422\n{\"a\": 1}\n```\n````avap\nz = 1\n````\n"
	got, err := Examples("d.md", document)
	if err != nil {
		t.Fatal(err)
	}
	want := []Example{
		{
			Name: "d.md:5", Script: "import \"a.avap\"\ny = 1 / 0  // error: division by zero", Needs: []string{"p", "q"},
			Files: map[string]string{"a.avap": "x = 1"}, Request: "{}",
			Want:      []Part{{Kind: "result", JSON: `{"a": 1}`, Status: "422", FirstLine: 15, LastLine: 15}},
			FirstLine: 5, LastLine: 6,
		},
		{Name: "d.md:18", Script: "z = 1", Files: map[string]string{}, FirstLine: 18, LastLine: 18},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Failure{{2, "division by zero"}}, got[0].Failures()); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesInADocument(t *testing.T) {
	for _, document := range []string{"```json result\n{}\n```", "```avap\n```\n```json results\n{}\n```", "```avap need=x\n```"} {
		if _, err := Examples("d.md", document); err == nil {
			t.Errorf("%q is accepted", document)
		}
	}
	if _, err := Replace("<!-- commands: begin -->\n", os.DirFS(notes)); err == nil {
		t.Error("a document without markers is accepted")
	}
}

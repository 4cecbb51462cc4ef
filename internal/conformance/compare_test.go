package conformance

import (
	"encoding/json"
	"os"
	"testing"
)

func TestComparison(t *testing.T) {
	cases := []struct {
		a, b string
		same bool
	}{
		{`4`, `4`, true},
		{`4`, `4.0`, true},
		{`1e3`, `1000`, true},
		{`"é"`, `"\u00e9"`, true},
		{`{"a": 1, "b": 2}`, `{"b": 2, "a": 1}`, true},
		{`[1, 2]`, `[1,2]`, true},
		{`[1, 2]`, `[1]`, false},
		{`null`, `0`, false},
		{`true`, `1`, false},
		{`{"a": null}`, `{}`, false},
		{`9007199254740993`, `9007199254740992`, false},
	}
	for _, c := range cases {
		if got := SameValue(json.RawMessage(c.a), json.RawMessage(c.b)); got != c.same {
			t.Errorf("SameValue(%s, %s) = %v", c.a, c.b, got)
		}
	}
}

func TestQueryKeepsOrderAndRepeats(t *testing.T) {
	var q Query
	if err := json.Unmarshal([]byte(`{"b": "1 2", "a": ["x", "&"]}`), &q); err != nil {
		t.Fatal(err)
	}
	if q != "b=1+2&a=x&a=%26" {
		t.Errorf("query is %s", q)
	}
}

func TestCasesAreWellFormed(t *testing.T) {
	for _, dir := range []string{definition, derived} {
		cases, err := Load(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if c.Area == "" || c.Expect.Status == 0 || dir == derived && c.Why == "" {
				t.Errorf("case %s lacks its area, its status or its reason", c.ID)
			}
		}
	}
}

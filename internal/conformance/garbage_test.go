package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestGarbage sends what no client should send. Each must be answered with a 4xx, a problem document and within bounded
// time, and the server must be there afterwards.
func TestGarbage(t *testing.T) {
	server := startServer(t)
	script := func(text string) []byte {
		body, err := json.Marshal(map[string]string{"script": text})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	many := func(text string, n int) string { return strings.Repeat(text, n) }
	cases := map[string][]byte{
		"no body":                     nil,
		"blanks":                      []byte("  \n"),
		"null":                        []byte("null"),
		"a number":                    []byte("5"),
		"a list":                      []byte(`[{"script": "a = 1"}]`),
		"an empty object":             []byte("{}"),
		"truncated":                   []byte(`{"script": "a = 1`),
		"text after the object":       []byte(`{"script": "a = 1"} x`),
		"script is a number":          []byte(`{"script": 5}`),
		"script is null":              []byte(`{"script": null}`),
		"script is a list":            []byte(`{"script": ["a = 1"]}`),
		"variables are a list":        []byte(`{"script": "a = 1", "variables": [1]}`),
		"variables are text":          []byte(`{"script": "a = 1", "variables": "x"}`),
		"limits are a number":         []byte(`{"script": "a = 1", "limits": 5}`),
		"a limit is text":             []byte(`{"script": "a = 1", "limits": {"fuel": "much"}}`),
		"a limit is negative":         []byte(`{"script": "a = 1", "limits": {"fuel": -1}}`),
		"logs are text":               []byte(`{"script": "a = 1", "logs": "yes"}`),
		"echo_variables is a number":  []byte(`{"script": "a = 1", "echo_variables": 1}`),
		"not UTF-8":                   []byte("{\"script\": \"a = '\xff\xfe'\"}"),
		"a lone surrogate":            []byte(`{"script": "a = '\ud800'"}`),
		"deep variables":              []byte(`{"script": "a = 1", "variables": {"x": ` + many("[", 100_000) + many("]", 100_000) + `}}`),
		"open variables":              []byte(`{"script": "a = 1", "variables": {"x": ` + many("[", 1_000_000)),
		"open brackets":               script("a = " + many("[", 10_000)),
		"closed brackets":             script(many(")", 10_000)),
		"a line of brackets":          script("a = " + many("(", 1_000_000)),
		"nested parentheses":          script("a = " + many("(", 50_000) + "1" + many(")", 50_000)),
		"nested unary operators":      script("a = " + many("-", 200_000) + "x y"),
		"nested blocks":               script(many("if(1, 1, \"=\")\n", 30_000)),
		"nested tries":                script(many("try()\n", 50_000)),
		"a chain of operators":        script("a = 1" + many(" + 1", 100_000) + " +"),
		"a chain of conditions":       script("a = " + many("1 if 1 else ", 60_000)),
		"a chain of indexes":          script("a = 1" + many("[0]", 200_000)),
		"a chain of calls":            script("a = 1" + many(".upper()", 100_000)),
		"templates in templates":      script("a = " + many("`${", 20_000)),
		"an endless text":             script("a = \"" + many("x", 900_000)),
		"an endless comment":          script("/*" + many("x", 900_000)),
		"an endless list":             script("a = [" + many("1, ", 300_000)),
		"a long name":                 script(many("x", 900_000) + " y"),
		"control characters":          script("a = 1\x00\x01\x02"),
		"too large":                   script("// " + many("x", 2<<20)),
		"only words":                  script(many("word ", 100_000)),
		"many errors":                 script(many("a b c\n", 50_000)),
		"a huge integer":              script("a = " + many("9", 500_000)),
		"a list doubled often":        script("l = [1]\nstartLoop(i, 1, 40)\nl = l + l\nendLoop()"),
		"a text doubled often":        script("s = \"x\"\nstartLoop(i, 1, 40)\ns = s + s\nendLoop()"),
		"two gigabytes of text":       script("s = \"x\" * 2147483648"),
		"an endless list at run time": script("l = []\nwhile(True)\nl.append(l)\nend()"),
		"a shared list in results":    script("l = [1]\nstartLoop(i, 1, 30)\nl = [l, l]\nendLoop()\naddResult(l)"),
		"a deep list in results":      script("l = [1]\nstartLoop(i, 1, 100000)\nl = [l]\nendLoop()\naddResult(l)"),
		"a deep list as text":         script("l = [1]\nstartLoop(i, 1, 100000)\nl = [l]\nendLoop()\ns = str(l)"),
		"deep lists compared":         script("l = [1]\nm = [1]\nstartLoop(i, 1, 100000)\nl = [l]\nm = [m]\nendLoop()\nb = l == m"),
		"a wide format":               script("s = \"%1000000000d\" % 5"),
		"a wide f-string":             script("s = f\"{5:999999999}\""),
	}
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			got, err := server.Execute(context.Background(), "", body)
			if err != nil {
				t.Fatalf("%v\n%s", err, server.Output())
			}
			if took := time.Since(began); took > garbageTime {
				t.Errorf("the answer took %v", took)
			}
			checkProblem(t, got)
		})
	}
	got, err := server.Execute(context.Background(), "", script("a = 1"))
	if err != nil || got.Status != http.StatusOK {
		t.Fatalf("afterwards: %d %v\n%s", got.Status, err, server.Output())
	}
}

// garbageTime bounds an answer: twice the time limit of an execution would be a hang, less is the load of the machine.
const garbageTime = 8 * time.Second

func checkProblem(t *testing.T, got Answer) {
	t.Helper()
	var problem struct {
		Success *bool
		Error   string
		Title   string
		Code    string
	}
	if got.Status < 400 || got.Status > 499 {
		t.Errorf("status %d: %s", got.Status, brief(got.Body))
	}
	if err := json.Unmarshal(got.Body, &problem); err != nil {
		t.Fatalf("%v: %s", err, brief(got.Body))
	}
	if problem.Success == nil || *problem.Success || problem.Error == "" || problem.Title == "" || problem.Code == "" {
		t.Errorf("no helpful problem document: %s", brief(got.Body))
	}
	const most = 64 << 10
	if len(got.Body) > most || bytes.Contains(got.Body, []byte("panic")) {
		t.Errorf("an answer of %d bytes: %s", len(got.Body), brief(got.Body))
	}
}

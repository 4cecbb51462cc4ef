package oracle

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/conformance"
)

var (
	update   = flag.Bool("update", false, "take all golden answers anew (needs python3)")
	duration = flag.Duration("duration", 0, "compare programs from fresh seeds for so long (needs python3)")
	seed     = flag.Uint64("seed", uint64(time.Now().UnixNano()), "first fresh seed")
)

const (
	tableDir     = "../../testdata/oracle/tables"
	programFile  = "../../testdata/oracle/programs.jsonl"
	goldenSeed   = 1
	goldenCount  = 1400
	mostFailures = 25
)

// server runs all scripts. It is started when the first is run.
var server = struct {
	sync.Once
	*conformance.Server
	err error
}{}

func TestMain(m *testing.M) {
	flag.Parse()
	code := 1
	if *update {
		if err := updateAll(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(code)
		}
	}
	code = m.Run()
	if server.Server != nil {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func updateAll() error {
	tables, err := ReadTables(tableDir)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := table.update(); err != nil {
			return err
		}
	}
	programs, err := answered(goldenSeed, goldenCount)
	if err != nil {
		return err
	}
	return writePrograms(programFile, programs)
}

func TestTables(t *testing.T) {
	tables, err := ReadTables(tableDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		t.Run(strings.TrimSuffix(table.Path[len(tableDir)+1:], ".txt"), func(t *testing.T) {
			for _, hoisted := range []bool{false, true} {
				failures := 0
				for _, group := range batches(table.Expressions) {
					for _, failure := range checkBatch(t, group, hoisted) {
						failures++
						if failures <= mostFailures {
							t.Errorf("%s:%s", table.Path, failure)
						}
					}
				}
				t.Logf("hoisted %v: %d of %d pass", hoisted, len(table.Expressions)-failures, len(table.Expressions))
			}
		})
	}
}

const batchSize = 24

// batches groups expressions with the same assignments, so that one script evaluates many.
func batches(list []Expression) [][]Expression {
	var groups [][]Expression
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && end-start < batchSize && fmt.Sprint(list[end].Lets) == fmt.Sprint(list[start].Lets) {
			end++
		}
		groups = append(groups, list[start:end])
		start = end
	}
	return groups
}

// checkBatch evaluates the expressions in one script, each in a try of its own. A script that is refused as a whole holds
// an expression that does not compile; then each is evaluated alone.
func checkBatch(t *testing.T, group []Expression, hoisted bool) []string {
	t.Helper()
	variables := make(map[string]json.RawMessage)
	var script strings.Builder
	for _, let := range group[0].Lets {
		fmt.Fprintln(&script, let)
	}
	for i, e := range group {
		text := e.Text
		if hoisted {
			text = hoistInto(variables, text, i)
		}
		fmt.Fprintf(&script, "try()\nr%d = %s\naddResult(r%d)\nexception(e%d)\naddResult(e%d)\nend()\n", i, text, i, i, i)
	}
	got := execute(t, script.String(), variables)
	var named map[string]json.RawMessage
	if got.Result == nil || json.Unmarshal(got.Result, &named) != nil {
		return checkSingly(t, group, hoisted)
	}
	var failures []string
	for i, e := range group {
		one := Answer{Result: named[fmt.Sprintf("r%d", i)]}
		if one.Result == nil {
			_ = json.Unmarshal(named[fmt.Sprintf("e%d", i)], &one.Error) // anything but text is no message
		}
		failures = append(failures, compare(e, one)...)
	}
	return failures
}

func checkSingly(t *testing.T, group []Expression, hoisted bool) []string {
	t.Helper()
	var failures []string
	for _, e := range group {
		variables := make(map[string]json.RawMessage)
		text := e.Text
		if hoisted {
			text = hoistInto(variables, text, 0)
		}
		script := strings.Join(append(slices.Clip(e.Lets), "r = "+text, "addResult(r)"), "\n")
		got := execute(t, script, variables)
		if got.Result != nil {
			var named struct{ R json.RawMessage }
			if err := json.Unmarshal(got.Result, &named); err != nil {
				return []string{err.Error()}
			}
			got.Result = named.R
		}
		failures = append(failures, compare(e, got)...)
	}
	return failures
}

// hoistInto hoists an expression's literals into variables whose names no other expression of the script has.
func hoistInto(variables map[string]json.RawMessage, text string, number int) string {
	text, own := hoist(text, fmt.Sprintf("h%d_", number))
	maps.Copy(variables, own)
	return text
}

func compare(e Expression, got Answer) []string {
	if e.Want == nil {
		return []string{fmt.Sprintf("%d: %s has no golden answer: run with -update", e.Line, e.Text)}
	}
	if problem := differ(*e.Want, got); problem != "" {
		return []string{fmt.Sprintf("%d: %s\n    %s", e.Line, e.Text, problem)}
	}
	return nil
}

// differ tells how two answers differ, or nothing.
func differ(want, got Answer) string {
	switch {
	case want.Result != nil && got.Result == nil:
		return fmt.Sprintf("got error %q, Python says %s", got.Error, want.Result)
	case want.Result == nil && got.Result != nil:
		return fmt.Sprintf("got %s, Python says error %q", got.Result, want.Error)
	case want.Result != nil && !matches(want.Result, got.Result):
		return fmt.Sprintf("got %s, Python says %s", got.Result, want.Result)
	case want.Result == nil && want.Error != "" && got.Error != want.Error:
		return fmt.Sprintf("got error %q, Python says %q", got.Error, want.Error)
	case want.Result == nil && got.Error == "":
		return "got an error without a message"
	}
	return ""
}

func execute(t *testing.T, script string, variables map[string]json.RawMessage) Answer {
	t.Helper()
	if testing.Short() {
		t.Skip("the server is a process of its own: nothing here for the race detector")
	}
	server.Do(func() { server.Server, server.err = conformance.Start() })
	if server.err != nil {
		t.Fatal(server.err)
	}
	body, err := json.Marshal(map[string]any{"script": script, "variables": variables, "echo_variables": false})
	if err != nil {
		t.Fatal(err)
	}
	got, err := server.Execute(context.Background(), "", body)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, server.Output())
	}
	var document struct {
		Result json.RawMessage
		Error  string
	}
	if err := json.Unmarshal(got.Body, &document); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	if got.Status != 200 {
		return Answer{Error: document.Error}
	}
	return Answer{Result: document.Result}
}

func TestPrograms(t *testing.T) {
	programs, err := ReadPrograms(programFile)
	if err != nil {
		t.Fatal(err)
	}
	checkPrograms(t, programs)
}

func TestFreshPrograms(t *testing.T) {
	if *duration == 0 {
		t.Skip("no fresh seeds asked for")
	}
	const batch = 100
	began, n := time.Now(), uint64(0)
	for ; time.Since(began) < *duration && !t.Failed(); n += batch {
		programs, err := answered(*seed+n, batch)
		if err != nil {
			t.Fatal(err)
		}
		checkPrograms(t, programs)
	}
	t.Logf("%d programs from seed %d", n, *seed)
}

func checkPrograms(t *testing.T, programs []Program) {
	t.Helper()
	failures := 0
	for _, p := range programs {
		if problem := differ(p.Answer, execute(t, p.Script, map[string]json.RawMessage{})); problem != "" {
			failures++
			if failures <= mostFailures {
				t.Errorf("seed %d\n%s    %s", p.Seed, p.Script, problem)
			}
		}
	}
	t.Logf("%d of %d pass", len(programs)-failures, len(programs))
}

// TestGenerateIsDeterministic keeps golden answers meaningful: a seed is a program for ever.
func TestGenerateIsDeterministic(t *testing.T) {
	for seed := range uint64(20) {
		first, _ := Generate(seed)
		second, _ := Generate(seed)
		if first != second {
			t.Fatalf("seed %d gives two programs", seed)
		}
	}
}

func TestHoist(t *testing.T) {
	text, variables := hoist(`-2 ** 3 + x1["k"] * 1.50 + f"{1:5}" + '\\n' + 0x10 + 9223372036854775808`, "h")
	if want := `-h0 ** h1 + x1[h2] * h3 + f"{1:5}" + '\\n' + 0x10 + 9223372036854775808`; text != want {
		t.Errorf("hoisted to %s", text)
	}
	if len(variables) != 4 || string(variables["h2"]) != `"k"` || string(variables["h3"]) != "1.50" {
		t.Errorf("variables are %s", variables)
	}
}

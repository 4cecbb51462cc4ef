package oracle

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Expression is a line of a table: an expression, the assignments that stand before it, and its value.
type Expression struct {
	Text string
	Lets []string // `name = expression`
	Want *Answer  // nil when not asked yet
	Line int
}

// Table is a file of expressions. Lines are comments (`#`), titles (`##`, which forget the assignments), assignments
// (`let name = expression`) and expressions with their answers: `expression => value`, `=> error` or `=> error: message`.
type Table struct {
	Path        string
	Expressions []Expression

	lines []string
}

const arrow = " => "

// ReadTables reads all tables of a directory.
func ReadTables(dir string) ([]*Table, error) {
	paths, err := fs.Glob(os.DirFS(dir), "*.txt")
	if err != nil {
		return nil, err
	}
	tables := make([]*Table, 0, len(paths))
	for _, name := range paths {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		table := &Table{Path: filepath.Join(dir, name), lines: strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")}
		table.parse()
		tables = append(tables, table)
	}
	return tables, nil
}

func (t *Table) parse() {
	var lets []string
	for i, line := range t.lines {
		switch {
		case strings.HasPrefix(line, "##"):
			lets = nil
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "let "):
			lets = append(slices.Clip(lets), strings.TrimPrefix(line, "let "))
		default:
			text, want := splitAnswer(line)
			t.Expressions = append(t.Expressions, Expression{Text: text, Lets: lets, Want: want, Line: i + 1})
		}
	}
}

func splitAnswer(line string) (string, *Answer) {
	at := strings.LastIndex(line, arrow)
	if at < 0 {
		return line, nil
	}
	text, value := line[:at], line[at+len(arrow):]
	if message, failed := strings.CutPrefix(value, "error"); failed {
		return text, &Answer{Error: strings.TrimPrefix(message, ": ")}
	}
	return text, &Answer{Result: json.RawMessage(value)}
}

// write stores the table with the answers that its expressions have now.
func (t *Table) write() error {
	for _, e := range t.Expressions {
		switch {
		case e.Want == nil:
			return fmt.Errorf("%s:%d: %s has no answer in the language", t.Path, e.Line, e.Text)
		case e.Want.Result != nil:
			t.lines[e.Line-1] = e.Text + arrow + string(e.Want.Result)
		case e.Want.Error != "":
			t.lines[e.Line-1] = e.Text + arrow + "error: " + e.Want.Error
		default:
			t.lines[e.Line-1] = e.Text + arrow + "error"
		}
	}
	return os.WriteFile(t.Path, []byte(strings.Join(t.lines, "\n")+"\n"), 0o644)
}

// update asks Python for all answers of the table.
func (t *Table) update() error {
	questions := make([]question, len(t.Expressions))
	for i, e := range t.Expressions {
		source := strings.Join(append(slices.Clip(e.Lets), "r = "+e.Text, `result("r", r)`), "\n")
		questions[i] = question{ID: fmt.Sprint(i), Source: source}
	}
	answers, err := askPython(questions)
	if err != nil {
		return err
	}
	for i, answer := range answers {
		if answer != nil && answer.Result != nil {
			var named struct{ R json.RawMessage }
			if err := json.Unmarshal(answer.Result, &named); err != nil {
				return err
			}
			answer = &Answer{Result: named.R}
		}
		t.Expressions[i].Want = answer
	}
	return t.write()
}

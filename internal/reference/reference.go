package reference

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
)

// Pair is a name and a text of a query string or form.
type Pair struct{ Name, Text string }

// Request is what a script is evaluated with.
type Request struct {
	// Variables and Body are JSON objects, or empty.
	Variables, Body []byte
	Query, Form     []Pair
	// Logs asks for an entry per top-level statement.
	Logs bool
	// Load gives the text of an imported file.
	Load func(path string) ([]byte, error)
	// Now and Random stand for the clock and the random source. Without them a script that asks is open.
	Now    time.Time
	Random func(class string, n int) string
	// Parse holds what the parser must know of commands beside their names: which parameters are patterns.
	Parse syntax.Options
}

// Outcome is how a script ended.
type Outcome struct {
	Status int
	// Result, Variables and Logs are JSON; without times in the log.
	Result, Variables, Logs string
	// Code is empty for success. A message may hold Any.
	Code, Message string
	Line, Column  int
	// Open names what the script asked that the definition does not answer; then nothing else counts.
	Open string
	// Refused holds the parser's findings; then the script did not run.
	Refused diag.List
}

type interpreter struct {
	request   *Request
	source    *syntax.Source
	functions map[string]*function
	files     map[string]*syntax.Script

	globals map[string]value
	order   []string // of the globals
	results *dict
	entries *[]entry
	tasks   *[]*task
	blocks  map[string]string

	frame  *frame
	frames []*frame // open calls
	child  int      // how deep in tasks
	soft   bool     // an undefined name makes the condition false

	// The place of failures, and the statement at hand.
	line, column         int
	stmtLine, stmtColumn int
	command              string

	steps, held int
}

// Evaluate runs a script.
func Evaluate(text string, r *Request) (out Outcome) {
	in := &interpreter{
		request: r, functions: map[string]*function{}, files: map[string]*syntax.Script{},
		globals: map[string]value{}, results: newDict(), entries: &[]entry{}, tasks: &[]*task{}, blocks: map[string]string{},
		frame: &frame{vars: map[string]value{}},
	}
	if strings.TrimSpace(text) == "" && text == "" {
		return Outcome{Code: "AVAP1020", Message: "Script cannot be empty"}
	}
	script, findings := in.load("", text)
	if findings.HasErrors() {
		return Outcome{Refused: findings}
	}
	defer func() {
		switch f := recover().(type) {
		case nil:
		case *open:
			out = Outcome{Open: f.question}
		case *failure:
			out = Outcome{Code: f.code, Message: f.message, Line: f.line, Column: f.column, Logs: in.logs()}
		default:
			panic(f)
		}
	}()
	in.seed(r.Variables)
	in.source = script.Source
	in.stmts(script.Body, true)
	return in.outcome()
}

// load parses a file and those that it imports, and declares their functions.
func (in *interpreter) load(path, text string) (*syntax.Script, diag.List) {
	script, findings := syntax.Parse(path, []byte(text), in.request.Parse)
	if findings.HasErrors() {
		return script, findings
	}
	in.files[path] = script
	for _, imported := range script.Imports {
		if in.files[imported.Path] != nil || in.request.Load == nil {
			continue
		}
		more, err := in.request.Load(imported.Path)
		if err != nil {
			continue
		}
		if _, findings := in.load(imported.Path, string(more)); findings.HasErrors() {
			return script, findings
		}
	}
	if len(script.Imports) > 0 {
		// Now it is known which calls mean functions of other files.
		options := in.request.Parse
		options.Functions = map[string]bool{}
		for name := range in.functions {
			options.Functions[name] = true
		}
		script, _ = syntax.Parse(path, []byte(text), options)
		in.files[path] = script
	}
	for _, f := range script.Functions {
		in.functions[f.Name.Name] = newFunction(f, script.Source)
	}
	return script, nil
}

// splice runs an imported file in its place, once.
func (in *interpreter) splice(s *syntax.Import) exit {
	file := in.files[s.Path]
	if file == nil {
		return goesOn
	}
	delete(in.files, s.Path)
	outer := in.source
	in.source = file.Source
	defer func() { in.source = outer }()
	return in.stmts(file.Body, true)
}

func (in *interpreter) seed(variables []byte) {
	if v, ok := in.parseJSON(string(variables)); ok {
		if d, isDict := v.(*dict); isDict {
			for _, p := range d.entries() {
				in.global(p.key.(string), p.value)
			}
		}
	}
}

func (in *interpreter) outcome() Outcome {
	out := Outcome{Status: in.status(), Logs: in.logs()}
	var result, variables bytes.Buffer
	if !in.writeJSON(&result, in.results) {
		return Outcome{Code: codeValue, Message: Any, Logs: out.Logs}
	}
	variables.WriteString("{")
	for i, name := range in.order {
		if i > 0 {
			variables.WriteString(",")
		}
		writeText(&variables, name)
		variables.WriteString(":")
		if !in.writeJSON(&variables, in.globals[name]) {
			variables.WriteString("null")
		}
	}
	variables.WriteString("}")
	out.Result, out.Variables = result.String(), variables.String()
	return out
}

// status is what _status asks for, if that is a whole number among the statuses of HTTP.
func (in *interpreter) status() int {
	number, ok := countsAs(in.globals["_status"])
	if !ok {
		return 200
	}
	f := toFloat(number)
	if f != math.Trunc(f) || f < 200 || f > 599 {
		return 200
	}
	return int(f)
}

// entry is one of the log.
type entry struct {
	Command string
	Line    int
	Success string // true, false or nothing
	Error   string
	Message string
	Printed bool
}

func (in *interpreter) log(e entry) {
	if in.child == 0 {
		*in.entries = append(*in.entries, e)
	}
}

func (in *interpreter) logs() string {
	var out bytes.Buffer
	out.WriteString("[")
	for i, e := range *in.entries {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString(`{"command":`)
		writeText(&out, e.Command)
		fmt.Fprintf(&out, `,"line":%s`, strconv.Itoa(e.Line))
		if e.Success != "" {
			out.WriteString(`,"success":` + e.Success)
		}
		if e.Success == "false" {
			out.WriteString(`,"error":`)
			writeText(&out, e.Error)
		}
		if e.Printed {
			out.WriteString(`,"message":`)
			writeText(&out, e.Message)
		}
		out.WriteString("}")
	}
	out.WriteString("]")
	return out.String()
}

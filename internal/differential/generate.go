package differential

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/avapd/avapd/internal/oracle"
)

// program is a script with its request.
type program struct {
	Script    string            `json:"-"`
	Variables string            `json:"variables,omitempty"` // a JSON object
	Body      string            `json:"body,omitempty"`      // likewise
	Query     [][2]string       `json:"query,omitempty"`     // in order
	Imports   map[string]string `json:"imports,omitempty"`
	Logs      bool              `json:"logs,omitempty"`
	// Fuel is the limit of a program that is to run out of it; 0 is far more than programs need.
	Fuel int64 `json:"fuel,omitempty"`
}

// generate makes a program from a seed. A third come from package oracle, whose programs Python can run, too.
func generate(seed uint64) program {
	if seed%3 == 0 {
		script, _ := oracle.Generate(seed)
		return program{Script: script, Logs: seed%2 == 0}
	}
	g := &generator{rand: rand.New(rand.NewPCG(seed, 0xd1ff)), depth: 3}
	g.logs, g.tasks, g.outside, g.calm = g.chance(20), g.chance(10), g.chance(10), g.chance(50)
	g.request()
	for range g.rand.IntN(4) {
		pick(g, g.function, g.function, g.function, g.function, g.numeric, g.numeric, g.putting, g.steadyFunction)()
	}
	g.seeds()
	for range 4 + g.rand.IntN(6) {
		g.topLevel()
	}
	if g.chance(3) {
		g.churn()
	}
	g.finish()
	return program{
		Script: g.out.String(), Variables: g.variables, Body: g.body, Query: g.query, Imports: g.imports, Logs: g.logs,
	}
}

// kind is what the generator believes a variable to hold. It is right most of the time.
type kind int

const (
	integer kind = iota
	float
	text
	truth
	list
	dict
	unknown // anything, null included
	kinds
)

type variable struct {
	name string
	kind kind
}

type function struct {
	name   string
	params int
	kinds  []kind // what it wants
	number bool   // it wants two numbers
	puts   bool   // it stores the second in the first, a list, and gives that
	pure   bool   // neither reads globals nor prints, so that it may run beside the caller
}

// generator writes a program that ends: loops have small constant bounds, functions call those before them, and recursion
// counts down.
type generator struct {
	rand   *rand.Rand
	out    strings.Builder
	serial int

	vars      []variable
	functions []function
	depth     int // blocks that may still be opened
	loops     int // open loops
	inside    bool
	task      bool // within what go may start
	hidden    int  // tries around
	// Few programs start tasks or use regular expressions and dates, which the host of V8 does not have.
	tasks, outside bool
	// Calm programs rarely fail, and go on when they do: a failure hides what comes behind it.
	calm bool

	logs            bool
	variables, body string
	query           [][2]string
	imports         map[string]string
	params          []string
}

func (g *generator) chance(percent int) bool { return g.rand.IntN(100) < percent }

func pick[T any](g *generator, list ...T) T { return list[g.rand.IntN(len(list))] }

func (g *generator) line(format string, args ...any) { fmt.Fprintf(&g.out, format+"\n", args...) }

func (g *generator) fresh(prefix string) string {
	g.serial++
	return fmt.Sprintf("%s%d", prefix, g.serial)
}

func (g *generator) know(name string, k kind) {
	g.vars = slices.DeleteFunc(slices.Clone(g.vars), func(v variable) bool { return v.name == name })
	g.vars = append(g.vars, variable{name, k})
}

// name picks a variable of a kind.
func (g *generator) name(k kind) (string, bool) {
	var fitting []string
	for _, v := range g.vars {
		if v.kind == k || k == unknown {
			fitting = append(fitting, v.name)
		}
	}
	if len(fitting) == 0 {
		return "", false
	}
	return pick(g, fitting...), true
}

// target picks a variable to assign to: often one that is there, now and then of another kind.
func (g *generator) target(k kind) string {
	if name, ok := g.name(k); ok && g.chance(55) {
		return name
	}
	if name, ok := g.name(unknown); ok && g.chance(15) {
		return name
	}
	return g.fresh(pick(g, "a", "b", "total", "x", "été", "n_"))
}

// request gives some programs variables and parameters.
func (g *generator) request() {
	if g.chance(30) {
		g.variables = `{"v1": ` + g.json(2) + `, "v2": ` + g.json(1) + `, "_status": ` + pick(g, "201", "200.0", `"202"`, "true", "null") + `}`
		g.vars = append(g.vars, variable{"v1", unknown}, variable{"v2", unknown})
	}
	if g.chance(20) {
		g.body = `{"p1": ` + g.json(2) + `, "p2": ` + g.json(1) + `}`
		g.params = append(g.params, "p1", "p2", "absent")
	}
	if g.chance(20) {
		values := []string{"", "12", "-7", "1.5", "abc", " 5", "[1, 2]", `{"a": null}`, "99999999999999999999", "1e3", "true", "ñ", "+5", "0x10", "\"q\""}
		g.query = [][2]string{{"q1", pick(g, values...)}, {"q2", pick(g, values...)}, {"q1", "later"}}
		g.params = append(g.params, "q1", "q2")
	}
}

func (g *generator) json(depth int) string {
	if depth > 0 && g.chance(50) {
		if g.chance(50) {
			return "[" + g.json(depth-1) + ", " + g.json(depth-1) + "]"
		}
		return `{"a": ` + g.json(depth-1) + `, "b c": ` + g.json(depth-1) + `}`
	}
	return pick(g, "1", "-5", "2.5", "1e400", "9223372036854775807", "9223372036854775808", "-0.0", "true", "null", `"text"`, `"12"`, `"é😀"`, "[]", "{}", "1e16", "0.1")
}

// seeds gives every program some variables to begin with.
func (g *generator) seeds() {
	for k := range kinds {
		if g.chance(70) {
			name := g.fresh("g")
			g.line("%s = %s", name, g.leaf(k))
			g.know(name, k)
		}
	}
	if len(g.params) > 0 {
		name := g.fresh("param")
		g.line("addParam(%s, %s)", pick(g, g.params...), name)
		g.know(name, unknown)
	}
	if g.chance(4) {
		name := g.fresh("lib")
		g.imports = map[string]string{"lib.avap": fmt.Sprintf("function %s(p){\n%s = p\nreturn p\n}\nshared = [1]\n", name, g.fresh("local"))}
		g.line("import \"lib.avap\"")
		g.know("shared", list)
		g.functions = append(g.functions, function{name: name, params: 1})
	}
}

// finish publishes what is there.
func (g *generator) finish() {
	for _, v := range g.vars {
		g.line("addResult(%s)", v.name)
	}
	if g.chance(10) {
		g.line("addResult(__last_error__)")
	}
	if g.chance(8) {
		g.line("_status = %s", g.expression(integer, 1))
	}
}

// block writes statements one level deeper. What they define is not relied on afterwards.
func (g *generator) block(most int) {
	known := slices.Clone(g.vars)
	g.depth--
	for range 1 + g.rand.IntN(most) {
		g.statement()
	}
	g.depth++
	if !g.chance(10) { // a name that may be undefined is worth a try, sometimes
		g.vars = known
	}
}

// topLevel writes a statement, in calm programs often with what may go wrong around it.
func (g *generator) topLevel() {
	if !g.calm {
		g.statement()
		return
	}
	if g.chance(8) {
		g.hot() // which is compiled otherwise where failures are caught
		return
	}
	g.line("try()")
	g.hidden++
	pick(g, g.statement, g.statement, g.hot)()
	g.hidden--
	name := g.fresh("e")
	g.line("exception(%s)\nprint(%s)\nend()", name, name)
}

func (g *generator) function() {
	f := function{name: g.fresh("f"), params: 1 + g.rand.IntN(3), pure: g.chance(40)}
	outer := g.vars
	if f.pure {
		g.vars = nil
	}
	var params []string
	for range f.params {
		params = append(params, g.fresh("p"))
	}
	recursive := g.chance(30)
	g.line("function %s(%s){", f.name, strings.Join(params, ", "))
	if recursive {
		g.line("if(None, None, `not isinstance(%s, int) or %s < 1 or %s > 6`)", params[0], params[0], params[0])
		g.line("return(%s)", g.leaf(unknown))
		g.line("end()")
	}
	for i, p := range params {
		k := pick(g, integer, integer, float, text, list, dict, unknown)
		if i == 0 && recursive {
			k = integer
		}
		g.know(p, k)
		f.kinds = append(f.kinds, k)
	}
	wasInside, wasTask, wasDepth := g.inside, g.task, g.depth
	g.inside, g.task, g.depth = true, f.pure, min(g.depth, 2)
	for range g.rand.IntN(4) {
		g.statement()
	}
	if recursive {
		name := g.fresh("r")
		rest := append([]string{params[0] + " - 1"}, params[1:]...)
		g.line("%s = %s(%s)", name, f.name, strings.Join(rest, ", "))
		g.know(name, unknown)
	}
	if g.chance(85) {
		g.line("return%s(%s)", pick(g, "", " "), g.expression(unknown, 2))
	}
	g.inside, g.task, g.depth = wasInside, wasTask, wasDepth
	g.line("}")
	g.vars = outer
	g.functions = append(g.functions, f)
}

// request writes what a program is run with.
func (p *program) request() string {
	q := *p
	q.Script = ""
	text, _ := json.Marshal(q) // strings always marshal
	return string(text)
}

// The files of a regression.
const (
	scriptFile  = "script.avap"
	requestFile = "request.json"
)

// archive makes the text of a regression file.
func (p *program) archive(why string) *txtar.Archive {
	return &txtar.Archive{
		Comment: []byte(why + "\n"),
		Files:   []txtar.File{{Name: requestFile, Data: []byte(p.request() + "\n")}, {Name: scriptFile, Data: []byte(p.Script)}},
	}
}

func fromArchive(a *txtar.Archive) (program, error) {
	var p program
	for _, f := range a.Files {
		if f.Name == scriptFile {
			p.Script = string(f.Data)
			continue
		}
		if err := json.Unmarshal(f.Data, &p); err != nil {
			return p, err
		}
	}
	return p, nil
}

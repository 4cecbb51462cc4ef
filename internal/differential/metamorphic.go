package differential

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/runtime/catalog"
)

// change is a rewriting that must not change what a program does, or another way to compile it.
type change struct {
	name string
	// rewrite makes the other program; false means that it does not apply.
	rewrite func(p program) (program, bool)
	// form is that of the other program's module.
	form form
	// back undoes in an outcome what the rewriting must show.
	back func(text string) string
	// fuel tells that the price must be the same, too, and places that errors must be where they were.
	fuel, places bool
}

const renamed = "_renamed"

var changes = []change{
	{name: "formatting", rewrite: reformat, back: withoutLines, fuel: true},
	{name: "renaming", rewrite: rename, back: func(s string) string { return strings.ReplaceAll(s, renamed, "") }},
	{name: "dead code", rewrite: addDeadCode, back: withoutLines},
	{name: "outlining", rewrite: outline, back: func(s string) string { return outlinedCommand.ReplaceAllString(withoutLines(s), "") }},
	{name: "optimizer off", rewrite: unwritten, form: formPlain, back: unchangedText, fuel: true, places: true},
}

func unwritten(p program) (program, bool) { return p, true }
func unchangedText(text string) string    { return text }

var (
	lineNumber      = regexp.MustCompile(`"line":\d+`)
	outlinedCommand = regexp.MustCompile(`"command":"(return|assign)",?`)
)

func withoutLines(text string) string { return lineNumber.ReplaceAllString(text, `"line":0`) }

func (p *program) parse() (*syntax.Script, bool) {
	script, findings := syntax.Parse("script", []byte(p.Script), syntax.Options{RawParam: catalog.RawParam})
	return script, !findings.HasErrors()
}

func reformat(p program) (program, bool) {
	out, findings := syntax.Format("script", []byte(p.Script), syntax.Options{RawParam: catalog.RawParam})
	p.Script = string(out)
	return p, !findings.HasErrors()
}

var numberedName = regexp.MustCompile(`[a-zé_]+[0-9]+`)

// rename gives the variables and functions of the generator other names. Names that also stand in text keep theirs, and so
// do those of the request.
func rename(p program) (program, bool) {
	if len(p.Imports) > 0 || strings.Contains(p.Script, "encode") {
		return p, false // a word without a value is its own text, and a digest of that tells names apart
	}
	script, ok := p.parse()
	if !ok {
		return p, false
	}
	var texts []string
	note := func(x syntax.Expr) bool {
		if s, isText := x.(*syntax.String); isText {
			texts = append(texts, s.Value, p.Script[s.Start():s.End()]) // "\x00" looks like a name
		}
		return true
	}
	syntax.WalkStmts(script.Body, func(st syntax.Stmt) bool {
		for _, x := range roots(st) {
			syntax.Walk(x, note)
		}
		return true
	})
	kept := p.Variables + p.Body + fmt.Sprint(p.Query) + strings.Join(texts, " ") + " 1e308 1e16 1e15 1e320 1e400 1e22 1e3 x1 p1 p2 q1 q2 sha256 md5"
	p.Script = wholeWords(p.Script, func(word string) string {
		if !numberedName.MatchString(word) || strings.Contains(kept, word) {
			return word
		}
		return word + renamed
	})
	return p, true
}

var words = regexp.MustCompile(`[\p{L}_0-9]+`)

func wholeWords(text string, replace func(string) string) string {
	return words.ReplaceAllStringFunc(text, func(word string) string {
		if numberedName.FindString(word) != word {
			return word
		}
		return replace(word)
	})
}

// addDeadCode puts a branch that is never taken behind the first half of the top level.
func addDeadCode(p program) (program, bool) {
	script, ok := p.parse()
	if !ok || len(script.Body) == 0 || p.Logs {
		return p, false
	}
	at := int(script.Body[len(script.Body)/2].Start())
	dead := "if(None, None, `False`)\ndead = [1 / 0, undefined, 1.5 * 2]\nstartLoop(dead, 0, 3)\nprint(dead)\nendLoop()\nend()\nif(1, 2, =)\nreturn(0)\nend()\n"
	p.Script = p.Script[:at] + dead + p.Script[at:]
	return p, true
}

// outline moves the right sides of assignments at the top level into functions.
func outline(p program) (program, bool) {
	script, ok := p.parse()
	if !ok || p.Logs {
		return p, false
	}
	text := p.Script
	var functions strings.Builder
	for i, st := range slices.Backward(script.Body) {
		assign, isAssign := st.(*syntax.Assign)
		if !isAssign || assign.Op != syntax.NoOp || !outlines(assign.Value) {
			continue
		}
		from, to := assign.Value.Start(), assign.Value.End()
		fmt.Fprintf(&functions, "function outlined%d(){\nreturn(%s)\n}\n", i, text[from:to])
		text = text[:from] + fmt.Sprintf("outlined%d()", i) + text[to:]
	}
	p.Script = functions.String() + text
	return p, functions.Len() > 0
}

// outlines reports whether an expression means the same in a function: commands may assign.
func outlines(x syntax.Expr) bool {
	plain := true
	syntax.Walk(x, func(x syntax.Expr) bool {
		switch x.(type) {
		case *syntax.CommandCall, *syntax.Go:
			plain = false
		}
		return plain
	})
	return plain
}

// unchanged compares a program with its rewriting, both compiled.
func (b *panel) unchanged(p *program, c *change) (*disagreement, error) {
	other, applies := c.rewrite(*p)
	if !applies {
		return nil, nil
	}
	var seen [2]verdict
	for i, version := range []*program{p, &other} {
		f := []form{formFull, c.form}[i]
		artifact, _ := version.compile(f)
		if artifact == nil {
			if i == 0 {
				return nil, nil
			}
			return &disagreement{c.name, "compiler", "the rewritten program is refused:\n" + other.Script}, nil
		}
		v, err := b.ways[0].run(version, artifact)
		if err != nil {
			return nil, err
		}
		v.engine, v.form = []string{"original", "rewritten"}[i], f
		if !c.places {
			v.line, v.column = 0, 0
		}
		for _, text := range []*string{&v.result, &v.variables, &v.log, &v.message} {
			*text = c.back(*text)
		}
		if !c.fuel { // then the memory it takes may be another, too
			v.fuel, v.open = "", v.open || v.isLimit()
		}
		seen[i] = v
	}
	d := compare(&seen[0], &seen[1])
	if d != nil {
		d.engines, d.detail = c.name, d.detail+"\n"+other.Script
	}
	return d, nil
}

// smallerUnchanged shrinks a program that a change makes another.
func (b *panel) smallerUnchanged(p program, c *change, d *disagreement) (program, *disagreement) {
	last := d
	out := shrink(p, func(candidate *program) bool {
		now, err := b.unchanged(candidate, c)
		if err != nil || now == nil || now.aspect != d.aspect {
			return false
		}
		last = now
		return true
	})
	return out, last
}

package diag

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/txtar"
)

// Example shows a kind of problem: a script, or a request of the API, that has
// it, and its correction.
type Example struct {
	Bad, Good string
	// HTTP marks requests: a method and a path, headers and a body.
	HTTP bool
	// With holds further members of the request that runs the scripts, as a
	// JSON object, or is empty.
	With string
}

//go:embed explain.txtar
var explainText []byte

// sections are the parts of explain.txtar by name.
type sections map[string]string

// explanations is read when the first code is looked up.
var explanations = sync.OnceValue(func() sections {
	s := sections{}
	for _, f := range txtar.Parse(explainText).Files {
		s[f.Name] = strings.Trim(string(f.Data), "\n")
	}
	return s
})

// of gives what the file says about a code.
func (s sections) of(code Code) (explanation string, example *Example) {
	name := string(code)
	if bad, ok := s[name+".bad"]; ok {
		example = &Example{Bad: bad, Good: s[name+".good"], With: s[name+".with"]}
	} else if bad, ok := s[name+".bad.http"]; ok {
		example = &Example{Bad: bad, Good: s[name+".good.http"], HTTP: true}
	}
	return s[name], example
}

// groups are the headings of the list of all codes, by the digits that its
// codes begin with.
var groups = []struct{ prefix, title string }{
	{"AVAP1", "Syntax: the text is no script"},
	{"AVAP20", "Checks: names or structure do not fit"},
	{"AVAP21", "Warnings: the script runs, but does not do what it seems to"},
	{"AVAP3", "Run time: the script failed"},
	{"AVAP4", "Limits: the script was stopped, and cannot catch it"},
	{"AVAP5", "Requests: nothing was run"},
	{"AVAP6", "Modules: a WebAssembly module, its signature or a key is refused"},
	{"AVAP9", "Defects of the product"},
}

// Group gives the heading under which a code is listed.
func Group(code Code) string {
	for _, g := range groups {
		if strings.HasPrefix(string(code), g.prefix) {
			return g.title
		}
	}
	return ""
}

// Markdown is docs/errors.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Errors and warnings
<!-- Made from the table of codes in internal/diag; "make generate" writes it. -->

Everything that is found in a script, or goes wrong with a request, has a code that
never changes its meaning. ` + "`avap explain CODE`" + ` prints what stands here. Each example is run
by a test: the first script gives just this code, the second one does not.
`)
	group := ""
	for _, e := range Entries() {
		if g := Group(e.Code); g != group {
			group = g
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		fmt.Fprintf(&b, "\n### %s · %s\n%s\n\nNext step: %s\n", e.Code, e.Title, e.Explanation, e.Next)
		if e.Example != nil {
			e.Example.markdown(&b)
		}
	}
	return b.String()
}

func (x *Example) markdown(b *strings.Builder) {
	language := "avap"
	if x.HTTP {
		language = "http"
	}
	fmt.Fprintf(b, "\n```%s\n%s```\n", language, line(x.Bad))
	fmt.Fprintf(b, "Better:\n```%s\n%s```\n", language, line(x.Good))
	if x.With != "" {
		fmt.Fprintf(b, "Both run with `%s` in the request.\n", x.With)
	}
}

// line ends a text that has any content.
func line(s string) string {
	if s == "" {
		return ""
	}
	return s + "\n"
}

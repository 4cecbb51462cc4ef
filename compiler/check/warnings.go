package check

import (
	"strconv"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

// Warnings finds what is legal in a script and yet most likely a mistake. The
// files are those that Check found no error in, info is what it returned.
//
// One walk notes where variables are set and read; what nobody reads and what
// nobody sets is known at its end. A word that may be its own text counts as
// read, but nobody is told that no statement sets it.
func Warnings(files []*syntax.Script, info *Info) diag.List {
	w := newWarner(info, catalog.LookupCommand)
	for _, file := range files {
		w.source = file.Source
		w.stmts(file.Body)
	}
	w.variables()
	return w.diags.Sorted()
}

// warner walks all files of a script.
type warner struct {
	info   *Info
	lookup func(string) (*catalog.Command, bool)
	source *syntax.Source
	diags  diag.List

	fn    *Function // being walked, nil at top level
	bound map[string]int
	vars  map[varKey]*variable
	order []varKey
	// texts are arguments that are their own text if a name in them is not
	// defined.
	texts []mention
}

// varKey is a local of a function, or a global.
type varKey struct {
	fn   *Function
	name string
}

// variable is what is known of a variable.
type variable struct {
	set  *mention // the first statement that gives it a value
	read *mention // the first place that fails or stays empty without it
	used bool
	// exempt variables are set by something that needs a name: a parameter, a
	// counter, a handler.
	exempt bool
	// unsafe holds that a text with values in it was assigned.
	unsafe bool
}

// mention is a place in a file.
type mention struct {
	source *syntax.Source
	at     syntax.Extent
	fn     *Function
	names  []string // of an argument
}

func newWarner(info *Info, lookup func(string) (*catalog.Command, bool)) *warner {
	w := &warner{info: info, lookup: lookup, bound: map[string]int{}, vars: map[varKey]*variable{}}
	for _, f := range info.Functions {
		for _, p := range f.Decl.Params {
			v := w.variable(varKey{f, p.Name})
			v.set, v.exempt = &mention{}, true
		}
	}
	return w
}

func (w *warner) warn(code diag.Code, at syntax.Node, format string, args ...any) *diag.Diagnostic {
	return w.warnAt(w.source, code, at, format, args...)
}

func (w *warner) warnAt(source *syntax.Source, code diag.Code, at syntax.Node, format string, args ...any) *diag.Diagnostic {
	if w.full() {
		return &diag.Diagnostic{}
	}
	d := diag.New(code, source.Span(at), format, args...)
	d.Severity = diag.Warning
	w.diags = append(w.diags, d)
	return &w.diags[len(w.diags)-1]
}

// full reports whether there are more warnings than will be shown. What only
// serves to find or word another one is not worth its time then.
func (w *warner) full() bool { return len(w.diags) >= 4*diag.MaxList }

func (w *warner) variable(key varKey) *variable {
	v := w.vars[key]
	if v == nil {
		v = &variable{}
		w.vars[key] = v
		w.order = append(w.order, key)
	}
	return v
}

// resolve finds the variable a name stands for at the place being walked.
func (w *warner) resolve(name string) varKey {
	if w.fn != nil && w.fn.Locals[name] {
		return varKey{w.fn, name}
	}
	return varKey{nil, name}
}

func (w *warner) mention(at syntax.Node) *mention {
	return &mention{source: w.source, at: syntax.Extent{From: at.Start(), To: at.End()}, fn: w.fn}
}

func (w *warner) set(name string, at syntax.Node) *variable {
	v := w.variable(w.resolve(name))
	if v.set == nil {
		v.set = w.mention(at)
	}
	return v
}

// use notes that a variable is read. A local that has no value yet reads the
// global.
func (w *warner) use(name string) *variable {
	key := w.resolve(name)
	v := w.variable(key)
	if isParam := v.set != nil && v.set.source == nil; key.fn != nil && !isParam {
		w.variable(varKey{nil, name}).used = true
	}
	v.used = true
	return v
}

// need notes a read that cannot do without the variable.
func (w *warner) need(name string, at syntax.Node) {
	if w.bound[name] > 0 {
		return
	}
	if v := w.use(name); v.read == nil {
		v.read = w.mention(at)
	}
}

// variables reports what the walk found out about variables.
func (w *warner) variables() {
	names := map[*Function][]string{}
	for _, key := range w.order {
		if w.vars[key].set != nil {
			names[key.fn] = append(names[key.fn], key.name)
		}
	}
	for _, key := range w.order {
		v := w.vars[key]
		switch {
		case alwaysGlobal[key.name]:
		case v.set == nil && v.read != nil:
			w.neverSet(key.name, v.read, names)
		case v.set != nil && !v.used && !v.exempt && !strings.HasPrefix(key.name, "_"):
			d := w.warnAt(v.set.source, diag.UnusedVariable, v.set.at, "%s is set, but nothing reads it", key.name)
			d.Suggestion = "add addResult(" + key.name + "), or remove the line"
			if key.fn != nil {
				d.Suggestion = "remove the line; a name that starts with _ may stay unread"
			}
		}
	}
	w.plainTexts(names)
}

func (w *warner) neverSet(name string, at *mention, names map[*Function][]string) {
	if d := w.warnAt(at.source, diag.NeverSet, at.at, "no statement of this script sets %s; it must come with the request", name); d.Code != "" {
		d.Suggestion = diag.DidYouMean(name, known(names, at.fn))
	}
}

// known lists the variables that can be read in a function, or at top level.
func known(names map[*Function][]string, fn *Function) []string {
	list := names[nil]
	if fn != nil {
		list = append(append([]string(nil), names[fn]...), list...)
	}
	return list
}

// plainTexts warns of arguments that look like expressions and are their own
// text, because some of their names are set and others are not.
func (w *warner) plainTexts(names map[*Function][]string) {
	for _, text := range w.texts {
		if w.full() {
			return
		}
		w.fn = text.fn
		var missing []string
		for _, name := range text.names {
			if v := w.vars[w.resolve(name)]; v == nil || v.set == nil && !alwaysGlobal[name] {
				missing = append(missing, name)
			}
		}
		for _, name := range missing {
			if len(missing) < len(text.names) || diag.Suggest(name, known(names, text.fn)) != "" {
				w.neverSet(name, &text, names)
			}
		}
	}
}

// quotedDigits warns of text that addVar turns into a number.
func (w *warner) quotedDigits(arg *syntax.Arg) {
	if arg == nil || arg.Kind != syntax.ArgQuoted || arg.Text == "" || strings.Trim(arg.Text, "0123456789") != "" {
		return
	}
	n, err := strconv.ParseInt(arg.Text, 10, 64)
	if err != nil {
		return
	}
	d := w.warn(diag.QuotedDigits, arg, "%q becomes the number %d", arg.Text, n)
	d.Suggestion = "write " + strconv.FormatInt(n, 10) + ", or assign the text: x = " + strconv.Quote(arg.Text)
}

// unsafeSQL warns of an argument that becomes SQL and is put together from
// text and values.
func (w *warner) unsafeSQL(arg *syntax.Arg) {
	if arg == nil {
		return
	}
	switch arg.Kind {
	case syntax.ArgWord, syntax.ArgDollar:
		if !w.variable(w.resolve(arg.Text)).unsafe {
			return
		}
	case syntax.ArgExpr:
		if !mixesText(arg.Expr) {
			return
		}
	default:
		return
	}
	w.unsafe(arg)
}

func (w *warner) unsafe(at syntax.Node) {
	d := w.warn(diag.UnsafeSQL, at, "values become part of the SQL text")
	d.Suggestion = "write the SQL as a template, `… WHERE id = ${id}`; its values are bound"
}

// mixesText reports whether an expression puts text together from parts that
// are not constant, in a way that does not keep them apart.
func mixesText(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.FString:
		for _, part := range x.Parts {
			if part.X != nil {
				return true
			}
		}
	case *syntax.Binary:
		switch x.Op {
		case syntax.Mod:
			return isText(x.X)
		case syntax.Add:
			return mixesText(x.X) || mixesText(x.Y) || anyText(x) && !isText(x) && !hasTemplate(x)
		}
	case *syntax.MethodCall:
		switch x.Name.Name {
		case "format", "replace", "join":
			return true
		}
	case *syntax.Cond:
		return mixesText(x.Then) || mixesText(x.Else)
	}
	return false
}

// isText reports whether an expression is constant text, or a sum of such.
func isText(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.String:
		return true
	case *syntax.Binary:
		return x.Op == syntax.Add && isText(x.X) && isText(x.Y)
	}
	return false
}

func hasTemplate(x syntax.Expr) (found bool) {
	syntax.Walk(x, func(x syntax.Expr) bool {
		_, template := x.(*syntax.Template)
		found = found || template
		return !found
	})
	return found
}

func anyText(x syntax.Expr) (found bool) {
	syntax.Walk(x, func(x syntax.Expr) bool {
		_, text := x.(*syntax.String)
		found = found || text
		return !found
	})
	return found
}

// Package check decides whether a script that parses also makes sense: that
// calls have the arguments they need, targets are names, methods exist, and
// functions are declared once. It changes nothing; what it finds out about
// scopes it hands to the next stage.
//
// Errors refuse the script. An unknown command is only a warning here, since
// the language makes it an error when the line is reached.
package check

import (
	"slices"
	"unicode"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

// Info is what the checks found out.
type Info struct {
	// Functions are the script functions of all files in order of splicing.
	Functions []*Function
	// ByName finds a function.
	ByName map[string]*Function
	// Handlers are the functions that endpoints name.
	Handlers map[string]bool
	// Endpoints are what the script registers, in order of splicing.
	Endpoints []Endpoint
	// SQL is set when the script runs SQL, so that its texts must know their
	// parts, and Connectors when it has connectors.
	SQL, Connectors bool
	// Blocks is set when the script has go_async blocks.
	Blocks bool
}

// Function is a script function and where it was declared.
type Function struct {
	Decl *syntax.Function
	File int
	// Locals are the names that are local throughout the function, parameters
	// included.
	Locals map[string]bool
}

// Check examines the files of one script, in the order in which they are
// spliced. Registered are the names of commands that scripts can call besides those
// of the language, sorted; nil when they are not known.
func Check(files []*syntax.Script, registered []string) (*Info, diag.List) {
	c := &checker{info: &Info{ByName: map[string]*Function{}, Handlers: map[string]bool{}}, registered: registered}
	for i, file := range files {
		c.source = file.Source
		c.declare(i, file)
	}
	for _, file := range files {
		c.source = file.Source
		c.stmts(file.Body)
	}
	for _, f := range c.later {
		f()
	}
	return c.info, c.diags.Sorted()
}

type checker struct {
	info       *Info
	source     *syntax.Source
	diags      diag.List
	registered []string
	later      []func() // checks that need to know the whole script
	routes     map[string]bool
	// warnings counts those in diags; they must not keep errors out.
	warnings int
}

func (c *checker) errorf(code diag.Code, at syntax.Node, format string, args ...any) *diag.Diagnostic {
	// The list keeps more than it shows, so that sorting decides what stays.
	if len(c.diags)-c.warnings >= 4*diag.MaxList {
		return &diag.Diagnostic{}
	}
	c.diags = append(c.diags, diag.New(code, c.source.Span(at), format, args...))
	return &c.diags[len(c.diags)-1]
}

// warnf reports what does not refuse the script.
func (c *checker) warnf(code diag.Code, at syntax.Node, format string, args ...any) *diag.Diagnostic {
	if c.warnings >= 4*diag.MaxList {
		return &diag.Diagnostic{}
	}
	c.warnings++
	d := diag.New(code, c.source.Span(at), format, args...)
	d.Severity = diag.Warning
	c.diags = append(c.diags, d)
	return &c.diags[len(c.diags)-1]
}

func (c *checker) declare(file int, script *syntax.Script) {
	for _, decl := range script.Functions {
		f := &Function{Decl: decl, File: file, Locals: localsOf(decl)}
		if old, ok := c.info.ByName[decl.Name.Name]; ok {
			if old.File != file { // within one file the parser has said so
				c.errorf(diag.DuplicateFunction, decl.Name, "function %s is declared twice", decl.Name.Name)
			}
			continue
		}
		c.info.ByName[decl.Name.Name] = f
		c.info.Functions = append(c.info.Functions, f)
	}
}

func (c *checker) stmts(list []syntax.Stmt) {
	for _, s := range list {
		c.stmt(s)
	}
}

func (c *checker) stmt(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.Assign:
		c.expr(s.Target)
		c.expr(s.Value)
	case *syntax.CallStmt:
		c.expr(s.Call)
	case *syntax.If:
		c.arg(s.Cond.Left)
		c.arg(s.Cond.Right)
		c.expr(s.Cond.Expr)
		c.stmts(s.Then)
		c.stmts(s.Else)
	case *syntax.Loop:
		c.arg(s.First)
		c.arg(s.Last)
		c.stmts(s.Body)
	case *syntax.While:
		c.expr(s.Cond)
		c.stmts(s.Body)
	case *syntax.Try:
		c.stmts(s.Body)
		c.expr(s.Exception.Target)
		c.stmts(s.Handler)
	case *syntax.Return:
		c.expr(s.Value)
	case *syntax.Function:
		c.stmts(s.Body)
	case *syntax.Async:
		c.info.Blocks = true
		c.arg(s.ID)
		c.stmts(s.Body)
	}
}

func (c *checker) arg(a *syntax.Arg) {
	if a != nil {
		c.expr(a.Expr)
	}
}

func (c *checker) expr(x syntax.Expr) {
	for _, sub := range children(x) {
		c.expr(sub)
	}
	switch x := x.(type) {
	case *syntax.BuiltinCall:
		if f, ok := catalog.LookupBuiltin(x.Name.Name); ok {
			c.call(x, f, x.Name.Name+"()", x.Args, x.Keywords)
		}
	case *syntax.MethodCall:
		c.method(x)
	case *syntax.CommandCall:
		for _, a := range x.Args {
			c.arg(a)
		}
		c.command(x)
	case *syntax.ListComp:
		c.clauses(x.Clauses)
	case *syntax.DictComp:
		c.clauses(x.Clauses)
	}
}

// clauses bounds what a comprehension becomes: a nest of loops in one function.
func (c *checker) clauses(list []syntax.Clause) {
	if len(list) > maxClauses {
		c.errorf(diag.TooComplex, list[maxClauses], "more than %d loops in one comprehension", maxClauses)
	}
	for _, clause := range list {
		if len(clause.Targets) > maxUnpack {
			c.errorf(diag.TooComplex, clause, "more than %d names to unpack", maxUnpack)
		}
	}
}

const (
	// maxClauses bounds the loops of one comprehension.
	maxClauses = 16
	// maxUnpack bounds the targets of one clause of a comprehension.
	maxUnpack = 64
)

func (c *checker) method(x *syntax.MethodCall) {
	if f, ok := catalog.LookupConnectorMethod(x.Name.Name); ok {
		c.connectorMethod(x, f)
		return
	}
	c.ordinaryMethod(x)
}

func (c *checker) ordinaryMethod(x *syntax.MethodCall) {
	f, ok := catalog.LookupMethod(x.Name.Name)
	if !ok {
		// The call fails when it is reached, as the receiver's type says then.
		d := c.warnf(diag.UnknownMethod, x.Name, "no value has a method %s", x.Name.Name)
		d.Suggestion = diag.DidYouMean(x.Name.Name, methodNames)
		return
	}
	c.call(x, f, x.Name.Name+"()", x.Args, x.Keywords)
}

// call checks the number of arguments and the keywords of a builtin or method.
func (c *checker) call(at syntax.Node, f *catalog.Function, shown string, args []syntax.Expr, keywords []syntax.Keyword) {
	switch n := len(args); {
	case n < f.MinArgs:
		c.errorf(diag.BadArguments, at, "%s takes at least %s, %d given", shown, plural(f.MinArgs), n)
	case f.MaxArgs >= 0 && n > f.MaxArgs:
		c.errorf(diag.BadArguments, at, "%s takes at most %s, %d given", shown, plural(f.MaxArgs), n)
	}
	seen := map[string]bool{}
	for _, k := range keywords {
		switch {
		case !contains(f.Keywords, k.Name):
			c.errorf(diag.BadKeywordArgument, k, "%s takes no keyword argument %s", shown, k.Name)
		case seen[k.Name]:
			c.errorf(diag.BadKeywordArgument, k, "%s is given twice", k.Name)
		case k.Name == "start" && len(args) > 1:
			c.errorf(diag.BadKeywordArgument, k, "start is given twice")
		case k.Name == "default" && len(args) > 1:
			c.errorf(diag.BadKeywordArgument, k, "default needs a list as the only argument")
		}
		seen[k.Name] = true
	}
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

func isNameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

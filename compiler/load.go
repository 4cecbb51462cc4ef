package compiler

import (
	"path"
	"unicode/utf8"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

// maxImports bounds the files of one script.
const maxImports = 256

// parse reads the main file and all it imports. Calls are resolved while a
// file is parsed, so the functions of every file must be known before: each
// file is scanned for declarations first.
func (c *compilation) parse() {
	if c.source.Text == "" {
		c.diags = append(c.diags, diag.New(diag.EmptyScript, c.start(), "Script cannot be empty"))
		return
	}
	l := &loader{c: c, functions: map[string]bool{}, byPath: map[string]int{}, open: map[string]bool{}}
	l.file(c.source)
	c.paths = l.byPath
	if c.diags.HasErrors() {
		return
	}
	opts := syntax.Options{Functions: l.functions, RawParam: catalog.RawParam}
	for _, src := range l.files {
		script, diags := syntax.Parse(src.Name, []byte(src.Text), opts)
		c.files = append(c.files, script)
		c.diags = append(c.diags, diags...)
	}
	c.imports = l.files[1:]
}

type loader struct {
	c         *compilation
	functions map[string]bool
	files     []Source
	byPath    map[string]int  // number of a file, by the path as written
	open      map[string]bool // files whose imports are being followed
}

// file scans one file and follows its imports.
func (l *loader) file(src Source) {
	l.files = append(l.files, src)
	if !utf8.ValidString(src.Text) {
		return // what looks like an import is none; the parser says what is wrong
	}
	declared := syntax.Declarations([]byte(src.Text))
	for _, name := range declared.Functions {
		l.functions[name] = true
	}
	name := path.Clean(src.Name)
	l.open[name] = true
	for _, imp := range declared.Imports {
		l.follow(src, imp)
	}
	delete(l.open, name)
}

func (l *loader) follow(from Source, imp syntax.ImportPath) {
	name := path.Clean(imp.Path)
	if l.open[name] {
		l.fail(from, imp, "%s imports itself", imp.Path)
		return
	}
	if file, ok := l.byPath[name]; ok {
		l.byPath[imp.Path] = file
		return
	}
	if len(l.files) > maxImports {
		l.fail(from, imp, "more than %d files are imported", maxImports)
		return
	}
	if l.c.opts.Load == nil {
		l.fail(from, imp, "cannot import %s: there is nothing to import from", imp.Path)
		return
	}
	text, err := l.c.opts.Load(imp.Path)
	if err != nil {
		l.fail(from, imp, "cannot import %s: %v", imp.Path, err)
		return
	}
	l.byPath[name], l.byPath[imp.Path] = len(l.files), len(l.files)
	l.file(Source{Name: imp.Path, Text: string(text)})
}

func (l *loader) fail(from Source, imp syntax.ImportPath, format string, args ...any) {
	span := syntax.NewSource(from.Name, from.Text).Span(imp.At)
	l.c.diags = append(l.c.diags, diag.New(diag.ImportFailed, span, format, args...))
}

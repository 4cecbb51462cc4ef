// Package syntax turns AVAP source into an immutable tree with exact
// positions, or into diagnostics.
//
// Parsing is one pass of recursive descent with one token of lookahead. The
// scanner runs on demand, because what a character means depends on where it
// stands: the arguments of a command are read character by character and are
// tried as an expression first (args.go); anything that is none is raw text.
// No attempt is ever repeated at the same place, so the work is bounded by the
// source's length times the nesting limit.
//
// Blocks are kept on an explicit stack (blocks.go) instead of the Go stack:
// whether a try() is closed by an end() is known only much later, and the
// statements of the marker form belong to the enclosing list.
//
// An error inside an expression unwinds, by a panic that never leaves the
// package, to the argument being tried or to the statement, where parsing
// resumes on the next line. Findings that leave the shape of the tree intact,
// such as an integer out of range, are reported without unwinding.
package syntax

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/diag"
)

const (
	// maxNesting bounds brackets, operators and blocks within each other.
	maxNesting = 200
	// maxChain bounds operators or suffixes in a row, which nest in the tree.
	maxChain = 1000
	// maxFrames bounds all open blocks, handlers of try included.
	maxFrames = 1000
	// maxSuspects bounds the calls looked at for a block word spelt wrongly.
	maxSuspects = 256
)

// Options tells the parser what it cannot see in the source.
type Options struct {
	// Functions are the script functions that other files of the same script
	// declare. Those of the file itself need not be in it.
	Functions map[string]bool
	// RawParam reports whether a command's parameter is a class or a pattern,
	// in which text like [0-9]+ is always raw. argCount is the number of
	// arguments written; it lacks the target where that is left out. Nil
	// means that no command has such parameters.
	RawParam func(command string, index, argCount int) bool
}

// Parse parses one file. The script is never nil; it is complete only if the
// list holds no error. It does not keep src.
func Parse(file string, src []byte, opts Options) (*Script, diag.List) {
	p := parseFile(file, src, opts, false)
	return p.script, p.diags.Sorted()
}

func parseFile(file string, src []byte, opts Options, tracing bool) *parser {
	source := NewSource(file, string(src))
	if d, bad := checkEncoding(source, src); bad {
		return &parser{script: &Script{Source: source}, diags: diag.List{d}}
	}
	declared := Declarations(src)
	names := setOf(declared.Functions)
	p := parseWith(source, names, opts, tracing)
	// The scan for declarations is an approximation; if it was wrong, calls
	// were resolved wrongly, and the second pass knows better.
	if actual := p.declared(); !p.diags.HasErrors() && !sameSet(names, actual) {
		p = parseWith(source, actual, opts, tracing)
	}
	return p
}

func sameSet(a, b map[string]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return true
}

func checkEncoding(source *Source, src []byte) (diag.Diagnostic, bool) {
	at := func(i int, message string) diag.Diagnostic {
		pos := source.Position(Pos(i))
		return diag.New(diag.BadEncoding, diag.Span{Start: pos, End: pos}, "%s", message)
	}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			return at(i, "source is not valid UTF-8"), true
		}
		i += size
	}
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return at(i, "source contains a NUL byte"), true
	}
	return diag.Diagnostic{}, false
}

// state is what an attempt may change and a failed one must restore.
type state struct {
	src     string
	back    []int32 // offsets in the source of the bytes of src; nil if src is the source
	off     int     // where the next token is scanned
	end     int     // where scanning stops
	tok     token
	prevEnd int // end of the token before tok
	depth   int // open brackets
	level   int // nesting of expressions
	rawCtx  bool
	// brackets are the offsets of the open ones, for errors. An attempt never
	// closes a bracket it has not opened, so restoring the slice is enough.
	brackets []int
	// pieces are the tokens consumed so far; only Format asks for them.
	pieces []piece
}

type parser struct {
	state
	source      *Source
	opts        Options
	functions   map[string]bool
	script      *Script
	diags       diag.List
	frames      []*frame
	opening     *frame // block whose header is being parsed
	suspects    []suspect
	lastComment int // end of the last comment seen
	declaredAs  map[string]*Function
	tracing     bool  // record pieces and starts
	starts      []int // offsets of the statements and markers
}

func parseWith(source *Source, declared map[string]bool, opts Options, tracing bool) *parser {
	p := &parser{source: source, opts: opts, functions: declared, script: &Script{Source: source}, declaredAs: map[string]*Function{}, tracing: tracing}
	p.src, p.end = source.Text, len(source.Text)
	if len(p.src) >= 3 && p.src[:3] == "\ufeff" {
		p.off = 3
	}
	p.frames = []*frame{{kind: rootFrame}}
	for p.statementOrResume() {
		if len(p.diags) >= diag.MaxList {
			p.frames = p.frames[:1]
			break
		}
	}
	p.finish()
	return p
}

func (p *parser) isFunction(name string) bool {
	return p.functions[name] || p.opts.Functions[name]
}

func (p *parser) declared() map[string]bool {
	names := make(map[string]bool, len(p.script.Functions))
	for _, f := range p.script.Functions {
		names[f.Name.Name] = true
	}
	return names
}

// syntaxError is an error on its way to where parsing resumes.
type syntaxError struct {
	d diag.Diagnostic
	// hard errors are not turned into raw text by an argument being tried.
	hard bool
	// resumeAt is where the search for the next line begins; 0 stands for
	// the place of the error.
	resumeAt int
	from     int
}

// fail makes an error about src[from:to]; stop or report sends it.
func (p *parser) fail(code diag.Code, from, to int, format string, args ...any) *syntaxError {
	return p.failAt(code, p.ext(from, to), format, args...)
}

func (p *parser) failAt(code diag.Code, at Extent, format string, args ...any) *syntaxError {
	return &syntaxError{d: diag.New(code, p.source.Span(at), format, args...), from: int(at.From)}
}

func (e *syntaxError) suggest(text string) *syntaxError {
	e.d.Suggestion = text
	return e
}

// stop unwinds to the argument being tried or to the statement.
func (p *parser) stop(e *syntaxError) { panic(e) }

// report records an error that leaves the tree intact.
func (p *parser) report(e *syntaxError) { p.diags = append(p.diags, e.d) }

// attempt runs f. If it fails softly, the parser is as it was before.
func (p *parser) attempt(f func()) (err *syntaxError) {
	saved, diags, suspects := p.state, len(p.diags), len(p.suspects)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *syntaxError:
			if r.hard {
				panic(r)
			}
			p.state, p.diags, p.suspects, err = saved, p.diags[:diags], p.suspects[:suspects], r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// ext makes an extent from offsets into the text being parsed.
func (p *parser) ext(from, to int) Extent {
	if p.back != nil {
		last := len(p.back) - 1
		return Extent{Pos(p.back[min(from, last)]), Pos(p.back[min(to, last)])}
	}
	return Extent{Pos(from), Pos(to)}
}

// since makes an extent from an offset to the last token consumed.
func (p *parser) since(from int) Extent { return p.ext(from, max(from, p.prevEnd)) }

func (p *parser) text() string { return p.src[p.tok.from:p.tok.to] }

func (p *parser) isOp(op string) bool {
	return p.tok.kind == tokOp && p.src[p.tok.from:p.tok.to] == op
}

func (p *parser) isWord(word string) bool {
	return p.tok.kind == tokName && p.src[p.tok.from:p.tok.to] == word
}

// open consumes an opening bracket.
func (p *parser) open() {
	p.depth++
	p.brackets = append(p.brackets, p.tok.from)
	p.next()
}

// close consumes the closing bracket of the innermost open one.
func (p *parser) close(bracket string) {
	if !p.isOp(bracket) {
		p.stop(p.unexpected("expected %s or a comma", bracket))
	}
	p.depth--
	p.brackets = p.brackets[:len(p.brackets)-1]
	p.next()
}

func (p *parser) unclosed(from int) *syntaxError {
	e := p.fail(diag.UnclosedBracket, from, from+1, "%s is not closed", p.src[from:from+1])
	e.resumeAt = int(p.ext(from, from).From) + 1
	return e
}

// unexpected makes an error about the current token.
func (p *parser) unexpected(format string, args ...any) *syntaxError {
	if n := len(p.brackets); n > 0 && p.tok.kind == tokEOF {
		return p.unclosed(p.brackets[n-1])
	}
	wanted := fmt.Sprintf(format, args...)
	e := p.fail(diag.SyntaxError, p.tok.from, p.tok.to, "%s, found %s", wanted, p.describe())
	switch p.text() {
	case "&&":
		e.suggest("write and")
	case "||":
		e.suggest("write or")
	case "!":
		e.suggest("write not")
	case "?":
		e.suggest("write: a if condition else b")
	case "lambda":
		e.suggest("declare a function; there is no lambda")
	}
	return e
}

func (p *parser) describe() string {
	switch p.tok.kind {
	case tokEOF:
		return "the end of the text"
	case tokNewline:
		if p.text() == ";" {
			return ";"
		}
		return "the end of the line"
	case tokString, tokFString:
		return "a text"
	case tokBacktick:
		return "a template"
	}
	return clipText(p.text())
}

// enter and leave count the nesting of expressions.
func (p *parser) enter() {
	if p.level++; p.level > maxNesting {
		p.stopTooDeep(p.tok.from)
	}
}

func (p *parser) leave() { p.level-- }

func (p *parser) stopTooDeep(at int) {
	e := p.fail(diag.NestingTooDeep, at, at+1, "nested more than %d levels deep", maxNesting)
	e.hard = true
	p.stop(e)
}

func (p *parser) countChain(n int) {
	if n > maxChain {
		e := p.fail(diag.NestingTooDeep, p.tok.from, p.tok.to, "more than %d operators in a row", maxChain)
		e.hard = true
		p.stop(e)
	}
}

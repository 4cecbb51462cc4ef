package syntax

import (
	"fmt"

	"github.com/avapd/avapd/internal/diag"
)

type frameKind uint8

const (
	rootFrame frameKind = iota
	ifFrame
	loopFrame
	whileFrame
	tryFrame
	functionFrame
	asyncFrame
)

var (
	frameWord   = [...]string{"script", "if()", "startLoop()", "while()", "try()", "function", "go_async()"}
	frameCloser = [...]string{"", "end()", "endLoop()", "end()", "end()", "}", "end()"}
)

// frame is an open block. stmts collects the list that is being read: the
// protected part of a try until its exception, its handler after that.
type frame struct {
	kind     frameKind
	from, to int // of the opening marker
	stmts    []Stmt

	ifStmt    *If
	loop      *Loop
	while     *While
	function  *Function
	async     *Async
	body      []Stmt     // of a try whose exception was read
	exception *Exception // of a try
}

// suspect is a command call at the start of a line. If the blocks do not
// match, its name may turn out to be a block word spelt wrongly.
type suspect struct {
	at   Extent
	name string
}

func (p *parser) top() *frame { return p.frames[len(p.frames)-1] }

func (p *parser) add(s Stmt) {
	f := p.top()
	f.stmts = append(f.stmts, s)
}

func (p *parser) push(f *frame) {
	nested := 0
	for _, open := range p.frames {
		if open.kind != tryFrame || open.exception == nil {
			nested++
		}
	}
	if nested > maxNesting || len(p.frames) > maxFrames {
		e := p.fail(diag.NestingTooDeep, f.from, f.to, "blocks are nested more than %d levels deep", maxNesting)
		p.report(e)
		p.abandon()
		return
	}
	p.frames = append(p.frames, f)
}

// abandon ends the parse: what follows could only be misread.
func (p *parser) abandon() {
	p.frames, p.off, p.opening = p.frames[:1], p.end, nil
}

// inFunction reports whether a function is open.
func (p *parser) inFunction() bool {
	for _, f := range p.frames {
		if f.kind == functionFrame {
			return true
		}
	}
	return false
}

// jumpTarget finds the innermost open frame a jump may refer to.
func (p *parser) jumpTarget(wanted func(frameKind) bool) frameKind {
	for i := len(p.frames) - 1; i > 0; i-- {
		if k := p.frames[i].kind; wanted(k) {
			return k
		}
	}
	return rootFrame
}

// pop closes the innermost frame, whose closing marker ends at to.
func (p *parser) pop(to int) {
	f := p.top()
	p.frames = p.frames[:len(p.frames)-1]
	at := p.ext(f.from, to)
	switch f.kind {
	case ifFrame:
		f.ifStmt.Extent = at
		if f.ifStmt.HasElse {
			f.ifStmt.Else = f.stmts
		} else {
			f.ifStmt.Then = f.stmts
		}
		p.add(f.ifStmt)
	case loopFrame:
		f.loop.Extent, f.loop.Body = at, f.stmts
		p.add(f.loop)
	case whileFrame:
		f.while.Extent, f.while.Body = at, f.stmts
		p.add(f.while)
	case functionFrame:
		f.function.Extent, f.function.Body = at, f.stmts
		p.add(f.function)
	case asyncFrame:
		f.async.Extent, f.async.Body = at, f.stmts
		p.add(f.async)
	case tryFrame:
		p.popTry(f, at)
	}
}

// popTry closes a try in its block form.
func (p *parser) popTry(f *frame, at Extent) {
	if f.exception == nil {
		p.report(p.fail(diag.BadTry, f.from, f.to, "try has no exception").
			suggest("write exception(e) between try() and its end()"))
		p.add(&Try{Extent: at, Body: f.stmts})
		return
	}
	p.refuseDeclarations(f.body)
	p.refuseDeclarations(f.stmts)
	p.add(&Try{Extent: at, Body: f.body, Exception: *f.exception, Handler: f.stmts})
}

// refuseDeclarations reports functions and imports in a try that turned out
// to be a block only at its end.
func (p *parser) refuseDeclarations(list []Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *Function:
			p.report(p.failAt(diag.MisplacedFunction, s.Name.Extent, "function %s stands inside a try block", s.Name.Name).
				suggest("move it to the top level"))
		case *Import:
			p.report(p.failAt(diag.MisplacedImport, s.Extent, "%s stands inside a try block", s.Word).
				suggest("move it to the top level"))
		}
	}
}

// settleTries turns the tries that are open at the top of the stack into the
// marker form, all at once so that many in a row stay linear.
func (p *parser) settleTries() {
	n := len(p.frames)
	for n > 1 && p.frames[n-1].kind == tryFrame {
		n--
	}
	tries := p.frames[n:]
	p.frames = p.frames[:n]
	for _, f := range tries {
		if f.exception == nil {
			p.report(p.fail(diag.BadTry, f.from, f.to, "try has no exception").
				suggest("write exception(e) behind the statements it protects"))
			p.add(&Try{Extent: p.ext(f.from, f.to), Marker: true, Body: f.stmts})
			continue
		}
		at := Extent{p.ext(f.from, f.to).From, f.exception.To}
		p.add(&Try{Extent: at, Marker: true, Body: f.body, Exception: *f.exception})
		parent := p.top()
		parent.stmts = append(parent.stmts, f.stmts...)
	}
}

// reportUnclosed says that a block has no end, and points at calls before
// which may have been meant as its end.
func (p *parser) reportUnclosed(f *frame) {
	if f.kind == tryFrame {
		return
	}
	e := p.fail(diag.UnclosedBlock, f.from, f.to, "%s is not closed", frameWord[f.kind]).
		suggest("close it with " + frameCloser[f.kind])
	opened := p.ext(f.from, f.to).From
	p.suggestMarker(e, func(s suspect, word string) bool {
		return s.at.From > opened && (word == "end" || word == "endLoop")
	})
	p.report(e)
}

// closeDownTo closes all frames above n, reporting each as unclosed.
func (p *parser) closeDownTo(n, to int) {
	for {
		p.settleTries()
		if len(p.frames) <= n {
			return
		}
		p.reportUnclosed(p.top())
		p.pop(to)
	}
}

// finish closes what is open at the end of the script.
func (p *parser) finish() {
	p.closeDownTo(1, p.end)
	p.script.Body = p.frames[0].stmts
}

// endMarker closes the innermost block, whatever it is but a function.
func (p *parser) endMarker(from, to int) {
	switch f := p.top(); f.kind {
	case rootFrame:
		p.report(p.surplus(from, to))
	case functionFrame:
		p.report(p.surplus(from, to).suggest("a function ends with }"))
	default:
		p.pop(to)
	}
}

func (p *parser) surplus(from, to int) *syntaxError {
	e := p.fail(diag.SurplusMarker, from, to, "%s closes nothing", clipText(p.src[from:to]))
	p.suggestMarker(e, func(_ suspect, word string) bool { return word != "end" && word != "endLoop" })
	return e
}

// suggestMarker points at the first call that nearly is a block word which
// would explain the error.
func (p *parser) suggestMarker(e *syntaxError, explains func(s suspect, word string) bool) {
	for _, s := range p.suspects {
		if word := diag.Suggest(s.name, blockWords); word != "" && explains(s, word) {
			e.suggest(fmt.Sprintf("line %d calls %s; did you mean %s()?", p.source.Line(s.at.From), s.name, word))
			return
		}
	}
}

// endLoopMarker closes the innermost loop.
func (p *parser) endLoopMarker(from, to int) {
	p.settleTries()
	isLoop := func(k frameKind) bool { return k == loopFrame || k == whileFrame }
	if isLoop(p.top().kind) {
		p.pop(to)
		return
	}
	for i := len(p.frames) - 1; i > 0 && p.frames[i].kind != functionFrame; i-- {
		if isLoop(p.frames[i].kind) {
			p.closeDownTo(i+1, from)
			p.pop(to)
			return
		}
	}
	e := p.surplus(from, to)
	if k := p.top().kind; k == ifFrame || k == asyncFrame {
		e.suggest("close " + frameWord[k] + " with end()")
	}
	p.report(e)
}

// elseMarker divides the innermost if.
func (p *parser) elseMarker(from, to int) {
	p.settleTries()
	f := p.top()
	if f.kind != ifFrame {
		e := p.fail(diag.SurplusMarker, from, to, "else stands in no if")
		if f.kind != rootFrame {
			e.d = e.d.WithNote(p.source.Span(p.ext(f.from, f.to)), "the innermost open block is this %s", frameWord[f.kind])
		}
		p.report(e)
		return
	}
	if f.ifStmt.HasElse {
		p.report(p.fail(diag.SurplusMarker, from, to, "this if already has an else"))
		return
	}
	f.ifStmt.Then, f.ifStmt.HasElse, f.stmts = f.stmts, true, nil
}

// closeFunction handles a `}` at the start of a statement.
func (p *parser) closeFunction(from int) {
	p.settleTries()
	for i := len(p.frames) - 1; i > 0; i-- {
		if p.frames[i].kind == functionFrame {
			p.closeDownTo(i+1, from)
			p.pop(from + 1)
			return
		}
	}
	p.report(p.surplus(from, from+1))
}

// exceptionMarker ends the protected part of the innermost try.
func (p *parser) exceptionMarker(e *Exception) {
	f := p.top()
	switch {
	case f.kind != tryFrame:
		err := p.failAt(diag.BadTry, e.Extent, "exception stands in no try")
		for i := len(p.frames) - 1; i > 0; i-- {
			if p.frames[i].kind == tryFrame && p.frames[i].exception == nil {
				err = p.failAt(diag.BadTry, e.Extent, "exception must stand at the level of its try").
					suggest("close " + frameWord[f.kind] + " before it")
				break
			}
		}
		p.report(err)
	case f.exception != nil:
		err := p.failAt(diag.BadTry, e.Extent, "this try already has an exception")
		err.d = err.d.WithNote(p.source.Span(f.exception.Extent), "the first one is here")
		p.report(err)
	default:
		f.exception, f.body, f.stmts = e, f.stmts, nil
	}
}

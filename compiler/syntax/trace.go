package syntax

// piece is a token as the formatter sees it. Between two pieces there is
// nothing but blanks, comments and separators of statements.
type piece struct {
	token
	// arg marks an argument of a command that must keep its very text.
	arg bool
	// block is the manual's spelling of a block word, "" for other tokens.
	block string
}

// traceToken records the current token as consumed.
func (p *parser) traceToken() {
	if !p.tracing || p.tok.to <= p.tok.from || p.tok.kind == tokNewline || p.tok.kind == tokEOF {
		return
	}
	p.pieces = append(p.pieces, piece{token: p.tok})
	p.untoken()
}

// untoken keeps what was recorded from being recorded again.
func (p *parser) untoken() { p.tok = token{tokNewline, p.tok.to, p.tok.to} }

// traceWord records what is consumed without being the current token.
func (p *parser) traceWord(from, to int, block string) {
	if !p.tracing {
		return
	}
	kind := tokOp
	if isWordByte(p.src[from]) {
		kind = tokName
	}
	p.pieces = append(p.pieces, piece{token: token{kind, from, to}, block: block})
	p.untoken()
}

// traceText records a template as one piece, whatever was found in it.
func (p *parser) traceText(mark, from, to int) {
	if !p.tracing {
		return
	}
	p.pieces = append(p.pieces[:mark], piece{token: token{tokBacktick, from, to}})
	p.untoken()
}

// traceArg records an argument of a command. Its source text is its value if
// it holds a variable that turns out to be undefined, so only an expression
// without variables is left in pieces.
func (p *parser) traceArg(mark int, a *Arg) {
	if !p.tracing {
		return
	}
	if a.Kind != ArgEmpty && (a.Kind != ArgExpr || len(FreeNames(a.Expr)) > 0) {
		p.pieces = append(p.pieces[:mark], piece{token: token{tokString, int(a.From), int(a.To)}, arg: true})
	}
	p.tok = token{tokNewline, p.off, p.off}
}

// traceStart records where a statement or a marker begins.
func (p *parser) traceStart(from int) {
	if p.tracing {
		p.starts = append(p.starts, from)
	}
}

package syntax

import (
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// indentWidth is how many blanks a block is indented.
const indentWidth = 4

// Format gives the source of a file in its one canonical layout: a statement
// per line, blocks indented, blanks where they help the eye. What is not
// layout stays: comments, groups of lines, the text of every literal, and the
// text of those arguments of commands that may be their own value.
//
// A file with errors is not formatted; the list says what is wrong. The layout
// is made from the tokens the parser consumed and the comments between them.
// The result is parsed again, and if a token, a comment or the tree were not
// what they were, it is refused.
func Format(file string, src []byte, opts Options) ([]byte, diag.List) {
	p := parseFile(file, src, opts, true)
	if p.diags.HasErrors() {
		return nil, p.diags.Sorted()
	}
	before, ok := newFormatter(p)
	if !ok {
		return nil, diag.List{formatDefect(p)}
	}
	out := []byte(before.run())
	again := parseFile(file, out, opts, true)
	after, ok := newFormatter(again)
	if !ok || again.diags.HasErrors() || !before.sameAs(after) {
		return nil, diag.List{formatDefect(p)}
	}
	return out, nil
}

// formatDefect is the finding that the formatter made a mistake.
func formatDefect(p *parser) diag.Diagnostic {
	return diag.New(diag.Internal, p.source.Span(Extent{}), "the formatter cannot lay out this script without changing it")
}

// gap is what stands between two pieces.
type gap []gapItem

type gapKind uint8

const (
	gapNewline gapKind = iota
	gapSeparator
	gapLineComment
	gapBlockComment
)

type gapItem struct {
	kind gapKind
	text string // of a comment
}

func (i gapItem) isComment() bool { return i.kind >= gapLineComment }

// readGap takes src[from:to] apart; ok is false if there is anything else in
// it than blanks, comments and separators.
func readGap(src string, from, to int) (g gap, ok bool) {
	if from == 0 && strings.HasPrefix(src, "\ufeff") {
		from = min(3, to)
	}
	for i := from; i < to; {
		rest := src[i:to]
		switch c := src[i]; {
		case isBlank(c):
			i++
		case c == '\n':
			g = append(g, gapItem{kind: gapNewline})
			i++
		case c == ';':
			g = append(g, gapItem{kind: gapSeparator})
			i++
		case c == '#' || strings.HasPrefix(rest, "//"):
			text, _, _ := strings.Cut(rest, "\n")
			g = append(g, gapItem{gapLineComment, strings.TrimRight(text, " \t\r\f\v")})
			i += len(text)
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return nil, false
			}
			g = append(g, gapItem{gapBlockComment, rest[:n+4]})
			i += n + 4
		default:
			return nil, false
		}
	}
	return g, true
}

func (g gap) newlines() (n int) {
	for _, item := range g {
		if item.kind == gapNewline {
			n++
		}
	}
	return n
}

// formatter lays out one file.
type formatter struct {
	src    string
	tree   string
	pieces []piece
	gaps   []gap // before each piece, and one at the end
	starts map[int]bool
	blocks blockMap

	out   strings.Builder
	depth int // of the statements that follow
	// edge is set at the start of the file and of a block, where blank lines
	// are dropped.
	edge bool
}

func newFormatter(p *parser) (*formatter, bool) {
	f := &formatter{
		src: p.source.Text, tree: Dump(p.script, false), pieces: p.pieces,
		starts: map[int]bool{}, blocks: blocksOf(p.script), edge: true,
	}
	for _, at := range p.starts {
		f.starts[at] = true
	}
	end := 0
	for _, piece := range append(slices.Clip(p.pieces), piece{token: token{from: len(f.src)}}) {
		g, ok := gap(nil), piece.from >= end
		if ok {
			g, ok = readGap(f.src, end, piece.from)
		}
		if !ok {
			return nil, false
		}
		f.gaps, end = append(f.gaps, g), piece.to
	}
	return f, true
}

// text is what is written for a piece.
func (f *formatter) text(i int) string {
	if p := f.pieces[i]; p.block == "" {
		return f.src[p.from:p.to]
	}
	return f.pieces[i].block
}

// sameAs reports whether two files have the same tree, pieces and comments.
func (f *formatter) sameAs(g *formatter) bool {
	return f.tree == g.tree && slices.Equal(f.content(), g.content())
}

// content lists pieces and comments in order. The parentheses that a marker
// may lack are left out.
func (f *formatter) content() []string {
	var list []string
	for i, g := range f.gaps {
		for _, item := range g {
			if item.isComment() {
				list = append(list, item.text)
			}
		}
		if i < len(f.pieces) && !f.bareMarkerParens(i) {
			list = append(list, f.text(i))
		}
	}
	return list
}

// bareMarkerParens reports whether piece i is a parenthesis of else() or of
// end().
func (f *formatter) bareMarkerParens(i int) bool {
	switch f.text(i) {
	case "(":
		return i > 0 && isBareMarker(f.pieces[i-1].block)
	case ")":
		return i > 1 && f.text(i-1) == "(" && isBareMarker(f.pieces[i-2].block)
	}
	return false
}

// isBareMarker reports whether a block word may stand without parentheses.
func isBareMarker(block string) bool { return block == "else" || block == "end" }

// run lays out the whole file.
func (f *formatter) run() string {
	for from := 0; from < len(f.pieces); {
		to := from + 1
		for to < len(f.pieces) && !f.starts[f.pieces[to].from] {
			to++
		}
		f.statement(from, to)
		from = to
	}
	last := f.gaps[len(f.pieces)]
	f.comments(f.trailing(last, true, len(f.pieces) == 0), f.depth)
	if f.out.Len() > 0 || f.src != "" {
		f.out.WriteByte('\n')
	}
	return f.out.String()
}

// statement lays out the comments before a statement, and its pieces.
func (f *formatter) statement(from, to int) {
	depth, closing := f.enter(from)
	leading := f.trailing(f.gaps[from], false, from == 0)
	if f.comments(leading, depth) {
		f.out.WriteByte(' ')
	} else {
		f.newLine(depth*indentWidth, !closing && leading.blankAtEnd())
	}
	f.edge = false
	f.leave(from)
	w := lineWriter{f: f, from: from, to: to, indent: depth * indentWidth}
	for i := from; i < to; i++ {
		w.piece(i)
	}
	if to == from+1 && isBareMarker(f.pieces[from].block) {
		f.out.WriteString("()")
	}
}

// newLine begins a line, behind a blank one if asked for.
func (f *formatter) newLine(indent int, blank bool) {
	if f.out.Len() > 0 {
		f.out.WriteByte('\n')
		if blank && !f.edge {
			f.out.WriteByte('\n')
		}
	}
	f.out.WriteString(strings.Repeat(" ", indent))
}

// trailing writes the comments that belong to the line before a gap and
// returns the rest of the gap. Those are all up to the end of the line, unless
// another statement stands on it: then those up to the separator.
func (f *formatter) trailing(g gap, last, first bool) gap {
	if first {
		return g
	}
	until := gapSeparator
	if last || g.newlines() > 0 {
		until = gapNewline
	}
	for i, item := range g {
		switch {
		case item.kind == until:
			return g[i:]
		case item.isComment():
			f.out.WriteString(" " + item.text)
		}
	}
	return nil
}

// comments writes comments on lines of their own: those on the statement's line
// as deep as the statement, all others as deep as the block. It reports whether
// the last one stands before the statement on its line.
func (f *formatter) comments(g gap, depth int) (inline bool) {
	own := len(g) // items before it are on lines before the statement's
	for own > 0 && g[own-1].kind != gapNewline {
		own--
	}
	newlines := 0
	for i, item := range g {
		switch {
		case item.kind == gapNewline:
			newlines, inline = newlines+1, false
			continue
		case !item.isComment():
			continue
		case inline:
			f.out.WriteByte(' ')
		case i < own:
			f.newLine(f.depth*indentWidth, newlines > 1)
		default:
			f.newLine(depth*indentWidth, newlines > 1)
		}
		f.out.WriteString(item.text)
		f.edge, newlines, inline = false, 0, true
	}
	return inline
}

// blankAtEnd reports whether a blank line stands at the end of a gap.
func (g gap) blankAtEnd() bool {
	n := 0
	for _, item := range g {
		switch {
		case item.kind == gapNewline:
			n++
		case item.isComment():
			n = 0
		}
	}
	return n > 1
}

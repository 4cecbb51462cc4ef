package syntax

import "strings"

// place is what a piece is to its neighbours.
type place uint8

const (
	atStart   place = iota
	operand         // a name, a literal, an argument
	keyword         // a word of the language, not touched by a parenthesis
	blockName       // a word that its parenthesis touches
	prefix          // a unary operator
	infix           // a binary operator, or = and its like
	opening         // a bracket of a display, or of a group
	suffix          // a bracket that touches what is before it
	closing
	comma
	tight // what no blanks surround: . and the : of slices, = of keywords
	colon // of a dict
)

// lineWriter lays out the pieces of one statement. Line breaks inside brackets
// stay where they are; only the indentation behind them is made anew.
type lineWriter struct {
	f        *formatter
	from, to int
	indent   int // of the line being written
	prev     place
	open     []bracketLine
	// brokenLine is set behind a line comment, and by a line break that comes
	// behind the next comma instead of before it.
	brokenLine bool
}

// bracketLine is an open bracket and the indentation of its line.
type bracketLine struct {
	colon  place // what a colon in it is
	indent int
}

// piece writes a piece and the comments before it.
func (w *lineWriter) piece(i int) {
	out, at := &w.f.out, w.place(i)
	newlines, commented := 0, false
	if i > w.from {
		newlines, commented = w.comments(w.f.gaps[i])
	}
	breaks := w.brokenLine || newlines > 0 && len(w.open) > 0
	switch {
	case at == comma && breaks && !commented && w.prev != comma && w.prev != opening && w.prev != suffix:
		w.brokenLine = true
	case breaks:
		w.newLine(at, newlines > 1 && (commented || w.prev != opening && w.prev != suffix))
	case commented && at != closing && at != comma, !commented && w.blank(i, at):
		out.WriteByte(' ')
	}
	out.WriteString(w.f.text(i))
	switch at {
	case opening, suffix:
		w.push(i, at)
	case closing:
		w.open = w.open[:max(0, len(w.open)-1)]
	}
	w.prev = at
}

// comments writes the comments of a gap. It returns how many newlines stand
// behind the last one.
func (w *lineWriter) comments(g gap) (newlines int, commented bool) {
	for _, item := range g {
		if item.kind == gapNewline {
			newlines++
		}
		if !item.isComment() {
			continue
		}
		line := item.kind == gapLineComment
		breaks := newlines > 0 && (len(w.open) > 0 || item.text[0] == '#')
		touches := !commented && (w.prev == opening || w.prev == suffix)
		switch {
		case breaks || w.brokenLine && (commented || !line):
			w.newLine(operand, newlines > 1 && !touches)
		case line || !touches:
			w.f.out.WriteByte(' ')
		}
		w.f.out.WriteString(item.text)
		newlines, commented, w.brokenLine = 0, true, line
	}
	return newlines, commented
}

// newLine begins a line inside brackets.
func (w *lineWriter) newLine(at place, blank bool) {
	if n := len(w.open); n > 0 {
		w.indent = w.open[n-1].indent
		if at != closing {
			w.indent += indentWidth
		}
	}
	if w.f.out.WriteByte('\n'); blank && at != closing {
		w.f.out.WriteByte('\n')
	}
	w.f.out.WriteString(strings.Repeat(" ", w.indent))
	w.brokenLine = false
}

func (w *lineWriter) push(i int, at place) {
	b := bracketLine{colon: colon, indent: w.indent}
	if at == suffix && w.f.text(i) == "[" {
		b.colon = tight
	}
	w.open = append(w.open, b)
}

// place classifies a piece by what stands before it.
func (w *lineWriter) place(i int) place {
	p, text := w.f.pieces[i], w.f.text(i)
	switch {
	case p.arg:
		return operand
	case p.kind == tokName && i > w.from && w.f.text(i-1) == ".":
		return operand
	case p.block != "" || p.kind == tokName && text == "go":
		return blockName
	case p.kind == tokName && keywords[text]:
		return keyword
	case p.kind != tokOp:
		return operand
	}
	return w.operatorPlace(text)
}

func (w *lineWriter) operatorPlace(text string) place {
	follows := w.prev == operand || w.prev == closing
	switch text {
	case "(":
		if follows || w.prev == blockName {
			return suffix
		}
		return opening
	case "[", "{":
		if follows && (text == "[" || len(w.open) == 0) {
			return suffix
		}
		return opening
	case ")", "]", "}":
		return closing
	case ",":
		return comma
	case ".":
		return tight
	case ":":
		if n := len(w.open); n > 0 {
			return w.open[n-1].colon
		}
		return colon
	case "=":
		if len(w.open) > 0 {
			return tight
		}
	case "-", "+", "~":
		if !follows {
			return prefix
		}
	}
	return infix
}

// keywords are the words after which a bracket opens a group.
var keywords = setOf([]string{
	"and", "or", "not", "in", "is", "if", "else", "for", "return", "import", "include", "break", "continue",
})

// blank reports whether a blank stands before a piece that follows another on
// its line.
func (w *lineWriter) blank(i int, at place) bool {
	switch {
	case at == closing || at == colon:
		return false
	case at == comma:
		return w.prev == comma
	case at == suffix:
		return false
	case at == tight: // 1 .x is an attribute, 1.x is none
		return w.f.text(i) == "." && w.f.pieces[i-1].kind == tokNumber
	case i == w.from+1 && w.f.text(i) == "(" && w.f.text(w.from) == "return":
		return !w.wholeGroup(i)
	}
	switch w.prev {
	case atStart, opening, suffix, tight, prefix:
		return false
	}
	return true
}

// wholeGroup reports whether the bracket at i closes at the statement's end.
func (w *lineWriter) wholeGroup(i int) bool {
	depth := 0
	for ; i < w.to; i++ {
		p := w.f.pieces[i]
		if p.arg || p.kind != tokOp {
			continue
		}
		switch w.f.text(i) {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			if depth--; depth == 0 {
				return i == w.to-1
			}
		}
	}
	return false
}

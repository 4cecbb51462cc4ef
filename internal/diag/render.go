package diag

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// excerptWidth is how many code points of a source line are shown.
const excerptWidth = 80

// Render writes the diagnostics for a terminal. source returns the text of a
// file, or nil if it is not at hand; it may itself be nil.
func Render(w io.Writer, list List, source func(file string) []byte) error {
	var b strings.Builder
	for _, d := range list {
		render(&b, d, source)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func render(b *strings.Builder, d Diagnostic, source func(string) []byte) {
	fmt.Fprintf(b, "%s: %s: %s [%s]\n", d.Span.Start, d.Severity, d.Message, d.Code)
	excerpt(b, d.Span, source)
	if d.Suggestion != "" {
		fmt.Fprintf(b, "    suggestion: %s\n", d.Suggestion)
	} else if e, ok := Lookup(d.Code); ok {
		fmt.Fprintf(b, "    next step: %s\n", e.Next)
	}
	for _, n := range d.Notes {
		fmt.Fprintf(b, "%s: note: %s\n", n.Span.Start, n.Message)
		excerpt(b, n.Span, source)
	}
}

// excerpt shows the source line with a caret line below it.
func excerpt(b *strings.Builder, span Span, source func(string) []byte) {
	if source == nil || !span.Start.IsValid() {
		return
	}
	line := lineOf(source(span.Start.File), span.Start.Line)
	if line == "" {
		return
	}
	length := 1
	if span.End.Line == span.Start.Line && span.End.Column > span.Start.Column {
		length = span.End.Column - span.Start.Column
	}
	shown, column := clip(line, span.Start.Column)
	length = min(length, max(1, utf8.RuneCountInString(shown)-column+1))
	fmt.Fprintf(b, "    %s\n    %s%s\n", shown, strings.Repeat(" ", column-1), strings.Repeat("^", length))
}

// lineOf returns a line by its number, counted from 1. Not every position has
// an offset: what is found in a compiled script has none.
func lineOf(text []byte, number int) string {
	for ; number > 1; number-- {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return ""
		}
		text = text[i+1:]
	}
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	return strings.TrimRight(string(line), "\r")
}

// clip cuts a long line around a column and returns the column's place in
// what is left. Control characters become blanks, so the caret stays aligned.
func clip(line string, column int) (shown string, at int) {
	runes := []rune(line)
	for i, r := range runes {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			runes[i] = ' '
		}
	}
	column = min(max(column, 1), len(runes)+1)
	if len(runes) <= excerptWidth {
		return strings.TrimRight(string(runes), " "), column
	}
	from := max(0, min(column-1-excerptWidth/2, len(runes)-excerptWidth))
	to := from + excerptWidth
	shown, at = string(runes[from:to]), column-from
	if from > 0 {
		shown, at = "…"+shown, at+1
	}
	if to < len(runes) {
		shown += "…"
	}
	return shown, at
}

package syntax

import (
	"sort"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/diag"
)

// blockBytes is the distance of the checkpoints that make counting columns
// cheap on very long lines.
const blockBytes = 256

// Source is the text of one file with what it takes to turn offsets into
// lines and columns. It is safe for concurrent use.
type Source struct {
	File string
	Text string

	lines []int32 // offset of the first byte of each line
	runes []int32 // code points before each multiple of blockBytes; nil for ASCII
}

// NewSource indexes a file's text.
func NewSource(file, text string) *Source {
	s := &Source{File: file, Text: text, lines: []int32{0}}
	ascii := true
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n':
			s.lines = append(s.lines, int32(i+1))
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii {
		s.countRunes()
	}
	return s
}

func (s *Source) countRunes() {
	s.runes = make([]int32, 0, len(s.Text)/blockBytes+1)
	n := int32(0)
	for i := range len(s.Text) {
		if i%blockBytes == 0 {
			s.runes = append(s.runes, n)
		}
		if utf8.RuneStart(s.Text[i]) {
			n++
		}
	}
}

// runesBefore counts the code points in front of an offset.
func (s *Source) runesBefore(offset int) int {
	if s.runes == nil {
		return offset
	}
	block := min(offset/blockBytes, len(s.runes)-1)
	n := int(s.runes[block])
	for i := block * blockBytes; i < offset; i++ {
		if utf8.RuneStart(s.Text[i]) {
			n++
		}
	}
	return n
}

// Position turns an offset into a line and a column. An offset outside the
// text is moved to its nearest end.
func (s *Source) Position(pos Pos) diag.Position {
	offset := min(max(int(pos), 0), len(s.Text))
	line := sort.Search(len(s.lines), func(i int) bool { return int(s.lines[i]) > offset })
	column := s.runesBefore(offset) - s.runesBefore(int(s.lines[line-1])) + 1
	return diag.Position{File: s.File, Line: line, Column: column, Offset: offset}
}

// Line is the line number of an offset.
func (s *Source) Line(pos Pos) int { return s.Position(pos).Line }

// Span turns the place of a node into a span.
func (s *Source) Span(n Node) diag.Span {
	return diag.Span{Start: s.Position(n.Start()), End: s.Position(n.End())}
}

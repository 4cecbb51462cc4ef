// Package pike matches regular expressions with a virtual machine whose work
// is counted and can be stopped.
//
// The standard library's matcher is linear in the text for one match, but not
// for all of them: x*y|x tries x*y up to the end at each letter of a long row
// of x. It can neither be stopped nor say what it did, and it cannot start in
// the middle of a text. Here the syntax and the compiled program are the
// standard library's, and the machine is the same simulation of all threads at
// once, with the same choice among matches: the leftmost, and there the one
// that a backtracking matcher finds first.
package pike

import (
	"errors"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// maxInstructions and maxRanges bound a program, repetitions written out.
	maxInstructions = 10_000
	maxRanges       = 100_000
	// maxWide bounds what is dear to read: classes of Unicode and ranges that
	// lead beyond ASCII, which a fold of case walks through.
	maxWide = 32
	// maxCells bounds the positions of groups that a machine keeps for all its
	// threads.
	maxCells = 1 << 20
)

// ErrTooLarge says that a pattern is well-formed but makes too large a program.
var ErrTooLarge = errors.New("regular expression too large")

// Program is a compiled regular expression, safe for concurrent use.
type Program struct {
	code  []syntax.Inst
	start uint32
	names []string
	// anchored is set when a match can start nowhere but at the text's start.
	anchored bool
	// skips is set when every match starts with one of the bytes in first.
	skips    bool
	first    [256]bool
	machines sync.Pool
}

// Compile reads a pattern in RE2's syntax.
func Compile(pattern string) (*Program, error) {
	if wideParts(pattern) > maxWide {
		return nil, ErrTooLarge
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	names := re.CapNames()
	if size := sizeOf(re); size.instructions > maxInstructions || size.ranges > maxRanges {
		return nil, ErrTooLarge
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxInstructions || len(prog.Inst)*len(names) > maxCells/2 {
		return nil, ErrTooLarge
	}
	p := &Program{
		code: prog.Inst, start: uint32(prog.Start), names: names,
		anchored: prog.StartCond()&syntax.EmptyBeginText != 0,
	}
	p.skips = p.findFirst()
	return p, nil
}

// wideParts counts \p, \P, and ranges whose end is no plain character.
func wideParts(pattern string) int {
	n := strings.Count(pattern, `\p`) + strings.Count(pattern, `\P`)
	for i := 1; i < len(pattern); i++ {
		if pattern[i-1] == '-' && (pattern[i] == '\\' || pattern[i] >= utf8.RuneSelf) {
			n++
		}
	}
	return n
}

// Effort is about how many nanoseconds it takes to read a pattern, be it one
// or not.
func Effort(pattern string) int64 {
	return 64*int64(len(pattern)) + 25_000*int64(min(wideParts(pattern), maxWide))
}

// Groups is the number of groups, the whole match not counted.
func (p *Program) Groups() int { return len(p.names) - 1 }

// Group is the number of a group with a name, 0 if there is none.
func (p *Program) Group(name string) int {
	for i, n := range p.names {
		if n == name && n != "" {
			return i
		}
	}
	return 0
}

// Instructions is the size of the program.
func (p *Program) Instructions() int { return len(p.code) }

// Bytes is about the memory the program takes.
func (p *Program) Bytes() int {
	n := 1024
	for i := range p.code {
		n += 40 + 4*len(p.code[i].Rune)
	}
	return n
}

// size is what an expression compiles to, at most.
type size struct{ instructions, ranges int64 }

// sizeBound keeps sums and products far from overflow.
const sizeBound = 1 << 30

func (s size) times(n int) size {
	return size{min(s.instructions*int64(n), sizeBound), min(s.ranges*int64(n), sizeBound)}
}

func sizeOf(re *syntax.Regexp) size {
	s := size{instructions: 2}
	for _, sub := range re.Sub {
		t := sizeOf(sub)
		s.instructions += t.instructions + 1
		s.ranges += t.ranges
	}
	switch re.Op {
	case syntax.OpLiteral:
		s.instructions += int64(len(re.Rune))
		s.ranges += int64(len(re.Rune))
	case syntax.OpCharClass:
		s.ranges += int64(len(re.Rune))
	case syntax.OpRepeat:
		// A bound beyond is written as so many optional ones.
		s = s.times(max(re.Min+1, re.Max, 1))
	}
	return size{min(s.instructions, sizeBound), min(s.ranges, sizeBound)}
}

// findFirst fills the table of bytes a match can start with; false if there
// is no use in it.
func (p *Program) findFirst() bool {
	seen := make([]bool, len(p.code))
	row := []uint32{p.start}
	for len(row) > 0 {
		pc := row[len(row)-1]
		row = row[:len(row)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		in := &p.code[pc]
		switch in.Op {
		case syntax.InstMatch:
			return false
		case syntax.InstFail:
		case syntax.InstAlt, syntax.InstAltMatch:
			row = append(row, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstEmptyWidth, syntax.InstNop:
			row = append(row, in.Out)
		default:
			p.addFirst(in)
		}
	}
	return true
}

// addFirst adds what an instruction that takes a character may take.
func (p *Program) addFirst(in *syntax.Inst) {
	for c := range rune(0x80) {
		if in.MatchRune(c) {
			p.first[c] = true
		}
	}
	if in.Op == syntax.InstRune1 && in.Rune[0] < 0x80 {
		return
	}
	for c := 0x80; c < 0x100; c++ {
		p.first[c] = true
	}
}

// Package randomtext makes random texts that match a regular expression, from
// a cryptographic source.
package randomtext

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/avapd/avapd/runtime/pike"
)

const (
	// defaultClass is what a text is made of when nothing is asked for.
	defaultClass = "[0-9A-Za-z]"
	// maxClassBytes bounds a pattern, and maxExpanded the size of its tree with
	// all repetitions written out.
	maxClassBytes = 4096
	maxExpanded   = 100_000
	// openRepeats is how many turns a repetition without an upper bound makes
	// at most beyond its least number.
	openRepeats = 16
	// attempts is how often a match is tried of a pattern whose conditions on
	// its surroundings can fail, as that of \b can.
	attempts = 100
	// freeSteps is the work that is allowed for a text of no bytes.
	freeSteps = 1 << 16
)

// Errors that a caller may want to tell apart.
var (
	ErrTooLong   = errors.New("the random text is too long")
	ErrTooLarge  = errors.New("the regular expression of a random text is too large")
	ErrNoMatch   = errors.New("found no text that matches")
	ErrNegative  = errors.New("the number of random texts is negative")
	errNoChoices = fmt.Errorf("%w: a class is empty", ErrNoMatch)
)

// Generate joins n random matches of the regular expression class, in RE2's
// syntax; without one they are letters and digits of ASCII. A result of more
// than maxBytes is ErrTooLong. A negated class and the point give printable
// ASCII where they can.
func Generate(class string, n, maxBytes int) (string, error) {
	return generate(rand.Reader, class, n, maxBytes)
}

func generate(source io.Reader, class string, n, maxBytes int) (string, error) {
	if n < 0 {
		return "", ErrNegative
	}
	if class == "" {
		class = defaultClass
	}
	if len(class) > maxClassBytes {
		return "", ErrTooLarge
	}
	// What is too large for a search is so here, too.
	if _, err := pike.Compile(class); errors.Is(err, pike.ErrTooLarge) {
		return "", ErrTooLarge
	}
	re, err := syntax.Parse(class, syntax.Perl)
	if err != nil {
		return "", fmt.Errorf("invalid regular expression: %q", class)
	}
	if expandedSize(re) > maxExpanded {
		return "", ErrTooLarge
	}
	g := generator{source: bufio.NewReaderSize(source, 256), maxBytes: maxBytes, steps: freeSteps + 16*maxBytes}
	if conditional(re) {
		// The whole text has to match, with nothing around it.
		if g.whole, err = regexp.Compile(`\A(?:` + class + `)\z`); err != nil {
			return "", ErrTooLarge
		}
	}
	for range n {
		if err := g.match(re); err != nil {
			return "", err
		}
	}
	return string(g.out), nil
}

// sizeBound keeps sizes far from overflow.
const sizeBound = 1 << 30

// expandedSize is how much one match can take to write.
func expandedSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		size += expandedSize(sub)
	}
	if _, most := turns(re); most > 1 {
		size *= most
	}
	return min(size, sizeBound)
}

// turns gives how often at least and at most an operator repeats what is
// under it.
func turns(re *syntax.Regexp) (least, most int) {
	switch re.Op {
	case syntax.OpStar:
		return 0, openRepeats
	case syntax.OpPlus:
		return 1, 1 + openRepeats
	case syntax.OpQuest:
		return 0, 1
	case syntax.OpRepeat:
		if re.Max < 0 {
			return re.Min, re.Min + openRepeats
		}
		return re.Min, re.Max
	default:
		return 1, 1
	}
}

// conditional reports whether an expression looks at what is around a place.
func conditional(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	default:
	}
	return slices.ContainsFunc(re.Sub, conditional)
}

type generator struct {
	source          io.Reader
	out             []byte
	maxBytes, steps int
	whole           *regexp.Regexp // if a match has to be looked at again
}

// match appends one match.
func (g *generator) match(re *syntax.Regexp) error {
	start := len(g.out)
	if g.whole == nil {
		return g.write(re)
	}
	for range attempts {
		g.out = g.out[:start]
		if err := g.write(re); err != nil {
			return err
		}
		if g.whole.Match(g.out[start:]) {
			return nil
		}
	}
	return ErrNoMatch
}

func (g *generator) write(re *syntax.Regexp) error {
	if g.steps--; g.steps < 0 {
		return ErrTooLong
	}
	switch re.Op {
	case syntax.OpNoMatch:
		return errNoChoices
	case syntax.OpLiteral:
		return g.literal(re)
	case syntax.OpCharClass:
		return g.class(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return g.class([]rune{' ', '~'})
	case syntax.OpAlternate:
		i, err := g.below(len(re.Sub))
		if err != nil {
			return err
		}
		return g.write(re.Sub[i])
	case syntax.OpCapture, syntax.OpConcat, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return g.repeat(re)
	default: // conditions take no text
		return nil
	}
}

// repeat writes what is under an operator as often as it says.
func (g *generator) repeat(re *syntax.Regexp) error {
	least, most := turns(re)
	more, err := g.below(most - least + 1)
	if err != nil {
		return err
	}
	for range least + more {
		for _, sub := range re.Sub {
			if err := g.write(sub); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *generator) literal(re *syntax.Regexp) error {
	for _, r := range re.Rune {
		if re.Flags&syntax.FoldCase != 0 {
			var err error
			if r, err = g.anyCase(r); err != nil {
				return err
			}
		}
		if err := g.put(r); err != nil {
			return err
		}
	}
	return nil
}

// anyCase gives one of the characters that are the same without regard to
// case.
func (g *generator) anyCase(r rune) (rune, error) {
	count := 1
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		count++
	}
	turn, err := g.below(count)
	for range turn {
		r = unicode.SimpleFold(r)
	}
	return r, err
}

// class writes one character of the ranges, which come in pairs.
func (g *generator) class(ranges []rune) error {
	if n := len(ranges); n > 0 && ranges[n-1] == unicode.MaxRune {
		// It is a negation, and what is meant is hardly all of Unicode.
		if printable := intersect(ranges, ' ', '~'); len(printable) > 0 {
			ranges = printable
		}
	}
	total := 0
	for i := 0; i+1 < len(ranges); i += 2 {
		total += int(ranges[i+1]-ranges[i]) + 1
	}
	if total == 0 {
		return errNoChoices
	}
	for range attempts {
		k, err := g.below(total)
		if err != nil {
			return err
		}
		if r := nth(ranges, k); utf8.ValidRune(r) { // surrogates are none
			return g.put(r)
		}
	}
	return errNoChoices
}

func intersect(ranges []rune, low, high rune) []rune {
	var common []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		if from, to := max(ranges[i], low), min(ranges[i+1], high); from <= to {
			common = append(common, from, to)
		}
	}
	return common
}

// nth is the character number k of the ranges, which have as many.
func nth(ranges []rune, k int) rune {
	i := 0
	for k > int(ranges[i+1]-ranges[i]) {
		k -= int(ranges[i+1]-ranges[i]) + 1
		i += 2
	}
	return ranges[i] + rune(k)
}

func (g *generator) put(r rune) error {
	if len(g.out)+utf8.RuneLen(r) > g.maxBytes {
		return ErrTooLong
	}
	g.out = utf8.AppendRune(g.out, r)
	g.steps--
	return nil
}

// below gives a number from 0 to n-1, all as likely: numbers of as many bits
// as are needed are drawn until one is small enough.
func (g *generator) below(n int) (int, error) {
	if n <= 1 {
		return 0, nil
	}
	width := bits.Len32(uint32(n - 1))
	for {
		var b [4]byte
		if _, err := io.ReadFull(g.source, b[:(width+7)/8]); err != nil {
			return 0, fmt.Errorf("random source: %w", err)
		}
		if k := int(binary.LittleEndian.Uint32(b[:]) & (1<<width - 1)); k < n {
			return k, nil
		}
	}
}

// Package debug writes what ties a module's code to the source it was made
// from: a DWARF 4 line table, which WebAssembly runtimes outside browsers read,
// and a source map of version 3, which the tools of browsers read.
//
// There is one compilation unit with a line table and nothing else. Names of
// functions and locals are in the module's name section, and the values of a
// script's variables mean nothing to a debugger anyway.
package debug

import (
	"iter"
	"strings"

	"github.com/avapd/avapd/internal/wasm"
)

// Table ties the marks of a module's functions to sources.
type Table struct {
	// Producer names the program that made the module.
	Producer string
	// Sources are the files, the main one first. There is at least one.
	Sources []Source
	// Positions are what marks number; 0 stands for code without a source.
	Positions []Position
}

// Source is a file that code was made from.
type Source struct{ Name, Text string }

// Position is a place in a source. One without a line is no place.
type Position struct {
	Source int // index into Sources
	Line   int // 1-based
	Column int // 1-based, in characters
}

// rows gives where code from another position begins.
func (t *Table) rows(layout *wasm.Layout) iter.Seq2[uint32, Position] {
	return func(yield func(uint32, Position) bool) {
		last := Position{Source: -1}
		for _, m := range layout.Marks {
			var p Position
			if int(m.Position) < len(t.Positions) {
				p = t.Positions[m.Position]
			}
			if p.Line < 1 || p.Source < 0 || p.Source >= len(t.Sources) {
				p = Position{}
			}
			if p != last && !yield(m.Offset, p) {
				return
			}
			last = p
		}
	}
}

// unitColumns counts columns as source maps do: from 0, in units of UTF-16.
type unitColumns struct{ lines []string }

func newUnitColumns(text string) unitColumns { return unitColumns{strings.Split(text, "\n")} }

func (c unitColumns) of(p Position) int {
	units := p.Column - 1
	if p.Line > len(c.lines) {
		return units
	}
	characters := 0
	for _, r := range c.lines[p.Line-1] {
		if characters++; characters >= p.Column {
			break
		}
		if r > 0xffff {
			units++
		}
	}
	return units
}

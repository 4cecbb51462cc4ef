package compiler

import (
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/debug"
)

// unnamed is what debug information calls a script without a name.
const unnamed = "script.avap"

// debug adds the line table to a module and makes its source map. The emitter's
// marks are the numbers of sites.
func (c *compilation) debug(a *Artifact, layout *wasm.Layout) error {
	table := debug.Table{Producer: "avap " + Version, Positions: make([]debug.Position, len(c.program.Sites))}
	for _, f := range c.files {
		name := f.Source.File
		if name == "" {
			name = unnamed
		}
		table.Sources = append(table.Sources, debug.Source{Name: name, Text: f.Source.Text})
	}
	for i, s := range c.program.Sites {
		table.Positions[i] = debug.Position{Source: s.File, Line: s.Line, Column: s.Column}
	}
	for _, section := range table.Sections(layout) {
		a.Wasm = wasm.AppendCustom(a.Wasm, section)
	}
	var err error
	a.SourceMap, err = table.SourceMap(layout)
	return err
}

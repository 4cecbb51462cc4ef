package link

import (
	"fmt"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/wasm"
)

// exports are the script's, then those of the library that are asked for.
func (m *merger) exports() error {
	for _, e := range m.script.Exports {
		if e.Kind == wasm.KindFunc {
			e.Index = m.scriptFuncs[e.Index]
		}
		m.out.Exports = append(m.out.Exports, e)
	}
	for _, e := range m.library.Exports {
		name := m.options.Exports[e.Name]
		if name == "" {
			continue
		}
		if slices.ContainsFunc(m.script.Exports, func(own wasm.Export) bool { return own.Name == name }) {
			return fmt.Errorf("the script exports %q itself", name)
		}
		switch e.Kind {
		case wasm.KindFunc:
			e.Index = m.libraryFuncs[e.Index]
		case wasm.KindGlobal:
			e.Index += uint32(len(m.script.Globals))
		}
		e.Name = name
		m.out.Exports = append(m.out.Exports, e)
	}
	if m.script.HasStart {
		m.out.HasStart, m.out.Start = true, m.scriptFuncs[m.script.Start]
	}
	return nil
}

// segments are the library's data, then the script's: in the order in which a
// pair copies them. Tables are the script's alone.
func (m *merger) segments() error {
	m.out.Segments = slices.Concat(m.library.Segments, m.script.Segments)
	m.out.HasDataCount = m.library.HasDataCount || m.script.HasDataCount
	r := m.renumberScript()
	for _, e := range m.script.Elements {
		e.Funcs = slices.Clone(e.Funcs)
		for i, f := range e.Funcs {
			e.Funcs[i] = m.scriptFuncs[f]
		}
		e.Exprs = slices.Clone(e.Exprs)
		for i, x := range e.Exprs {
			changed, err := r.ConstExpr(x)
			if err != nil {
				return fmt.Errorf("element: %w", err)
			}
			e.Exprs[i] = changed
		}
		m.out.Elements = append(m.out.Elements, e)
	}
	return nil
}

// bodies writes the functions in the order of their numbers.
func (m *merger) bodies() error {
	script, library := m.renumberScript(), m.renumberLibrary()
	m.merged.scripts = make([]moved, len(m.script.Bodies))
	for i := range m.script.Bodies {
		body, at := m.script.Bodies[i], &m.merged.scripts[i]
		at.codeOffset = uint32(body.Offset)
		code, err := script.Code(body.Code, func(from, to int) {
			at.from, at.to = append(at.from, uint32(from)), append(at.to, uint32(to))
		})
		if err != nil {
			return fmt.Errorf("script: %w", err)
		}
		m.out.Bodies = append(m.out.Bodies, wasm.Body{Locals: body.Locals, Code: code})
	}
	for i := range m.library.Bodies {
		if !m.reached[i+len(m.library.Imports)] {
			continue
		}
		body := m.library.Bodies[i]
		code, err := library.Code(body.Code, nil)
		if err != nil {
			return fmt.Errorf("library: %w", err)
		}
		m.out.Bodies = append(m.out.Bodies, wasm.Body{Locals: body.Locals, Code: code})
	}
	return nil
}

// customs are the script's, but for what refers to places in its code.
func (m *merger) customs() error {
	for _, c := range m.script.Customs {
		if c.Name == "name" {
			c.Bytes = m.names().Encode()
		}
		if !strings.HasPrefix(c.Name, ".debug_") && c.Name != "sourceMappingURL" {
			m.out.Customs = append(m.out.Customs, c)
		}
	}
	return nil
}

// names are those of both modules. The script's win where they share an import.
func (m *merger) names() wasm.Names {
	script := m.script.Names()
	out := wasm.Names{Module: script.Module, Funcs: map[uint32]string{}, Locals: map[uint32]map[uint32]string{}}
	add := func(names wasm.Names, table []uint32) {
		for f, name := range names.Funcs {
			if int(f) < len(table) && table[f] != unreached {
				out.Funcs[table[f]] = name
			}
		}
		for f, locals := range names.Locals {
			if int(f) < len(table) && table[f] != unreached {
				out.Locals[table[f]] = locals
			}
		}
	}
	add(m.library.Names(), m.libraryFuncs)
	add(script, m.scriptFuncs)
	return out
}

// Layout translates where the script's code lay to where it lies in the merged
// module; the library's code has no position.
func (m *Merged) Layout(script *wasm.Layout) (wasm.Layout, error) {
	merged, err := wasm.Decode(m.Wasm)
	if err != nil {
		return wasm.Layout{}, fmt.Errorf("link: merged module: %w", err)
	}
	place := merged.Placement()
	out := wasm.Layout{CodeStart: place.CodeStart, CodeSize: place.CodeSize}
	marks := script.Marks
	for i := range m.scripts {
		at, placed := &m.scripts[i], place.Bodies[i]
		code := at.codeOffset - script.CodeStart
		for len(marks) > 0 && marks[0].Offset < code+at.codeLength() {
			offset := placed.Start
			if marks[0].Offset >= code {
				offset = placed.Code + at.place(marks[0].Offset-code)
			}
			out.Marks = append(out.Marks, wasm.PlacedMark{Offset: offset, Position: marks[0].Position})
			marks = marks[1:]
		}
	}
	for _, body := range place.Bodies[len(m.scripts):] {
		out.Marks = append(out.Marks, wasm.PlacedMark{Offset: body.Start})
	}
	return out, nil
}

// codeLength is that of the body as the script had it: its last instruction is
// an end, of one byte.
func (m *moved) codeLength() uint32 {
	if len(m.from) == 0 {
		return 0
	}
	return m.from[len(m.from)-1] + 1
}

// place gives the new offset of an instruction.
func (m *moved) place(from uint32) uint32 {
	i, _ := slices.BinarySearch(m.from, from)
	if i == len(m.to) {
		i--
	}
	return m.to[i]
}

// Package link merges a script module with what it reaches of the library that
// it imports from, into one module that does the same.
//
// The merged module has two fuel cells, as the pair has: what a module spends
// before it asks for more, and so the place at which a limit ends the run, is
// the same. The library's imports and exports that would meet the script's of
// the same name get names of their own; see Options.
package link

import (
	"errors"
	"fmt"
	"strings"

	"github.com/avapd/avapd/internal/wasm"
)

// Options say how the two modules know each other.
type Options struct {
	// Library is the module name from which the script imports.
	Library string
	// Imports gives new names to imports of the library.
	Imports map[wasm.ImportName]wasm.ImportName
	// Exports are what the merged module exports of the library, with the names
	// it gets.
	Exports map[string]string
}

// Merged is a module made of two.
type Merged struct {
	Wasm []byte

	scripts []moved // by body of the script
}

// moved tells where the code of a body came to lie.
type moved struct {
	from, to   []uint32 // offsets of instructions in the code
	codeOffset uint32   // in the script's file
}

// merger does the work of one Merge.
type merger struct {
	options         Options
	library, script *wasm.Binary
	out             wasm.Binary
	types           map[string]uint32
	// libraryFuncs and scriptFuncs say what the functions of either module
	// become.
	libraryFuncs, scriptFuncs []uint32
	// reached lists the library's functions, by index, that are needed.
	reached []bool
	merged  Merged
}

const unreached = ^uint32(0)

// Merge makes one module of a library and a script that imports functions and
// its memory from it. The same modules give the same bytes. What the script
// does not reach of the library is left out, its memory and data apart.
//
// Debug information that refers to offsets in the script's code is dropped;
// Layout tells how to make it anew.
func Merge(library, script []byte, o Options) (*Merged, error) {
	m := &merger{options: o, types: map[string]uint32{}}
	var err error
	if m.library, err = wasm.Decode(library); err != nil {
		return nil, fmt.Errorf("link: library: %w", err)
	}
	if m.script, err = wasm.Decode(script); err != nil {
		return nil, fmt.Errorf("link: script: %w", err)
	}
	for _, step := range []func() error{m.check, m.reach, m.functions, m.memory, m.globals, m.exports, m.segments, m.bodies, m.customs} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("link: %w", err)
		}
	}
	m.merged.Wasm = m.out.Encode()
	return &m.merged, nil
}

// check refuses what the merger is not made for. The library is ours, and the
// script comes from our compiler, so that none of this is the reader's doing.
func (m *merger) check() error {
	l, s := m.library, m.script
	switch {
	case len(l.Tables) > 0 || len(l.Elements) > 0 || l.HasStart:
		return errors.New("the library has a table or a start function")
	case l.ImportCount(wasm.KindFunc) != len(l.Imports):
		return errors.New("the library imports more than functions")
	case len(l.Memories) != 1 || len(s.Memories) != 0:
		return errors.New("the library must have the only memory")
	case s.ImportCount(wasm.KindGlobal) > 0 || s.ImportCount(wasm.KindTable) > 0:
		return errors.New("the script imports a global or a table")
	}
	return nil
}

// libraryExport finds what the script imports from the library.
func (m *merger) libraryExport(name string, kind wasm.ExportKind) (uint32, error) {
	for i := range m.library.Exports {
		if e := &m.library.Exports[i]; e.Name == name && e.Kind == kind {
			return e.Index, nil
		}
	}
	return 0, fmt.Errorf("the library does not export %q", name)
}

// fromLibrary reports whether the script's import is the library's to give.
func (m *merger) fromLibrary(i *wasm.Import) bool { return i.Module == m.options.Library }

// reach marks the library's functions that the script or an export needs.
func (m *merger) reach() error {
	l := m.library
	imported := l.ImportCount(wasm.KindFunc)
	m.reached = make([]bool, imported+len(l.Funcs))
	var todo []uint32
	need := func(f uint32) {
		if !m.reached[f] {
			m.reached[f] = true
			todo = append(todo, f)
		}
	}
	for i := range m.script.Imports {
		imp := &m.script.Imports[i]
		if !m.fromLibrary(imp) || imp.Kind != wasm.KindFunc {
			continue
		}
		f, err := m.libraryExport(imp.Field, wasm.KindFunc)
		if err != nil {
			return err
		}
		need(f)
	}
	for i := range l.Exports {
		if e := &l.Exports[i]; e.Kind == wasm.KindFunc && m.options.Exports[e.Name] != "" {
			need(e.Index)
		}
	}
	for len(todo) > 0 {
		f := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if int(f) < imported {
			continue
		}
		code := wasm.NewCodeReader(l.Bodies[int(f)-imported].Code, 0)
		for in, ok := code.Next(); ok; in, ok = code.Next() {
			if in.Op == wasm.OpCall {
				if int(in.Index) >= len(m.reached) {
					return fmt.Errorf("library: function %d does not exist", in.Index)
				}
				need(in.Index)
			}
		}
		if err := code.Err(); err != nil {
			return fmt.Errorf("library: %w", err)
		}
	}
	return nil
}

// typeIndex gives a signature its number in the merged module.
func (m *merger) typeIndex(t wasm.FuncType) uint32 {
	var key strings.Builder
	for _, p := range t.Params {
		key.WriteByte(byte(p))
	}
	key.WriteByte(0)
	for _, r := range t.Results {
		key.WriteByte(byte(r))
	}
	n, ok := m.types[key.String()]
	if !ok {
		n = uint32(len(m.out.Types))
		m.types[key.String()] = n
		m.out.Types = append(m.out.Types, t)
	}
	return n
}

// functions numbers the functions: the script's imports, the library's, the
// script's functions, the library's.
func (m *merger) functions() error {
	l, s := m.library, m.script
	m.libraryFuncs = make([]uint32, len(m.reached))
	for i := range m.libraryFuncs {
		m.libraryFuncs[i] = unreached
	}
	m.scriptFuncs = make([]uint32, s.ImportCount(wasm.KindFunc), s.ImportCount(wasm.KindFunc)+len(s.Funcs))
	f := 0
	for i := range s.Imports {
		imp := &s.Imports[i]
		if imp.Kind != wasm.KindFunc {
			continue
		}
		if !m.fromLibrary(imp) {
			m.scriptFuncs[f] = m.importFunc(imp.ImportName, s.Types[imp.Type])
		}
		f++
	}
	for i := range l.Imports {
		if imp := &l.Imports[i]; m.reached[i] {
			name := imp.ImportName
			if renamed, ok := m.options.Imports[name]; ok {
				name = renamed
			}
			m.libraryFuncs[i] = m.importFunc(name, l.Types[imp.Type])
		}
	}
	imports := uint32(len(m.out.Imports))
	for _, t := range s.Funcs {
		m.scriptFuncs = append(m.scriptFuncs, imports+uint32(len(m.out.Funcs)))
		m.out.Funcs = append(m.out.Funcs, m.typeIndex(s.Types[t]))
	}
	for i, t := range l.Funcs {
		if n := i + len(l.Imports); m.reached[n] {
			m.libraryFuncs[n] = imports + uint32(len(m.out.Funcs))
			m.out.Funcs = append(m.out.Funcs, m.typeIndex(l.Types[t]))
		}
	}
	return m.resolve()
}

// importFunc adds an import; an equal one is used twice.
func (m *merger) importFunc(name wasm.ImportName, t wasm.FuncType) uint32 {
	n := m.typeIndex(t)
	for i := range m.out.Imports {
		if imp := &m.out.Imports[i]; imp.ImportName == name && imp.Type == n {
			return uint32(i)
		}
	}
	m.out.Imports = append(m.out.Imports, wasm.Import{ImportName: name, Kind: wasm.KindFunc, Type: n})
	return uint32(len(m.out.Imports) - 1)
}

// resolve puts the library's functions in the place of the script's imports.
func (m *merger) resolve() error {
	f := 0
	for i := range m.script.Imports {
		imp := &m.script.Imports[i]
		if imp.Kind != wasm.KindFunc {
			continue
		}
		if m.fromLibrary(imp) {
			export, err := m.libraryExport(imp.Field, wasm.KindFunc)
			if err != nil {
				return err
			}
			t, ok := m.library.FuncTypeOf(export)
			if !ok || !t.Equal(m.script.Types[imp.Type]) {
				return fmt.Errorf("the library's %s has another signature", imp.Field)
			}
			m.scriptFuncs[f] = m.libraryFuncs[export]
		}
		f++
	}
	return nil
}

// addressablePages is what 32 bits can address.
const addressablePages = 1 << 32 / wasm.PageSize

// memory is the library's, large enough for the script's data: that is copied
// in when the module is instantiated, before a host could let it grow.
func (m *merger) memory() error {
	limits := m.library.Memories[0]
	for i := range m.script.Imports {
		if imp := &m.script.Imports[i]; imp.Kind == wasm.KindMemory {
			limits.Min = max(limits.Min, imp.Memory.Min)
		}
	}
	for i := range m.script.Segments {
		s := &m.script.Segments[i]
		if s.Mode != wasm.SegmentActive {
			continue
		}
		in, ok := wasm.NewCodeReader(s.Offset, 0).Next()
		if !ok || in.Op != wasm.OpI32Const {
			return errors.New("a data segment's place is not a number")
		}
		end := uint64(uint32(in.Bits)) + uint64(len(s.Bytes))
		limits.Min = max(limits.Min, uint32((end+wasm.PageSize-1)/wasm.PageSize))
	}
	if limits.Min > addressablePages || limits.HasMax && limits.Min > limits.Max {
		return errors.New("the script needs more memory than the library may have")
	}
	m.out.Memories = []wasm.Limits{limits}
	m.out.Tables = m.script.Tables
	return nil
}

// globals are the script's, then the library's.
func (m *merger) globals() error {
	for _, part := range []struct {
		from      *wasm.Binary
		renumbers wasm.Renumbering
	}{{m.script, m.renumberScript()}, {m.library, m.renumberLibrary()}} {
		for _, g := range part.from.Globals {
			init, err := part.renumbers.ConstExpr(g.Init)
			if err != nil {
				return fmt.Errorf("global: %w", err)
			}
			m.out.Globals = append(m.out.Globals, wasm.GlobalDef{GlobalType: g.GlobalType, Init: init})
		}
	}
	return nil
}

func (m *merger) renumberScript() wasm.Renumbering {
	return wasm.Renumbering{
		Func: within(m.scriptFuncs),
		Type: m.typesOf(m.script),
		Data: func(i uint32) uint32 { return i + uint32(len(m.library.Segments)) },
	}
}

func (m *merger) renumberLibrary() wasm.Renumbering {
	return wasm.Renumbering{
		Func:   within(m.libraryFuncs),
		Type:   m.typesOf(m.library),
		Global: func(i uint32) uint32 { return i + uint32(len(m.script.Globals)) },
	}
}

// within looks indices up. One that does not exist stays so.
func within(table []uint32) func(uint32) uint32 {
	return func(i uint32) uint32 {
		if int(i) < len(table) {
			return table[i]
		}
		return unreached
	}
}

func (m *merger) typesOf(b *wasm.Binary) func(uint32) uint32 {
	return func(i uint32) uint32 {
		if int(i) < len(b.Types) {
			return m.typeIndex(b.Types[i])
		}
		return unreached
	}
}

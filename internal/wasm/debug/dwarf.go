package debug

import (
	"encoding/binary"

	"github.com/avapd/avapd/internal/wasm"
)

// The codes of DWARF 4 that are used here, by their names in the standard.
const (
	tagCompileUnit = 0x11

	attrName     = 0x03
	attrStmtList = 0x10
	attrLowPC    = 0x11
	attrHighPC   = 0x12
	attrProducer = 0x25

	formAddr      = 0x01
	formData4     = 0x06
	formString    = 0x08
	formSecOffset = 0x17

	lnsAdvancePC   = 2
	lnsAdvanceLine = 3
	lnsSetFile     = 4
	lnsSetColumn   = 5
	lneEndSequence = 1
	lneSetAddress  = 2

	version      = 4
	addressBytes = 4
	noChildren   = 0
	unitAbbrev   = 1
)

// Special opcodes advance address and line at once; these are the values that
// are customary.
const (
	opcodeBase = 13
	lineBase   = -5
	lineRange  = 14
)

// operands are the numbers of operands of the standard opcodes.
var operands = [opcodeBase - 1]byte{0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1}

// Sections gives the custom sections of the line table.
func (t *Table) Sections(layout *wasm.Layout) []wasm.Custom {
	if len(layout.Marks) == 0 {
		return nil
	}
	return []wasm.Custom{
		{Name: ".debug_abbrev", Bytes: abbreviations()},
		{Name: ".debug_info", Bytes: t.info(layout)},
		{Name: ".debug_line", Bytes: t.lineTable(layout)},
	}
}

func abbreviations() []byte {
	return []byte{
		unitAbbrev, tagCompileUnit, noChildren,
		attrProducer, formString,
		attrName, formString,
		attrStmtList, formSecOffset,
		attrLowPC, formAddr,
		attrHighPC, formData4,
		0, 0, // end of the attributes
		0, // end of the abbreviations
	}
}

func (t *Table) info(layout *wasm.Layout) []byte {
	// The unit starts at the first function's body and not at 0, which readers
	// take for code that a linker left out.
	low := layout.Marks[0].Offset
	b := binary.LittleEndian.AppendUint16(nil, version)
	b = binary.LittleEndian.AppendUint32(b, 0) // offset in .debug_abbrev
	b = append(b, addressBytes, unitAbbrev)
	b = appendString(b, t.Producer)
	b = appendString(b, t.Sources[0].Name)
	b = binary.LittleEndian.AppendUint32(b, 0) // offset in .debug_line
	b = binary.LittleEndian.AppendUint32(b, low)
	b = binary.LittleEndian.AppendUint32(b, layout.CodeSize-low)
	return prefixed(b)
}

// prefixed puts the length before a unit.
func prefixed(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func appendString(b []byte, s string) []byte { return append(append(b, s...), 0) }

func (t *Table) lineTable(layout *wasm.Layout) []byte {
	header := []byte{1, 1, 1} // bytes and operations per instruction; rows are statements
	base := lineBase          // no constant, which could not become a byte
	header = append(header, byte(base), lineRange, opcodeBase)
	header = append(header, operands[:]...)
	header = append(header, 0) // no directories
	for _, s := range t.Sources {
		header = appendString(header, s.Name)
		header = append(header, 0, 0, 0) // directory, time and length: unknown
	}
	header = append(header, 0)
	b := binary.LittleEndian.AppendUint16(nil, version)
	b = append(b, prefixed(header)...)
	return prefixed(append(b, t.lineProgram(layout)...))
}

// lineProgram is one sequence over all code.
func (t *Table) lineProgram(layout *wasm.Layout) []byte {
	at := layout.Marks[0].Offset
	b := []byte{0, 1 + addressBytes, lneSetAddress}
	b = binary.LittleEndian.AppendUint32(b, at)
	was := Position{Source: 0, Line: 1, Column: 0} // as the standard has it
	for offset, p := range t.rows(layout) {
		if p.Source != was.Source {
			b = append(b, lnsSetFile)
			b = wasm.AppendUleb(b, uint64(p.Source)+1)
		}
		if p.Column != was.Column {
			b = append(b, lnsSetColumn)
			b = wasm.AppendUleb(b, uint64(p.Column))
		}
		b = appendRow(b, offset-at, p.Line-was.Line)
		at, was = offset, p
	}
	b = append(b, lnsAdvancePC)
	b = wasm.AppendUleb(b, uint64(layout.CodeSize-at))
	return append(b, 0, 1, lneEndSequence)
}

// appendRow advances address and line and writes a row.
func appendRow(b []byte, addresses uint32, lines int) []byte {
	if lines < lineBase || lines >= lineBase+lineRange {
		b = append(b, lnsAdvanceLine)
		b = wasm.AppendSleb(b, int64(lines))
		lines = 0
	}
	if special := uint64(addresses)*lineRange + uint64(lines-lineBase) + opcodeBase; special <= 0xff {
		return append(b, byte(special))
	}
	b = append(b, lnsAdvancePC)
	b = wasm.AppendUleb(b, uint64(addresses))
	return append(b, byte(lines-lineBase+opcodeBase))
}

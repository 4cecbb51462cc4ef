package catalogimport

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The tables and the columns that are read of them.
const (
	functionTable = "obex_dapl_functions"
	bytecodeTable = "avap_bytecode"
)

// Catalogue is what the two tables hold.
type Catalogue struct {
	Functions []Function
	Bytecode  []Bytecode
}

// Function is a row of obex_dapl_functions.
type Function struct {
	Name        string
	Interface   []Parameter
	Description string
	Code        string

	interfaceNote string
}

// Parameter is an item of a function's interface.
type Parameter struct {
	Item string `json:"item"`
	Type string `json:"type"`
}

// Bytecode is a row of avap_bytecode.
type Bytecode struct {
	Command string
	Content []byte
}

// ErrNoTable says that what was read holds no catalogue.
var ErrNoTable = errors.New("there is no table " + functionTable + " with the columns name and code")

// maxRows bounds the rows of a table.
const maxRows = 100_000

// table is rows of text; an absent or null value is empty.
type table struct {
	columns []string
	rows    [][]string
}

// column gives the position of a column, or -1. Names are compared as SQL does.
func (t *table) column(name string) int {
	return slices.IndexFunc(t.columns, func(c string) bool { return strings.EqualFold(c, name) })
}

func (t *table) at(row []string, name string) string {
	if i := t.column(name); i >= 0 && i < len(row) {
		return row[i]
	}
	return ""
}

// catalogue makes one of the tables; that of bytecode may be missing.
func catalogue(tables map[string]*table) (*Catalogue, error) {
	functions := tables[functionTable]
	if functions == nil || functions.column("name") < 0 || functions.column("code") < 0 {
		return nil, ErrNoTable
	}
	for name, t := range tables {
		if len(t.rows) > maxRows {
			return nil, fmt.Errorf("the table %s has more than %d rows", name, maxRows)
		}
	}
	c := new(Catalogue)
	for _, row := range functions.rows {
		f := Function{Name: strings.TrimSpace(functions.at(row, "name")), Description: functions.at(row, "description"), Code: functions.at(row, "code")}
		f.parse(functions.at(row, "interface"))
		c.Functions = append(c.Functions, f)
	}
	if compiled := tables[bytecodeTable]; compiled != nil {
		for _, row := range compiled.rows {
			c.Bytecode = append(c.Bytecode, Bytecode{strings.TrimSpace(compiled.at(row, "command_name")), content(compiled.at(row, "bytecode"))})
		}
	}
	return c, nil
}

// content gives the bytes that a text stands for: hexadecimal as PostgreSQL
// writes it, or base64, or itself.
func content(text string) []byte {
	if digits, ok := strings.CutPrefix(text, `\x`); ok {
		if raw, err := hex.DecodeString(digits); err == nil {
			return raw
		}
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
		return raw
	}
	return []byte(text)
}

// A package of the reference server is a header (magic, version and length of
// the code), a message authentication code and the code, in Python.
const (
	packageMagic  = "AVAP"
	packageHeader = 4 + 2 + 4
	packageMAC    = 32
)

// unpack takes the code out of a package. Its authentication code is not
// looked at: nothing here runs the code.
func unpack(pack []byte) (string, bool) {
	if len(pack) < packageHeader+packageMAC || !bytes.HasPrefix(pack, []byte(packageMagic)) {
		return "", false
	}
	code := pack[packageHeader+packageMAC:]
	if length := binary.BigEndian.Uint32(pack[6:]); int64(length) != int64(len(code)) {
		return "", false
	}
	return string(code), true
}

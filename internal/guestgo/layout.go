package guestgo

import (
	"encoding/binary"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"math"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// layout hands out static addresses: package variables, then tables, then
// literals in the order in which code asks for them.
type layout struct {
	data     []byte // from abi.LibraryBase
	vars     map[*types.Var]uint32
	literals map[string]uint32
}

func newLayout(p *program) *layout {
	l := &layout{vars: map[*types.Var]uint32{}, literals: map[string]uint32{}}
	p.eachGlobal(func(v *types.Var, value ast.Expr) {
		if t := scalar(v.Type()); t != 0 {
			l.align(uint32(sizeOf(t)))
			l.vars[v] = l.next()
			if value != nil {
				l.data = appendConst(l.data, v.Type(), p.info.Types[value].Value)
			} else {
				l.data = append(l.data, make([]byte, sizeOf(t))...)
			}
		}
	})
	p.eachGlobal(func(v *types.Var, value ast.Expr) {
		if a, ok := v.Type().Underlying().(*types.Array); ok {
			l.align(tableAlign)
			l.vars[v] = l.next()
			l.data = append(l.data, p.tableData(a, value.(*ast.CompositeLit))...)
		}
	})
	return l
}

// tableAlign keeps a table's first elements in one cache line.
const tableAlign = 16

func (l *layout) next() uint32 { return abi.LibraryBase + uint32(len(l.data)) }

func (l *layout) align(n uint32) {
	for l.next()%n != 0 {
		l.data = append(l.data, 0)
	}
}

// literal gives the address of a constant text.
func (l *layout) literal(s string) uint32 {
	if p, ok := l.literals[s]; ok {
		return p
	}
	p := l.next()
	l.literals[s] = p
	l.data = append(l.data, s...)
	return p
}

// segment gives the data without the zeros at both ends, which fresh memory
// has anyway.
func (l *layout) segment() (offset uint32, data []byte) {
	data = l.data
	offset = abi.LibraryBase
	for len(data) > 0 && data[0] == 0 {
		data = data[1:]
		offset++
	}
	for len(data) > 0 && data[len(data)-1] == 0 {
		data = data[:len(data)-1]
	}
	return offset, data
}

// eachGlobal visits the package variables in the order of the sources.
func (p *program) eachGlobal(visit func(v *types.Var, value ast.Expr)) {
	for _, file := range p.files {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				s := spec.(*ast.ValueSpec)
				for i, name := range s.Names {
					var value ast.Expr
					if i < len(s.Values) {
						value = s.Values[i]
					}
					if v, ok := p.info.Defs[name].(*types.Var); ok {
						visit(v, value)
					}
				}
			}
		}
	}
}

// tableData gives a table's bytes. Elements with a key, as in {'a': 1}, set
// the position for those that follow.
func (p *program) tableData(a *types.Array, lit *ast.CompositeLit) []byte {
	size := elementSize(a.Elem())
	data := make([]byte, size*int(a.Len()))
	at := 0
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			i, _ := constant.Int64Val(constant.ToInt(p.info.Types[kv.Key].Value))
			at, e = int(i), kv.Value
		}
		copy(data[at*size:], appendConst(nil, a.Elem(), p.info.Types[e].Value))
		at++
	}
	return data
}

func sizeOf(t wasm.ValType) int {
	if t == wasm.I32 {
		return 4
	}
	return 8
}

func elementSize(t types.Type) int {
	switch t.Underlying().(*types.Basic).Kind() {
	case types.Uint8:
		return 1
	case types.Uint16:
		return 2
	}
	return sizeOf(scalar(t))
}

// appendConst appends a constant as it lies in memory.
func appendConst(b []byte, t types.Type, v constant.Value) []byte {
	bits := constBits(t, v)
	switch elementSize(t) {
	case 1:
		return append(b, byte(bits))
	case 2:
		return binary.LittleEndian.AppendUint16(b, uint16(bits))
	case 4:
		return binary.LittleEndian.AppendUint32(b, uint32(bits))
	}
	return binary.LittleEndian.AppendUint64(b, bits)
}

// constBits gives a constant's bits in its type.
func constBits(t types.Type, v constant.Value) uint64 {
	switch {
	case v.Kind() == constant.Bool:
		if constant.BoolVal(v) {
			return 1
		}
		return 0
	case scalar(t) == wasm.F64:
		f, _ := constant.Float64Val(constant.ToFloat(v))
		return math.Float64bits(f)
	}
	v = constant.ToInt(v)
	if i, ok := constant.Int64Val(v); ok {
		return uint64(i)
	}
	u, _ := constant.Uint64Val(v)
	return u
}

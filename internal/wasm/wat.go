package wasm

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// WriteText writes the module in WebAssembly's text format, which standard
// tools assemble to the same sections. Instructions are flat, one a line and
// indented by block; names come from the name section. Custom sections are
// left out but for a comment with their name and size.
func (b *Binary) WriteText(w io.Writer) error {
	p := &textPrinter{b: b, names: b.Names()}
	p.identifiers()
	if err := p.module(); err != nil {
		return err
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

// maxIndent bounds the indentation, or deep nesting would make a small module
// a huge text.
const maxIndent = 40

// textPrinter collects the text.
type textPrinter struct {
	b     *Binary
	names Names
	funcs []string // identifier or index of each function
	out   strings.Builder
	depth int
}

func (p *textPrinter) line(format string, args ...any) {
	for range min(p.depth, maxIndent) {
		p.out.WriteString("  ")
	}
	fmt.Fprintf(&p.out, format, args...)
	p.out.WriteByte('\n')
}

// identifiers names the functions; a name that is taken gets its index.
func (p *textPrinter) identifiers() {
	n := p.b.ImportCount(KindFunc) + len(p.b.Funcs)
	p.funcs = make([]string, n)
	taken := map[string]bool{}
	for i := range p.funcs {
		id := identifier(p.names.Funcs[uint32(i)])
		if taken[id] {
			id += "." + strconv.Itoa(i)
		}
		if id == "" || taken[id] {
			p.funcs[i] = strconv.Itoa(i)
			continue
		}
		taken[id] = true
		p.funcs[i] = id
	}
}

// identifier turns a name into one of the text format, or "".
func identifier(name string) string {
	if name == "" {
		return ""
	}
	return "$" + strings.Map(func(c rune) rune {
		if c > ' ' && c < 0x7f && !strings.ContainsRune("\",;()[]{}", c) {
			return c
		}
		return '_'
	}, name)
}

func (p *textPrinter) module() error {
	if id := identifier(p.names.Module); id != "" {
		p.line("(module %s", id)
	} else {
		p.line("(module")
	}
	p.depth++
	for i, t := range p.b.Types {
		p.line("(type (;%d;) (func%s))", i, typeText(t))
	}
	p.imports()
	first := uint32(p.b.ImportCount(KindFunc))
	for i := range p.b.Funcs {
		if err := p.function(first+uint32(i), &p.b.Bodies[i]); err != nil {
			return err
		}
	}
	if err := p.definitions(); err != nil {
		return err
	}
	for i := range p.b.Customs {
		c := &p.b.Customs[i]
		p.line(";; custom section %s, %d bytes", quoted([]byte(c.Name)), len(c.Bytes))
	}
	p.depth--
	p.line(")")
	return nil
}

func typeText(t FuncType) string { return partText("param", t.Params) + partText("result", t.Results) }

func partText(word string, ts []ValType) string {
	if len(ts) == 0 {
		return ""
	}
	var s strings.Builder
	s.WriteString(" (" + word)
	for _, t := range ts {
		s.WriteString(" " + t.String())
	}
	s.WriteString(")")
	return s.String()
}

func (p *textPrinter) imports() {
	var n [4]int
	for i := range p.b.Imports {
		imp := &p.b.Imports[i]
		var what string
		switch at := n[imp.Kind]; imp.Kind {
		case KindFunc:
			what = fmt.Sprintf("(func %s (type %d))", p.declared(at), imp.Type)
		case KindTable:
			what = fmt.Sprintf("(table (;%d;) %s)", at, tableText(imp.Table))
		case KindMemory:
			what = fmt.Sprintf("(memory (;%d;) %s)", at, limitsText(imp.Memory))
		case KindGlobal:
			what = fmt.Sprintf("(global (;%d;) %s)", at, globalText(imp.Global))
		}
		n[imp.Kind]++
		p.line("(import %s %s %s)", quoted([]byte(imp.Module)), quoted([]byte(imp.Field)), what)
	}
}

// declared is a function's identifier, or a comment with its index.
func (p *textPrinter) declared(i int) string {
	if id := p.funcs[i]; strings.HasPrefix(id, "$") {
		return id
	}
	return fmt.Sprintf("(;%d;)", i)
}

func (p *textPrinter) fn(i uint32) string {
	if int(i) < len(p.funcs) {
		return p.funcs[i]
	}
	return strconv.Itoa(int(i))
}

func limitsText(l Limits) string {
	if l.HasMax {
		return fmt.Sprintf("%d %d", l.Min, l.Max)
	}
	return strconv.Itoa(int(l.Min))
}

func tableText(t TableType) string { return limitsText(t.Limits) + " " + t.Elem.String() }

func globalText(t GlobalType) string {
	if t.Mutable {
		return "(mut " + t.Type.String() + ")"
	}
	return t.Type.String()
}

// definitions writes everything but functions.
func (p *textPrinter) definitions() error {
	for i, t := range p.b.Tables {
		p.line("(table (;%d;) %s)", i+p.b.ImportCount(KindTable), tableText(t))
	}
	for i, m := range p.b.Memories {
		p.line("(memory (;%d;) %s)", i+p.b.ImportCount(KindMemory), limitsText(m))
	}
	for i, g := range p.b.Globals {
		init, err := p.constText(g.Init)
		if err != nil {
			return err
		}
		p.line("(global (;%d;) %s %s)", i+p.b.ImportCount(KindGlobal), globalText(g.GlobalType), init)
	}
	for _, e := range p.b.Exports {
		target := strconv.Itoa(int(e.Index))
		if e.Kind == KindFunc {
			target = p.fn(e.Index)
		}
		p.line("(export %s (%s %s))", quoted([]byte(e.Name)), [...]string{"func", "table", "memory", "global"}[e.Kind], target)
	}
	if p.b.HasStart {
		p.line("(start %s)", p.fn(p.b.Start))
	}
	for i := range p.b.Elements {
		if err := p.element(i, &p.b.Elements[i]); err != nil {
			return err
		}
	}
	return p.segments()
}

func (p *textPrinter) element(i int, e *ElementSegment) error {
	var head strings.Builder
	fmt.Fprintf(&head, "(elem (;%d;)", i)
	switch e.Mode {
	case SegmentActive:
		offset, err := p.constText(e.Offset)
		if err != nil {
			return err
		}
		if e.Table != 0 || e.Exprs != nil {
			fmt.Fprintf(&head, " (table %d)", e.Table)
		}
		head.WriteString(" " + offset)
	case SegmentDeclared:
		head.WriteString(" declare")
	}
	if e.Exprs == nil {
		head.WriteString(" func")
		for _, f := range e.Funcs {
			head.WriteString(" " + p.fn(f))
		}
	} else {
		head.WriteString(" " + e.Elem.String())
		for _, x := range e.Exprs {
			text, err := p.constText(x)
			if err != nil {
				return err
			}
			head.WriteString(" (item " + text + ")")
		}
	}
	p.line("%s)", head.String())
	return nil
}

func (p *textPrinter) segments() error {
	for i := range p.b.Segments {
		s := &p.b.Segments[i]
		offset := ""
		if s.Mode == SegmentActive {
			text, err := p.constText(s.Offset)
			if err != nil {
				return err
			}
			offset = " " + text
		}
		p.line("(data (;%d;)%s %s)", i, offset, quoted(s.Bytes))
	}
	return nil
}

// constText writes a constant expression folded.
func (p *textPrinter) constText(code []byte) (string, error) {
	r := NewCodeReader(code, 0)
	var parts []string
	for {
		in, ok := r.Next()
		if !ok || in.Op == OpEnd {
			break
		}
		parts = append(parts, "("+p.instruction(&in, nil)+")")
	}
	return strings.Join(parts, " "), r.Err()
}

func (p *textPrinter) function(index uint32, body *Body) error {
	t, _ := p.b.FuncTypeOf(index)
	locals := p.names.Locals[index]
	typeIndex := p.b.Funcs[int(index)-p.b.ImportCount(KindFunc)]
	var head strings.Builder
	fmt.Fprintf(&head, "(func %s (type %d)", p.declared(int(index)), typeIndex)
	names := &localNames{taken: map[string]bool{}}
	for i, v := range t.Params {
		head.WriteString(names.declare("param", locals[uint32(i)], v))
	}
	p.line("%s%s", head.String(), partText("result", t.Results))
	p.depth++
	for _, run := range body.Locals {
		var decl strings.Builder
		for range run.Count {
			decl.WriteString(names.declare("local", locals[uint32(len(names.ids))], run.Type))
		}
		if decl.Len() > 0 {
			p.line("%s", decl.String()[1:])
		}
	}
	base := p.depth
	r := NewCodeReader(body.Code, body.Offset)
	for {
		in, ok := r.Next()
		if !ok {
			break
		}
		if in.Op == OpEnd && p.depth == base {
			break // the function's own
		}
		if in.Op == OpEnd || in.Op == OpElse {
			p.depth = max(p.depth-1, base)
		}
		p.line("%s", p.instruction(&in, names.ids))
		switch in.Op {
		case OpBlock, OpLoop, OpIf, OpElse:
			p.depth++
		}
	}
	p.depth = base - 1
	p.line(")")
	return r.Err()
}

// localNames gives each local an identifier or its index.
type localNames struct {
	ids   []string
	taken map[string]bool
}

func (n *localNames) declare(word, name string, t ValType) string {
	id := identifier(name)
	if id == "" || n.taken[id] {
		n.ids = append(n.ids, strconv.Itoa(len(n.ids)))
		return fmt.Sprintf(" (%s %s)", word, t)
	}
	n.taken[id] = true
	n.ids = append(n.ids, id)
	return fmt.Sprintf(" (%s %s %s)", word, id, t)
}

// instruction writes an instruction with its operands.
func (p *textPrinter) instruction(in *Instruction, locals []string) string {
	name := in.Op.String()
	switch in.Op {
	case OpBlock, OpLoop, OpIf:
		return name + p.blockText(in.Block)
	case OpLocalGet, OpLocalSet, OpLocalTee:
		if int(in.Index) < len(locals) {
			return name + " " + locals[in.Index]
		}
	case OpCall, OpRefFunc:
		return name + " " + p.fn(in.Index)
	case OpCallIndirect:
		return fmt.Sprintf("%s %d (type %d)", name, in.Second, in.Index)
	case OpTableInit:
		return fmt.Sprintf("%s %d %d", name, in.Second, in.Index)
	case OpTableCopy:
		return fmt.Sprintf("%s %d %d", name, in.Index, in.Second)
	case OpBrTable:
		for _, l := range in.Labels {
			name += " " + strconv.Itoa(int(l))
		}
	case OpSelectT:
		return name + partText("result", in.Types)
	case OpRefNull:
		return name + " " + strings.TrimSuffix(in.Types[0].String(), "ref")
	case OpI32Const:
		return fmt.Sprintf("%s %d", name, int32(in.Bits))
	case OpI64Const:
		return fmt.Sprintf("%s %d", name, int64(in.Bits))
	case OpF32Const:
		return name + " " + float32Text(uint32(in.Bits))
	case OpF64Const:
		return name + " " + float64Text(in.Bits)
	}
	switch {
	case in.Op >= OpI32Load && in.Op <= OpI64Store32:
		return name + memoryText(in)
	case hasIndex(in.Op):
		return fmt.Sprintf("%s %d", name, in.Index)
	}
	return name
}

func hasIndex(op Opcode) bool {
	switch op {
	case OpBr, OpBrIf, OpBrTable, OpLocalGet, OpLocalSet, OpLocalTee, OpGlobalGet, OpGlobalSet, OpTableGet, OpTableSet,
		OpMemoryInit, OpDataDrop, OpElemDrop, OpTableGrow, OpTableSize, OpTableFill:
		return true
	}
	return false
}

func (p *textPrinter) blockText(b BlockType) string {
	switch {
	case b.HasIndex && int(b.Index) < len(p.b.Types):
		return fmt.Sprintf(" (type %d)%s", b.Index, typeText(p.b.Types[b.Index]))
	case b.HasIndex:
		return fmt.Sprintf(" (type %d)", b.Index)
	case b.Value != 0:
		return partText("result", []ValType{b.Value})
	}
	return ""
}

func memoryText(in *Instruction) string {
	s := ""
	if in.MemOffset != 0 {
		s += fmt.Sprintf(" offset=%d", in.MemOffset)
	}
	if in.Align != in.Op.NaturalAlign() && in.Align < 32 {
		s += fmt.Sprintf(" align=%d", uint32(1)<<in.Align)
	}
	return s
}

func float64Text(bits uint64) string {
	f := math.Float64frombits(bits)
	switch {
	case math.IsNaN(f):
		return nanText(bits>>63 != 0, bits&(1<<52-1))
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func float32Text(bits uint32) string {
	f := math.Float32frombits(bits)
	switch {
	case f != f:
		return nanText(bits>>31 != 0, uint64(bits&(1<<23-1)))
	case math.IsInf(float64(f), 0):
		return float64Text(math.Float64bits(float64(f)))
	}
	return strconv.FormatFloat(float64(f), 'g', -1, 32)
}

func nanText(negative bool, payload uint64) string {
	sign := ""
	if negative {
		sign = "-"
	}
	return fmt.Sprintf("%snan:%#x", sign, payload)
}

// quoted writes bytes as a string of the text format.
func quoted(b []byte) string {
	var s strings.Builder
	s.WriteByte('"')
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			s.WriteByte('\\')
			s.WriteByte(c)
		case c >= ' ' && c < 0x7f:
			s.WriteByte(c)
		default:
			fmt.Fprintf(&s, "\\%02x", c)
		}
	}
	s.WriteByte('"')
	return s.String()
}

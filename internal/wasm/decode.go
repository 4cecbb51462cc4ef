package wasm

import "math"

const (
	sectionDataCount = 12
	sectionTag       = 13
)

// What the format itself bounds.
const (
	maxMemories  = 1
	maxTableSize = math.MaxUint32
	maxPages     = 65_536

	constExprBytes = 64 // one instruction and the end, with room for padded numbers
)

// Bits of an element segment's flags: not active; has a table index, or is
// declared only; has expressions instead of indices.
const (
	elementNotActive = 1
	elementExplicit  = 2
	elementExprs     = 4
)

// decoder reads sections one after the other into a Binary.
type decoder struct {
	*reader

	bounds    Bounds
	out       *Binary
	imported  [4]int // by kind
	dataCount int    // -1: there is no data count section
	// These are the sums over all segments and sections.
	elements, dataBytes, customBytes int
}

// Decode reads a module's sections. Its error, if any, is an *Error.
func Decode(b []byte) (*Binary, error) { return DecodeWithin(b, MaxBounds) }

// DecodeWithin is Decode for a module that may come from anyone: it stops at
// the first count that goes beyond its bound.
func DecodeWithin(b []byte, bounds Bounds) (*Binary, error) {
	d := &decoder{reader: &reader{b: b}, bounds: bounds, out: &Binary{}, dataCount: -1}
	switch {
	case len(b) > bounds.ModuleBytes:
		d.refuse(TooLarge, "%d bytes of a module, at most %d are allowed", len(b), bounds.ModuleBytes)
	case len(b) < len(Header) || string(b[:len(Header)]) != Header:
		d.fail("not a WebAssembly module of version 1")
	}
	if d.err != nil {
		return nil, d.err
	}
	d.at = len(Header)
	last := byte(0)
	for d.left() > 0 && d.err == nil {
		last = d.section(last)
	}
	if d.err == nil {
		d.finish()
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.out, nil
}

// rank orders the sections: the data count stands before the code.
func rank(id byte) int {
	switch {
	case id == sectionDataCount:
		return 2*sectionElement + 1
	default:
		return 2 * int(id)
	}
}

// section reads one section, and gives the identifier of the last standard
// one.
func (d *decoder) section(last byte) byte {
	start := d.at
	id := d.byte()
	n := d.u32()
	if d.err != nil {
		return last
	}
	if int64(n) > int64(d.left()) {
		d.fail("section of %d bytes, %d left", n, d.left())
		return last
	}
	if id == sectionTag {
		d.at = start
		d.unsupported(featureExceptions)
		return last
	}
	if id > sectionDataCount {
		d.at = start
		d.fail("unknown section %d", id)
		return last
	}
	if id != sectionCustom && last != 0 && rank(id) <= rank(last) {
		d.at = start
		d.fail("section %d is repeated or out of order", id)
		return last
	}
	whole := d.reader
	d.reader = &reader{b: whole.bytes(int(n)), base: whole.at - int(n)}
	d.read(id, last)
	if d.err == nil && d.left() > 0 {
		d.fail("section %d is longer than its contents", id)
	}
	whole.err = d.err
	d.reader = whole
	if id == sectionCustom {
		return last
	}
	return id
}

func (d *decoder) read(id, last byte) {
	switch id {
	case sectionCustom:
		d.custom(last)
	case sectionType:
		d.types()
	case sectionImport:
		d.imports()
	case sectionFunction:
		d.functions()
	case sectionTable:
		for range d.count("tables", 3, d.bounds.Tables) {
			d.out.Tables = append(d.out.Tables, d.tableType())
		}
	case sectionMemory:
		for range d.memories() {
			d.out.Memories = append(d.out.Memories, d.memoryType())
		}
	case sectionGlobal:
		for range d.count("globals", 3, d.bounds.Globals) {
			d.out.Globals = append(d.out.Globals, d.global())
		}
	case sectionExport:
		d.exports()
	case sectionStart:
		d.start()
	case sectionElement:
		for range d.count("element segments", 3, d.bounds.ElementSegments) {
			d.element()
		}
	case sectionCode:
		d.code()
	case sectionData:
		for range d.count("data segments", 2, d.bounds.DataSegments) {
			d.data()
		}
	case sectionDataCount:
		d.dataCount = int(d.u32())
		d.out.HasDataCount = true
	}
}

// finish checks what no section can check alone.
func (d *decoder) finish() {
	switch {
	case len(d.out.Funcs) != len(d.out.Bodies):
		d.fail("%d functions declared, %d bodies", len(d.out.Funcs), len(d.out.Bodies))
	case d.dataCount >= 0 && d.dataCount != len(d.out.Segments):
		d.fail("%d data segments declared, %d present", d.dataCount, len(d.out.Segments))
	case d.total(KindMemory) > maxMemories:
		d.unsupported(featureMemories)
	}
}

// total counts the imported and defined things of a kind.
func (d *decoder) total(kind ExportKind) int {
	n := d.imported[kind]
	switch kind {
	case KindFunc:
		n += len(d.out.Funcs)
	case KindTable:
		n += len(d.out.Tables)
	case KindMemory:
		n += len(d.out.Memories)
	case KindGlobal:
		n += len(d.out.Globals)
	}
	return n
}

// index reads an index below a bound.
func (d *decoder) index(what string, bound int) uint32 {
	start := d.at
	i := d.u32()
	if d.err == nil && int64(i) >= int64(bound) {
		d.at = start
		d.refuse(Invalid, "%s %d does not exist", what, i)
		return 0
	}
	return i
}

func (d *decoder) custom(last byte) {
	if len(d.out.Customs) >= d.bounds.Customs {
		d.refuse(TooLarge, "more than %d custom sections", d.bounds.Customs)
		return
	}
	if d.customBytes += d.left(); d.customBytes > d.bounds.CustomBytes {
		d.refuse(TooLarge, "more than %d bytes of custom sections", d.bounds.CustomBytes)
		return
	}
	name := d.name(d.bounds.NameBytes)
	offset := d.base + d.at
	rest := d.bytes(d.left())
	d.out.Customs = append(d.out.Customs, CustomSection{name, rest, offset, last})
}

func (d *decoder) types() {
	n := d.count("types", 3, d.bounds.Types)
	d.out.Types = make([]FuncType, 0, n)
	for range n {
		if c := d.byte(); d.err == nil && c != 0x60 {
			d.at--
			if feature := unsupportedType(c); feature != "" {
				d.unsupported(feature)
			}
			d.fail("%#x is no function type", c)
		}
		d.out.Types = append(d.out.Types, FuncType{d.valTypes(), d.valTypes()})
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) valTypes() []ValType {
	n := d.count("values in a type", 1, d.bounds.TypeValues)
	if n == 0 {
		return nil
	}
	ts := make([]ValType, n)
	for i := range ts {
		ts[i] = d.valType()
	}
	return ts
}

func (d *decoder) imports() {
	n := d.count("imports", 4, d.bounds.Imports)
	d.out.Imports = make([]Import, 0, n)
	for range n {
		imp := Import{ImportName: ImportName{d.name(d.bounds.NameBytes), d.name(d.bounds.NameBytes)}}
		imp.Kind = ExportKind(d.byte())
		switch imp.Kind {
		case KindFunc:
			imp.Type = d.index("type", len(d.out.Types))
		case KindTable:
			imp.Table = d.tableType()
		case KindMemory:
			imp.Memory = d.memoryType()
		case KindGlobal:
			imp.Global = d.globalType()
		case kindTag:
			d.at--
			d.unsupported(featureExceptions)
		default:
			d.at--
			d.fail("unknown kind of import %d", imp.Kind)
		}
		if d.err != nil {
			return
		}
		d.imported[imp.Kind]++
		d.out.Imports = append(d.out.Imports, imp)
	}
}

func (d *decoder) tableType() TableType {
	if d.left() > 0 && d.b[d.at] == 0x40 {
		d.unsupported(featureReferences) // a table with an initial value
	}
	return TableType{d.refType(), d.limits(maxTableSize, "elements of a table", d.bounds.TableElements)}
}

func (d *decoder) memoryType() Limits {
	return d.limits(maxPages, "pages of memory", d.bounds.MemoryPages)
}

// memories reads how many memories there are.
func (d *decoder) memories() int {
	start := d.at
	n := d.count("memories", 2, len(d.b))
	if n > maxMemories {
		d.at = start
		d.unsupported(featureMemories)
		return 0
	}
	return n
}

func (d *decoder) globalType() GlobalType {
	return GlobalType{d.valType(), d.flag("mutability")}
}

// start reads which function runs at instantiation. It takes and gives nothing.
func (d *decoder) start() {
	start := d.at
	d.out.Start = d.index("function", d.total(KindFunc))
	d.out.HasStart = true
	if d.err != nil {
		return
	}
	if t, _ := d.out.FuncTypeOf(d.out.Start); len(t.Params)+len(t.Results) > 0 {
		d.at = start
		d.refuse(Invalid, "start function takes or gives values")
	}
}

func (d *decoder) global() GlobalDef {
	start := d.base + d.at
	return GlobalDef{d.globalType(), d.constExpr(), start}
}

func (d *decoder) functions() {
	n := d.count("functions", 1, d.bounds.Functions)
	d.out.Funcs = make([]uint32, n)
	for i := range d.out.Funcs {
		d.out.Funcs[i] = d.index("type", len(d.out.Types))
	}
}

func (d *decoder) exports() {
	n := d.count("exports", 3, d.bounds.Exports)
	d.out.Exports = make([]Export, 0, n)
	seen := make(map[string]bool, n)
	var totals [4]int
	for kind := range totals {
		totals[kind] = d.total(ExportKind(kind))
	}
	for range n {
		start := d.at
		e := Export{Name: d.name(d.bounds.NameBytes), Kind: ExportKind(d.byte())}
		switch {
		case d.err != nil:
			return
		case seen[e.Name]:
			d.at = start
			d.refuse(Invalid, "export %q is repeated", e.Name)
			return
		case e.Kind == kindTag:
			d.at--
			d.unsupported(featureExceptions)
			return
		case int(e.Kind) >= len(totals):
			d.at--
			d.fail("unknown kind of export %d", e.Kind)
			return
		}
		seen[e.Name] = true
		e.Index = d.index("export's target", totals[e.Kind])
		d.out.Exports = append(d.out.Exports, e)
	}
}

// constExpr reads a constant expression up to its end.
func (d *decoder) constExpr() []byte {
	rest := d.b[d.at:min(len(d.b), d.at+constExprBytes)]
	code := CodeReader{r: reader{b: rest, base: d.base + d.at}}
	for {
		in, ok := code.Next()
		if !ok {
			if d.err == nil {
				d.err = code.r.err
			}
			d.fail("constant expression has no end")
			return nil
		}
		switch in.Op {
		case OpEnd:
			return d.bytes(code.r.at)
		case OpI32Const, OpI64Const, OpF32Const, OpF64Const, OpGlobalGet, OpRefNull, OpRefFunc:
		case OpI32Add, OpI32Sub, OpI32Mul, OpI64Add, OpI64Sub, OpI64Mul:
			d.at = in.Offset - d.base
			d.unsupported(featureConstants)
			return nil
		default:
			d.at = in.Offset - d.base
			d.refuse(Invalid, "%s in a constant expression", in.Op)
			return nil
		}
	}
}

func (d *decoder) element() {
	start := d.at
	flags := d.u32()
	if d.err == nil && flags > elementNotActive|elementExplicit|elementExprs {
		d.at = start
		d.fail("unknown kind of element segment %d", flags)
	}
	if d.err != nil {
		return
	}
	e := ElementSegment{Elem: FuncRef, Start: d.base + start}
	switch {
	case flags&elementNotActive == 0:
		if flags&elementExplicit != 0 {
			e.Table = d.index("table", d.total(KindTable))
		} else {
			d.implied("table", start, d.total(KindTable))
		}
		e.Offset = d.constExpr()
	case flags&elementExplicit == 0:
		e.Mode = SegmentPassive
	default:
		e.Mode = SegmentDeclared
	}
	if flags&(elementNotActive|elementExplicit) != 0 {
		if flags&elementExprs != 0 {
			e.Elem = d.refType()
		} else if k := d.byte(); d.err == nil && k != 0 {
			d.at--
			d.fail("unknown kind of element %d", k)
		}
	}
	d.items(&e, flags&elementExprs != 0)
	d.out.Elements = append(d.out.Elements, e)
}

// items reads what a segment holds.
func (d *decoder) items(e *ElementSegment, exprs bool) {
	size := 1
	if exprs {
		size = 2
	}
	start := d.at
	n := d.count("elements", size, d.bounds.Elements)
	if d.elements += n; d.elements > d.bounds.Elements {
		d.at = start
		d.refuse(TooLarge, "%d elements, at most %d are allowed", d.elements, d.bounds.Elements)
	}
	if d.err != nil {
		return
	}
	if exprs {
		e.Exprs = make([][]byte, n)
		for i := range e.Exprs {
			e.Exprs[i] = d.constExpr()
		}
		return
	}
	e.Funcs = make([]uint32, n)
	funcs := d.total(KindFunc)
	for i := range e.Funcs {
		e.Funcs[i] = d.index("function", funcs)
	}
}

// implied checks that the first table or memory exists, where a segment does
// not name it.
func (d *decoder) implied(what string, start, total int) {
	if d.err == nil && total == 0 {
		d.at = start
		d.refuse(Invalid, "%s 0 does not exist", what)
	}
}

func (d *decoder) code() {
	n := d.count("bodies", 3, d.bounds.Functions)
	d.out.Bodies = make([]Body, 0, n)
	for range n {
		size := d.count("bytes of a body", 1, d.bounds.BodyBytes)
		offset := d.base + d.at
		r := &reader{b: d.bytes(size), base: offset}
		if d.err != nil {
			return
		}
		body := Body{Locals: r.locals(d.bounds.Locals)}
		body.Offset = r.base + r.at
		body.Code = r.b[r.at:]
		if r.err == nil && (len(body.Code) == 0 || body.Code[len(body.Code)-1] != byte(OpEnd)) {
			r.fail("body has no end")
		}
		if r.err != nil {
			d.err = r.err
			return
		}
		d.out.Bodies = append(d.out.Bodies, body)
	}
}

// locals reads the declarations of a body.
func (r *reader) locals(limit int) []LocalRun {
	n := r.count("runs of locals", 2, limit)
	if n == 0 {
		return nil
	}
	runs := make([]LocalRun, n)
	total := 0
	for i := range runs {
		start := r.at
		count := r.u32()
		if total += int(count); total > limit {
			r.at = start
			r.refuse(TooLarge, "more than %d locals", limit)
			return nil
		}
		runs[i] = LocalRun{count, r.valType()}
	}
	return runs
}

func (d *decoder) data() {
	start := d.at
	flags := d.u32()
	s := DataSegment{Start: d.base + start}
	switch flags {
	case 0:
		d.implied("memory", start, d.total(KindMemory))
		s.Offset = d.constExpr()
	case 1:
		s.Mode = SegmentPassive
	case 2:
		d.index("memory", d.total(KindMemory))
		s.Offset = d.constExpr()
	default:
		d.at = start
		d.fail("unknown kind of data segment %d", flags)
	}
	n := d.count("bytes of data", 1, d.bounds.DataBytes)
	if d.dataBytes += n; d.dataBytes > d.bounds.DataBytes {
		d.refuse(TooLarge, "more than %d bytes of data", d.bounds.DataBytes)
	}
	s.Bytes = d.bytes(n)
	d.out.Segments = append(d.out.Segments, s)
}

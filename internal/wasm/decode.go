package wasm

const sectionDataCount = 12

// Bounds on what a module may declare. They are far above what a compiler
// writes, and keep what a small file can make us allocate small.
const (
	maxTypes       = 100_000
	maxTypeParts   = 1_000
	maxImports     = 100_000
	maxFuncs       = 100_000
	maxTables      = 100
	maxMemories    = 1
	maxGlobals     = 100_000
	maxExports     = 100_000
	maxSegments    = 100_000
	maxElements    = 1_000_000
	maxTableSize   = 10_000_000
	maxPages       = 65_536
	maxLocals      = 50_000
	maxNameBytes   = 100_000
	maxBodyBytes   = 8 << 20
	maxCustoms     = 1_000
	constExprBytes = 64
)

// decoder reads sections one after the other into a Binary.
type decoder struct {
	*reader
	out       *Binary
	dataCount int // -1: there is no data count section
}

// Decode reads a module's sections. Its error, if any, is a *DecodeError.
func Decode(b []byte) (*Binary, error) {
	d := &decoder{reader: &reader{b: b}, out: &Binary{}, dataCount: -1}
	if len(b) < len(Header) || string(b[:len(Header)]) != Header {
		d.fail("not a WebAssembly module of version 1")
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
	body := &reader{b: d.bytes(int(n)), base: d.at - int(n)}
	inner := &decoder{reader: body, out: d.out, dataCount: d.dataCount}
	inner.read(id, last)
	if body.err == nil && body.left() > 0 {
		body.fail("section %d is longer than its contents", id)
	}
	d.err = body.err
	d.dataCount = inner.dataCount
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
		for range d.count("tables", 3, maxTables) {
			d.out.Tables = append(d.out.Tables, d.tableType())
		}
	case sectionMemory:
		for range d.count("memories", 2, maxMemories) {
			d.out.Memories = append(d.out.Memories, d.limits(maxPages))
		}
	case sectionGlobal:
		for range d.count("globals", 4, maxGlobals) {
			d.out.Globals = append(d.out.Globals, GlobalDef{d.globalType(), d.constExpr()})
		}
	case sectionExport:
		d.exports()
	case sectionStart:
		d.out.Start = d.index("function", d.total(KindFunc))
		d.out.HasStart = true
	case sectionElement:
		for range d.count("element segments", 2, maxSegments) {
			d.element()
		}
	case sectionCode:
		d.code()
	case sectionData:
		for range d.count("data segments", 2, maxSegments) {
			d.data()
		}
	case sectionDataCount:
		d.dataCount = int(min(d.u32(), maxSegments+1))
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
		d.fail("more than one memory")
	}
}

// total counts the imported and defined things of a kind.
func (d *decoder) total(kind ExportKind) int {
	n := d.out.ImportCount(kind)
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
		d.fail("%s %d does not exist", what, i)
		return 0
	}
	return i
}

func (d *decoder) custom(last byte) {
	if len(d.out.Customs) >= maxCustoms {
		d.fail("more than %d custom sections", maxCustoms)
		return
	}
	name := d.name()
	offset := d.base + d.at
	rest := d.bytes(d.left())
	d.out.Customs = append(d.out.Customs, CustomSection{name, rest, offset, last})
}

func (d *decoder) types() {
	n := d.count("types", 3, maxTypes)
	d.out.Types = make([]FuncType, 0, n)
	for range n {
		if c := d.byte(); d.err == nil && c != 0x60 {
			d.at--
			d.fail("%#x is no function type", c)
		}
		d.out.Types = append(d.out.Types, FuncType{d.valTypes(), d.valTypes()})
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) valTypes() []ValType {
	n := d.count("values in a type", 1, maxTypeParts)
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
	n := d.count("imports", 4, maxImports)
	d.out.Imports = make([]Import, 0, n)
	for range n {
		imp := Import{ImportName: ImportName{d.name(), d.name()}}
		imp.Kind = ExportKind(d.byte())
		switch imp.Kind {
		case KindFunc:
			imp.Type = d.index("type", len(d.out.Types))
		case KindTable:
			imp.Table = d.tableType()
		case KindMemory:
			imp.Memory = d.limits(maxPages)
		case KindGlobal:
			imp.Global = d.globalType()
		default:
			d.at--
			d.fail("unknown kind of import %d", imp.Kind)
		}
		if d.err != nil {
			return
		}
		d.out.Imports = append(d.out.Imports, imp)
	}
}

func (d *decoder) tableType() TableType { return TableType{d.refType(), d.limits(maxTableSize)} }

func (d *decoder) globalType() GlobalType {
	return GlobalType{d.valType(), d.flag("mutability")}
}

func (d *decoder) functions() {
	n := d.count("functions", 1, maxFuncs)
	d.out.Funcs = make([]uint32, n)
	for i := range d.out.Funcs {
		d.out.Funcs[i] = d.index("type", len(d.out.Types))
	}
}

func (d *decoder) exports() {
	n := d.count("exports", 3, maxExports)
	d.out.Exports = make([]Export, 0, n)
	seen := make(map[string]bool, n)
	var totals [4]int
	for kind := range totals {
		totals[kind] = d.total(ExportKind(kind))
	}
	for range n {
		start := d.at
		e := Export{Name: d.name(), Kind: ExportKind(d.byte())}
		switch {
		case d.err != nil:
			return
		case seen[e.Name]:
			d.at = start
			d.fail("export %q is repeated", e.Name)
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
	code := NewCodeReader(rest, d.base+d.at)
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
		default:
			d.at += in.Offset - (d.base + d.at)
			d.fail("%s in a constant expression", in.Op)
			return nil
		}
	}
}

// element reads a segment; the low bits of its flags say: not active, has a
// table index (or is declared only), and has expressions instead of indices.
func (d *decoder) element() {
	start := d.at
	flags := d.u32()
	if d.err == nil && flags > 7 {
		d.at = start
		d.fail("unknown kind of element segment %d", flags)
	}
	if d.err != nil {
		return
	}
	e := ElementSegment{Elem: FuncRef}
	exprs := flags&4 != 0
	switch {
	case flags&1 == 0:
		if flags&2 != 0 {
			e.Table = d.index("table", d.total(KindTable))
		}
		e.Offset = d.constExpr()
	case flags&2 == 0:
		e.Mode = SegmentPassive
	default:
		e.Mode = SegmentDeclared
	}
	if flags&3 != 0 {
		if exprs {
			e.Elem = d.refType()
		} else if k := d.byte(); d.err == nil && k != 0 {
			d.at--
			d.fail("unknown kind of element %d", k)
		}
	}
	n := d.count("elements", 1, maxElements)
	if exprs {
		e.Exprs = make([][]byte, n)
		for i := range e.Exprs {
			e.Exprs[i] = d.constExpr()
		}
	} else {
		e.Funcs = make([]uint32, n)
		funcs := d.total(KindFunc)
		for i := range e.Funcs {
			e.Funcs[i] = d.index("function", funcs)
		}
	}
	d.out.Elements = append(d.out.Elements, e)
}

func (d *decoder) code() {
	n := d.count("bodies", 3, maxFuncs)
	d.out.Bodies = make([]Body, 0, n)
	for range n {
		size := d.count("bytes of a body", 1, maxBodyBytes)
		offset := d.base + d.at
		r := &reader{b: d.bytes(size), base: offset}
		if d.err != nil {
			return
		}
		body := Body{Locals: r.locals()}
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
func (r *reader) locals() []LocalRun {
	n := r.count("runs of locals", 2, maxLocals)
	if n == 0 {
		return nil
	}
	runs := make([]LocalRun, n)
	total := 0
	for i := range runs {
		start := r.at
		count := r.u32()
		if total += int(min(count, maxLocals+1)); total > maxLocals {
			r.at = start
			r.fail("more than %d locals", maxLocals)
			return nil
		}
		runs[i] = LocalRun{count, r.valType()}
	}
	return runs
}

func (d *decoder) data() {
	start := d.at
	flags := d.u32()
	var s DataSegment
	switch flags {
	case 0:
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
	s.Bytes = d.bytes(d.count("bytes of data", 1, len(d.b)))
	d.out.Segments = append(d.out.Segments, s)
}

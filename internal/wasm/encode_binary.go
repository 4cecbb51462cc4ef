package wasm

// Encode writes a decoded module again, with every number in its shortest
// form and without empty sections. Custom sections keep their places.
func (b *Binary) Encode() []byte {
	out := []byte(Header)
	out = b.appendCustoms(out, 0)
	for _, s := range []struct {
		id   byte
		body func([]byte) []byte
	}{
		{sectionType, b.typeSection},
		{sectionImport, b.importSection},
		{sectionFunction, b.functionSection},
		{sectionTable, b.tableSection},
		{sectionMemory, b.memorySection},
		{sectionGlobal, b.globalSection},
		{sectionExport, b.exportSection},
		{sectionStart, b.startSection},
		{sectionElement, b.elementSection},
		{sectionDataCount, b.dataCountSection},
		{sectionCode, b.codeSection},
		{sectionData, b.dataSection},
	} {
		if body := s.body(nil); len(body) > 0 {
			out = append(out, s.id)
			out = AppendUleb(out, uint64(len(body)))
			out = append(out, body...)
		}
		out = b.appendCustoms(out, s.id)
	}
	return out
}

// appendCustoms writes the custom sections that stand behind a section.
func (b *Binary) appendCustoms(out []byte, after byte) []byte {
	for _, c := range b.Customs {
		if c.After == after {
			out = AppendCustom(out, Custom{Name: c.Name, Bytes: c.Bytes})
		}
	}
	return out
}

func (b *Binary) typeSection(out []byte) []byte {
	for _, t := range b.Types {
		out = appendTypes(append(out, 0x60), t.Params)
		out = appendTypes(out, t.Results)
	}
	return counted(nil, len(b.Types), out)
}

func (b *Binary) importSection(out []byte) []byte {
	for i := range b.Imports {
		imp := &b.Imports[i]
		out = AppendName(out, imp.Module)
		out = AppendName(out, imp.Field)
		out = append(out, byte(imp.Kind))
		switch imp.Kind {
		case KindFunc:
			out = AppendUleb(out, uint64(imp.Type))
		case KindTable:
			out = appendLimits(append(out, byte(imp.Table.Elem)), imp.Table.Limits)
		case KindMemory:
			out = appendLimits(out, imp.Memory)
		case KindGlobal:
			out = append(out, byte(imp.Global.Type), boolByte(imp.Global.Mutable))
		}
	}
	return counted(nil, len(b.Imports), out)
}

func (b *Binary) functionSection(out []byte) []byte {
	return counted(nil, len(b.Funcs), appendIndices(out, b.Funcs))
}

func appendIndices(out []byte, indices []uint32) []byte {
	for _, i := range indices {
		out = AppendUleb(out, uint64(i))
	}
	return out
}

func (b *Binary) tableSection(out []byte) []byte {
	for _, t := range b.Tables {
		out = appendLimits(append(out, byte(t.Elem)), t.Limits)
	}
	return counted(nil, len(b.Tables), out)
}

func (b *Binary) memorySection(out []byte) []byte {
	for _, l := range b.Memories {
		out = appendLimits(out, l)
	}
	return counted(nil, len(b.Memories), out)
}

func (b *Binary) globalSection(out []byte) []byte {
	for i := range b.Globals {
		g := &b.Globals[i]
		out = append(out, byte(g.Type), boolByte(g.Mutable))
		out = append(out, g.Init...)
	}
	return counted(nil, len(b.Globals), out)
}

func (b *Binary) exportSection(out []byte) []byte {
	for i := range b.Exports {
		e := &b.Exports[i]
		out = AppendName(out, e.Name)
		out = append(out, byte(e.Kind))
		out = AppendUleb(out, uint64(e.Index))
	}
	return counted(nil, len(b.Exports), out)
}

func (b *Binary) startSection(out []byte) []byte {
	if !b.HasStart {
		return nil
	}
	return AppendUleb(out, uint64(b.Start))
}

func (b *Binary) elementSection(out []byte) []byte {
	for i := range b.Elements {
		out = b.Elements[i].append(out)
	}
	return counted(nil, len(b.Elements), out)
}

// append writes a segment. The short forms are for table 0 with functions.
func (e *ElementSegment) append(out []byte) []byte {
	flags := byte(0)
	exprs := e.Exprs != nil
	if exprs {
		flags = elementExprs
	}
	short := e.Mode == SegmentActive && e.Table == 0 && e.Elem == FuncRef
	switch {
	case e.Mode == SegmentPassive:
		flags |= elementNotActive
	case e.Mode == SegmentDeclared:
		flags |= elementNotActive | elementExplicit
	case !short:
		flags |= elementExplicit
	}
	out = append(out, flags)
	if e.Mode == SegmentActive {
		if !short {
			out = AppendUleb(out, uint64(e.Table))
		}
		out = append(out, e.Offset...)
	}
	if !short && exprs {
		out = append(out, byte(e.Elem))
	} else if !short {
		out = append(out, 0)
	}
	if !exprs {
		out = AppendUleb(out, uint64(len(e.Funcs)))
		return appendIndices(out, e.Funcs)
	}
	out = AppendUleb(out, uint64(len(e.Exprs)))
	for _, expr := range e.Exprs {
		out = append(out, expr...)
	}
	return out
}

func (b *Binary) dataCountSection(out []byte) []byte {
	if !b.HasDataCount {
		return nil
	}
	return AppendUleb(out, uint64(len(b.Segments)))
}

func (b *Binary) codeSection(out []byte) []byte {
	for i := range b.Bodies {
		body := &b.Bodies[i]
		locals := AppendUleb(nil, uint64(len(body.Locals)))
		for _, run := range body.Locals {
			locals = AppendUleb(locals, uint64(run.Count))
			locals = append(locals, byte(run.Type))
		}
		out = AppendUleb(out, uint64(len(locals)+len(body.Code)))
		out = append(out, locals...)
		out = append(out, body.Code...)
	}
	return counted(nil, len(b.Bodies), out)
}

func (b *Binary) dataSection(out []byte) []byte {
	for i := range b.Segments {
		s := &b.Segments[i]
		if s.Mode == SegmentPassive {
			out = append(out, 1)
		} else {
			out = append(append(out, 0), s.Offset...)
		}
		out = AppendUleb(out, uint64(len(s.Bytes)))
		out = append(out, s.Bytes...)
	}
	return counted(nil, len(b.Segments), out)
}

package syntax

// blockMap tells the parts of blocks by their offsets.
type blockMap struct {
	openers map[int]bool
	// dividers are the exceptions; the value is set in the marker form, which
	// has no other end.
	dividers map[int]bool
}

func blocksOf(s *Script) blockMap {
	m := blockMap{openers: map[int]bool{}, dividers: map[int]bool{}}
	WalkStmts(s.Body, func(s Stmt) bool {
		switch s := s.(type) {
		case *Try:
			m.openers[int(s.Start())] = true
			m.dividers[int(s.Exception.From)] = s.Marker
		case *If, *Loop, *While, *Function, *Async:
			m.openers[int(s.Start())] = true
		}
		return true
	})
	return m
}

// role is what a statement does to the blocks around it.
type role uint8

const (
	roleSimple role = iota
	roleOpener
	roleDivider
	roleCloser
)

// role classifies the statement or marker whose first piece is i.
func (f *formatter) role(i int) role {
	p := f.pieces[i]
	if f.blocks.openers[p.from] {
		return roleOpener
	}
	if marker, ok := f.blocks.dividers[p.from]; ok {
		if marker {
			return roleCloser
		}
		return roleDivider
	}
	switch {
	case p.block == "else":
		return roleDivider
	case p.block == "end" || p.block == "endLoop" || f.text(i) == "}":
		return roleCloser
	}
	return roleSimple
}

// enter gives the depth of a statement, and whether blank lines before it are
// dropped.
func (f *formatter) enter(i int) (depth int, edge bool) {
	switch f.role(i) {
	case roleDivider, roleCloser:
		return max(0, f.depth-1), true
	}
	return f.depth, false
}

// leave sets the depth behind a statement.
func (f *formatter) leave(i int) {
	switch f.role(i) {
	case roleOpener:
		f.depth++
		f.edge = true
	case roleDivider:
		f.edge = true
	case roleCloser:
		f.depth = max(0, f.depth-1)
	}
}

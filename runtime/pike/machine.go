package pike

import (
	"regexp/syntax"
	"unicode/utf8"
)

const (
	// stepsPerTurn is how many steps lie between two calls of a Search's Turn.
	stepsPerTurn = 1 << 15
	// skipBytes bounds how far one step looks for a byte to start at, and
	// skipShift says how many bytes of that count as a step.
	skipBytes = 1 << 15
	skipShift = 3
	// cellShift says how many positions are copied in the time of a step.
	cellShift = 3
)

// Search is one walk through a text, which is UTF-8.
type Search struct {
	Text []byte
	// Turn is called now and then with the steps done since it was called last;
	// it may panic to end the search. It may be nil.
	Turn func(steps int64)
	// Steps counts the work done, in units of some nanoseconds.
	Steps int64

	turned int64
}

// set holds threads in the order of their priority. It is cleared in no time
// and never initialised: a pc is in it if both arrays agree.
type set struct {
	sparse, dense []uint32
	n             int
	cells         []int32 // positions of the groups, per thread
}

func (s *set) add(pc uint32) (int, bool) {
	if i := s.sparse[pc]; int(i) < s.n && s.dense[i] == pc {
		return 0, false
	}
	n := s.n
	s.n++
	s.sparse[pc], s.dense[n] = uint32(n), pc
	return n, true
}

// machine is the state of a search; it is used again.
type machine struct {
	*Program
	now, next set
	width     int     // positions per thread
	group     []int32 // those of the thread that is being followed
	steps     int64
}

func (p *Program) take() *machine {
	if m, ok := p.machines.Get().(*machine); ok {
		return m
	}
	n, width := len(p.code), 2*len(p.names)
	m := &machine{Program: p, width: width, group: make([]int32, width)}
	for _, s := range []*set{&m.now, &m.next} {
		s.sparse, s.dense, s.cells = make([]uint32, n), make([]uint32, n), make([]int32, n*width)
	}
	return m
}

// Find looks for a match from byte from on, and writes where its groups start
// and end to spans, -1 for those that took no part; spans has room for two
// positions per group and the whole match. With advance set a match must not
// be empty at from.
func (p *Program) Find(s *Search, from int, advance bool, spans []int32) bool {
	m := p.take()
	m.steps = 0
	found := m.find(s, from, advance, spans)
	s.count(m.steps)
	p.machines.Put(m)
	return found
}

// count adds steps and gives others their turn.
func (s *Search) count(steps int64) {
	s.Steps += steps
	if s.Steps-s.turned >= stepsPerTurn && s.Turn != nil {
		s.Turn(s.Steps - s.turned)
		s.turned = s.Steps
	}
}

func (m *machine) find(s *Search, from int, advance bool, spans []int32) bool {
	text, pos, matched := s.Text, from, false
	m.now.n = 0
	for {
		if m.steps >= stepsPerTurn {
			s.count(m.steps)
			m.steps = 0
		}
		if m.now.n == 0 {
			if matched || m.anchored && pos > 0 {
				return matched
			}
			if m.skips {
				if pos = m.skip(text, pos); pos == len(text) {
					return false
				}
			}
		}
		c, width := decode(text, pos)
		if !matched && (!m.anchored || pos == 0) {
			for i := range m.group {
				m.group[i] = -1
			}
			m.group[0] = int32(pos)
			m.follow(&m.now, m.start, pos, syntax.EmptyOpContext(before(text, pos), c))
		}
		after, _ := decode(text, pos+width)
		if m.step(c, pos, width, syntax.EmptyOpContext(c, after), advance && pos == from, spans) {
			matched = true
		}
		if width == 0 {
			return matched
		}
		m.now, m.next = m.next, m.now
		pos += width
	}
}

// skip gives the next place where a match may start, or one on the way there
// when that is far.
func (m *machine) skip(text []byte, pos int) int {
	end := min(len(text), pos+skipBytes)
	at := pos
	for at < end && !m.first[text[at]] {
		at++
	}
	m.steps += int64(at-pos) >> skipShift
	for at < len(text) && !utf8.RuneStart(text[at]) {
		at++
	}
	return at
}

// decode gives the character at a position and its width; -1 and 0 at the end.
func decode(text []byte, pos int) (rune, int) {
	if pos >= len(text) {
		return -1, 0
	}
	if c := text[pos]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRune(text[pos:])
}

// before gives the character in front of a position; -1 at the start.
func before(text []byte, pos int) rune {
	if pos == 0 {
		return -1
	}
	if c := text[pos-1]; c < utf8.RuneSelf {
		return rune(c)
	}
	c, _ := utf8.DecodeLastRune(text[:pos])
	return c
}

// step lets all threads take one character, those with precedence first. It
// reports whether one of them was at its end, and then drops those behind it.
func (m *machine) step(c rune, pos, width int, flags syntax.EmptyOp, advance bool, spans []int32) bool {
	m.next.n = 0
	for i := range m.now.n {
		m.steps++
		in := &m.code[m.now.dense[i]]
		takes := false
		switch in.Op {
		case syntax.InstMatch:
			cells := m.now.cells[i*m.width : (i+1)*m.width]
			if advance && cells[0] == int32(pos) {
				continue
			}
			copy(spans, cells)
			spans[1] = int32(pos)
			return true
		case syntax.InstRune:
			takes = in.MatchRune(c)
		case syntax.InstRune1:
			takes = c == in.Rune[0]
		case syntax.InstRuneAny:
			takes = true
		case syntax.InstRuneAnyNotNL:
			takes = c != '\n'
		default:
			continue
		}
		if takes && width > 0 {
			copy(m.group, m.now.cells[i*m.width:(i+1)*m.width])
			m.follow(&m.next, in.Out, pos+width, flags)
		}
	}
	return false
}

// follow adds a thread, and those that it becomes without taking a character.
func (m *machine) follow(s *set, pc uint32, pos int, flags syntax.EmptyOp) {
	for {
		i, added := s.add(pc)
		if !added {
			return
		}
		m.steps++
		in := &m.code[pc]
		switch in.Op {
		case syntax.InstFail:
			return
		case syntax.InstAlt, syntax.InstAltMatch:
			m.follow(s, in.Out, pos, flags)
			pc = in.Arg
			continue
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags != 0 {
				return
			}
		case syntax.InstNop:
		case syntax.InstCapture:
			old := m.group[in.Arg]
			m.group[in.Arg] = int32(pos)
			m.follow(s, in.Out, pos, flags)
			m.group[in.Arg] = old
			return
		default:
			copy(s.cells[i*m.width:(i+1)*m.width], m.group)
			m.steps += int64(m.width) >> cellShift
			return
		}
		pc = in.Out
	}
}

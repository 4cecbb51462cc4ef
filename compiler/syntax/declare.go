package syntax

import "strings"

// Declared is what other files need to know of a file before it is parsed.
type Declared struct {
	Functions []string // names, in source order, each once
	Imports   []ImportPath
}

// ImportPath is the path of an `import` or `include` and its place.
type ImportPath struct {
	Path string
	At   Extent
}

// Declarations finds the functions a file declares and the files it imports
// without parsing it. It looks at the first word of every line and statement
// outside texts and comments; on sources with errors it may find too much.
func Declarations(src []byte) Declared {
	s := declScan{text: string(src), seen: map[string]bool{}}
	if strings.HasPrefix(s.text, "\ufeff") {
		s.off = 3
	}
	for s.off < len(s.text) {
		s.statement()
	}
	return s.found
}

type declScan struct {
	text  string
	off   int
	depth int
	found Declared
	seen  map[string]bool
	// broken is set after a template that has no end.
	broken bool
}

// statement looks at the first word of a statement and moves behind its end.
func (s *declScan) statement() {
	s.blanks()
	from := s.off
	s.off = identEnd(s.text, from)
	switch word := s.text[from:s.off]; word {
	case "function", "FUNCTION":
		s.blanks()
		from := s.off
		s.off = identEnd(s.text, from)
		if name := s.text[from:s.off]; name != "" && !s.seen[name] {
			s.seen[name] = true
			s.found.Functions = append(s.found.Functions, name)
		}
		s.depth = 0
	case "import", "include":
		s.blanks()
		s.importPath()
	}
	for s.off < len(s.text) && !s.step() {
	}
}

func (s *declScan) importPath() {
	if s.off >= len(s.text) || s.text[s.off] != '"' && s.text[s.off] != '\'' {
		return
	}
	from := s.off
	to, ok := skipString(s.text, from, len(s.text))
	if !ok {
		return
	}
	path, _ := unquoteArg(s.text, from, to)
	s.found.Imports = append(s.found.Imports, ImportPath{path, Extent{Pos(from), Pos(to)}})
	s.off = to
}

// blanks skips blanks and comments on the line.
func (s *declScan) blanks() {
	for s.off < len(s.text) {
		switch {
		case isBlank(s.text[s.off]):
			s.off++
		case strings.HasPrefix(s.text[s.off:], "/*"):
			s.comment()
		default:
			return
		}
	}
}

// step moves over one character, text or comment, and reports whether a
// statement may begin behind it.
func (s *declScan) step() bool {
	c := s.text[s.off]
	switch c {
	case '\n', ';', '{', '}':
		s.off++
		return true
	case '(', '[':
		s.depth++
	case ')', ']':
		s.depth = max(0, s.depth-1)
	case '"', '\'':
		if !s.insideWord() {
			s.off, _ = skipString(s.text, s.off, len(s.text))
			return false
		}
	case '`':
		if s.broken || s.insideWord() {
			break
		}
		// One template without an end is an error of the script, and looking
		// for further ones would take quadratic time.
		to, ok := skipTemplate(s.text, s.off, len(s.text), 0)
		if s.broken = !ok; ok {
			s.off = to
			return false
		}
	case '#':
		if s.atLineStart() {
			s.line()
			return false
		}
	case '/':
		if s.commentHere() {
			s.comment()
			return false
		}
	}
	s.off++
	return false
}

func (s *declScan) commentHere() bool {
	switch rest := s.text[s.off:]; {
	case strings.HasPrefix(rest, "/*"):
		return true
	case strings.HasPrefix(rest, "//"):
		return s.depth == 0 || s.off == 0 || !isRawWordByte(s.text[s.off-1])
	}
	return false
}

func (s *declScan) comment() {
	if s.text[s.off+1] == '/' {
		s.line()
		return
	}
	if n := strings.Index(s.text[s.off+2:], "*/"); n >= 0 {
		s.off += n + 4
		return
	}
	s.off = len(s.text)
}

func (s *declScan) line() {
	if n := strings.IndexByte(s.text[s.off:], '\n'); n >= 0 {
		s.off += n
		return
	}
	s.off = len(s.text)
}

func (s *declScan) insideWord() bool {
	i := s.off
	if i == 0 || !isWordByte(s.text[i-1]) {
		return false
	}
	if c := s.text[i-1]; (c == 'f' || c == 'F') && s.text[i] != '`' {
		return i > 1 && isWordByte(s.text[i-2])
	}
	from := i
	for from > 0 && isWordByte(s.text[from-1]) {
		from--
	}
	return !operatorWords[s.text[from:i]]
}

func (s *declScan) atLineStart() bool {
	i := s.off
	for i > 0 && isBlank(s.text[i-1]) {
		i--
	}
	return i == 0 || s.text[i-1] == '\n'
}

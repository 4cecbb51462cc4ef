package hostcalls

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/pike"
)

const (
	// regexCacheBytes bounds the compiled regular expressions, per mode.
	regexCacheBytes = 16 << 20
	// What the guest is told that work is worth, in units of fuel.
	unitsPerInstruction = 256
	unitsPerStep        = 16
	// regexCallSteps ends a call that has found something.
	regexCallSteps = 1 << 14
	// maxUnits is what the high half of a result can say.
	maxUnits = 1<<32 - 1
)

// compiled is a regular expression, or why there is none.
type compiled struct {
	program *pike.Program
	failure int32
	units   int64 // what compiling is worth
}

// regexCaches is indexed by the bit RegexBlanks of the mode.
var regexCaches = [2]*cache[compiled]{newCache[compiled](regexCacheBytes), newCache[compiled](regexCacheBytes)}

func compileRegex(memory []byte, mode, offset, n uint32) compiled {
	pattern, ok := span(memory, offset, n)
	if !ok {
		return compiled{failure: abi.RegexInvalid}
	}
	if n > abi.RegexMaxBytes {
		return compiled{failure: abi.RegexTooLarge}
	}
	known := regexCaches[mode&abi.RegexBlanks]
	if c, ok := known.get(pattern); ok {
		return c
	}
	key := string(pattern)
	source := key
	if mode&abi.RegexBlanks != 0 {
		source = blanksMatchSpace(source)
	}
	c, bytes := compiled{units: pike.Effort(source)}, 0
	program, err := pike.Compile(source)
	switch {
	case errors.Is(err, pike.ErrTooLarge):
		c.failure = abi.RegexTooLarge
	case err != nil:
		c.failure = abi.RegexInvalid
	default:
		c.program, bytes = program, program.Bytes()
		c.units += int64(program.Instructions()) * unitsPerInstruction
	}
	known.put(key, c, bytes)
	return c
}

// packed is a result of two halves.
func packed(low uint32, units int64) uint64 {
	return uint64(low) | uint64(min(units, maxUnits))<<32
}

// RegexGroup is regex_group: see abi.LibraryImports.
func RegexGroup(memory []byte, mode, offset, n, name, nameLen uint32) uint64 {
	c := compileRegex(memory, mode, offset, n)
	if c.program == nil {
		return packed(uint32(c.failure), c.units)
	}
	if nameLen == 0 {
		return packed(uint32(c.program.Groups()), c.units)
	}
	group := 0
	if b, ok := span(memory, name, nameLen); ok {
		group = c.program.Group(string(b))
	}
	return packed(uint32(group), c.units)
}

// RegexFind is regex_find: see abi.LibraryImports. turn is called now and
// then with the units of fuel that the search was worth since, and may panic
// to end it; it may be nil. What it was told is not in the result again.
func RegexFind(memory []byte, turn func(units int64), mode, offset, n, text, textLen, from, out, room uint32) uint64 {
	c := compileRegex(memory, mode, offset, n)
	source, ok := span(memory, text, textLen)
	spans, ok2 := span(memory, out, room)
	if !ok || !ok2 || c.program == nil || from > textLen || textLen > 1<<31-1 {
		return packed(abi.RegexLast, 0)
	}
	told := int64(0)
	s := pike.Search{Text: source}
	if turn != nil {
		s.Turn = func(steps int64) {
			told += steps
			turn(steps * unitsPerStep)
		}
	}
	cells := 2 * (c.program.Groups() + 1)
	match := make([]int32, cells)
	found, at, advance := uint32(0), int(from), mode&abi.RegexAdvance != 0
	for len(spans) >= 4*cells && s.Steps < regexCallSteps {
		if !c.program.Find(&s, at, advance, match) {
			found |= abi.RegexLast
			break
		}
		for i, p := range match {
			binary.LittleEndian.PutUint32(spans[4*i:], uint32(p)) // -1 is RegexUnmatched
		}
		spans = spans[4*cells:]
		at, advance = int(match[1]), match[0] == match[1]
		found++
	}
	return packed(found, (s.Steps-told)*unitsPerStep)
}

// spaceRanges stands between brackets for all white space.
const spaceRanges = `\s\x0b\x1c-\x1f\x{85}\p{Z}`

// blanksMatchSpace rewrites a pattern so that a blank matches any white space.
// One behind a backslash, one in \Q…\E and one that is the end of a range
// (as in [ -~]) stay blanks.
func blanksMatchSpace(pattern string) string {
	if pattern == "" {
		pattern = " "
	}
	var b strings.Builder
	class := -1 // where the class that is open begins
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			n := 2
			if pattern[i+1] == 'Q' && class < 0 {
				n = quotedLen(pattern[i:])
			}
			b.WriteString(pattern[i : i+n])
			i += n - 1
			continue
		case class < 0 && c == '[':
			class = i
		case class >= 0 && c == '[' && strings.HasPrefix(pattern[i:], "[:"):
			if end := strings.Index(pattern[i:], ":]"); end >= 0 {
				b.WriteString(pattern[i : i+end+2])
				i += end + 1
				continue
			}
		case class >= 0 && c == ']' && i > class+1 && pattern[class+1:i] != "^":
			class = -1
		case c == ' ' && class < 0:
			b.WriteString("[" + spaceRanges + "]")
			continue
		case c == ' ' && !endsRange(pattern, class, i):
			b.WriteString(spaceRanges)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// quotedLen is the length of a part that begins with \Q.
func quotedLen(s string) int {
	if end := strings.Index(s, `\E`); end >= 0 {
		return end + 2
	}
	return len(s)
}

// endsRange reports whether the character at i of a class is one end of a
// range.
func endsRange(pattern string, class, i int) bool {
	if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
		return true
	}
	return i >= class+3 && pattern[i-1] == '-' && pattern[i-2] != '[' && pattern[i-2] != '^'
}

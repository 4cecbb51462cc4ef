package guest

import "github.com/avapd/avapd/runtime/abi"

// The replacement of replace is Python's: \1 to \99, \g<number> and \g<name>
// stand for groups, \n \t \r \a \f \v \b \\ and octal numbers for characters.
// Any other backslash stays, so that a path need not be escaped; Python
// refuses letters behind one.

// putTemplate puts a replacement with the groups of a match; with match 0 it
// only checks the references. It is false for one that the pattern has no
// group for.
func putTemplate(template, pattern, source Value, match Ptr, groups uint32) bool {
	p := template.textPtr()
	end := p + Ptr(template.textLen())
	for p < end {
		n := byteIndex(p, uint32(end-p), '\\')
		if n == noOffset || p+Ptr(n)+1 == end {
			n = uint32(end - p)
		}
		if match != 0 {
			putBytes(p, n)
		}
		p += Ptr(n)
		if p == end {
			break
		}
		group, width := templateGroup(pattern, p, end)
		if width == 0 {
			c, width := templateEscape(p, end)
			if match != 0 {
				putRune(c)
			}
			p += Ptr(width)
			continue
		}
		if group > groups {
			fail(abi.ErrValue, literal("invalid group reference"), textFrom(p, width))
			return false
		}
		if match != 0 {
			putSpan(source, match+Ptr(group*spanBytes))
		}
		p += Ptr(width)
	}
	return true
}

// templateGroup reads a reference at a backslash that something follows: the
// group and the length; a length of 0 if it is none.
func templateGroup(pattern Value, p, end Ptr) (uint32, uint32) {
	c := load8(p + 1)
	if c == 'g' && p+2 < end && load8(p+2) == '<' {
		return namedGroup(pattern, p, end)
	}
	if c == '0' || !isDigit(c) {
		return 0, 0
	}
	group := c - '0'
	if p+2 == end || !isDigit(load8(p+2)) {
		return group, 2
	}
	if octalAt(p+1, end) == 3 {
		return 0, 0
	}
	return group*10 + load8(p+2) - '0', 3
}

// namedGroup reads \g<name> or \g<number>. A name that the pattern does not
// have is a group that no pattern has.
func namedGroup(pattern Value, p, end Ptr) (uint32, uint32) {
	name := p + 3
	n := byteIndex(name, uint32(end-name), '>')
	if n == noOffset || n == 0 {
		return 0, 0
	}
	if skipDigits(name, name+Ptr(n)) == name+Ptr(n) {
		group, fits := parseWhole(name, n)
		if !fits || group >= noOffset {
			group = noOffset
		}
		return uint32(group), n + 4
	}
	group := uint32(regexGroup(abi.RegexBlanks, pattern.textPtr(), pattern.textLen(), name, n))
	if group == 0 {
		group = noOffset
	}
	return group, n + 4
}

// octalAt counts octal digits, up to three.
func octalAt(p, end Ptr) uint32 {
	n := uint32(0)
	for n < 3 && p < end && load8(p)-'0' < 8 {
		n++
		p++
	}
	return n
}

// templateEscape reads what is no reference at a backslash: a character and
// the length, which is 1 where the backslash stays.
func templateEscape(p, end Ptr) (uint32, uint32) {
	c := load8(p + 1)
	switch c {
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'r':
		return '\r', 2
	case 'a':
		return 7, 2
	case 'b':
		return 8, 2
	case 'f':
		return '\f', 2
	case 'v':
		return '\v', 2
	case '\\':
		return '\\', 2
	}
	if !isDigit(c) {
		return '\\', 1
	}
	n := octalAt(p+1, end)
	if n == 0 {
		return '\\', 1
	}
	value := uint32(0)
	for i := range n {
		value = value*8 + load8(p+1+Ptr(i)) - '0'
	}
	return value, n + 1
}

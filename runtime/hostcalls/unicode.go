package hostcalls

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/avapd/avapd/runtime/abi"
)

// maxGrowth is how many times its length a text may have after a change of
// case.
const maxGrowth = 3

// UnicodeClass is unicode_class: what Python's isalpha, isdecimal, isdigit,
// isnumeric, isspace, isupper, islower, istitle and isprintable say of the
// character.
func UnicodeClass(codePoint uint32) uint32 {
	if codePoint > unicode.MaxRune {
		return 0
	}
	c := rune(codePoint)
	if c >= 0x80 && unicode.Is(laterAssigned, c) {
		return 0
	}
	return numberClass(c) | letterClass(c)
}

func numberClass(c rune) uint32 {
	switch {
	case unicode.Is(unicode.Nd, c):
		return abi.ClassDecimal | abi.ClassDigit | abi.ClassNumeric
	case unicode.Is(digitOnly, c):
		return abi.ClassDigit | abi.ClassNumeric
	case unicode.IsNumber(c), unicode.Is(numericLetters, c):
		return abi.ClassNumeric
	}
	return 0
}

func letterClass(c rune) uint32 {
	class := uint32(0)
	if unicode.IsLetter(c) {
		class |= abi.ClassAlpha
	}
	if unicode.Is(unicode.White_Space, c) || c >= 0x1c && c <= 0x1f {
		class |= abi.ClassSpace
	}
	if unicode.In(c, unicode.Upper, unicode.Other_Uppercase) {
		class |= abi.ClassUpper
	}
	if unicode.In(c, unicode.Lower, unicode.Other_Lowercase) && !slices.Contains(laterLowercase, c) {
		class |= abi.ClassLower
	}
	if unicode.Is(unicode.Title, c) {
		class |= abi.ClassTitle
	}
	if unicode.IsPrint(c) {
		class |= abi.ClassPrintable
	}
	return class
}

// laterLowercase became lower case after Unicode 14.
var laterLowercase = []rune{0x10fc, 0xa7f2, 0xa7f3, 0xa7f4, 0xab69}

// ignoredInCase are the characters that final sigma looks through and that
// their category does not give away.
var ignoredInCase = []rune{
	'\'', '.', ':', 0xb7, 0x387, 0x55f, 0x5f4, 0x2018, 0x2019, 0x2024, 0x2027,
	0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a,
}

const casedClasses = abi.ClassUpper | abi.ClassLower | abi.ClassTitle

func isCased(c rune) bool { return UnicodeClass(uint32(c))&casedClasses != 0 }

func isCaseIgnorable(c rune) bool {
	if slices.Contains(ignoredInCase, c) {
		return true
	}
	return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) && !unicode.Is(laterAssigned, c)
}

// UnicodeCase is unicode_case: see abi.LibraryImports. Bytes that are no UTF-8
// come out as U+FFFD.
func UnicodeCase(memory []byte, mode, offset, n, out uint32) uint32 {
	text, ok := span(memory, offset, n)
	if !ok || uint64(n)*maxGrowth > uint64(len(memory)) {
		return 0
	}
	room, ok := span(memory, out, n*maxGrowth)
	if !ok || mode > abi.CaseCapitalize {
		return 0
	}
	to := room[:0]
	cased := false // whether the character before is a cased one
	for i := 0; i < len(text); {
		c, width := utf8.DecodeRune(text[i:])
		// Capitalizing treats the first character as a title does, and the
		// rest as one word.
		switch {
		case mode == abi.CaseUpper:
			to = appendUpper(to, c)
		case mode == abi.CaseLower || cased:
			to = appendLower(to, c, text, i)
		default:
			to = appendTitle(to, c)
		}
		if mode != abi.CaseUpper && mode != abi.CaseLower {
			cased = mode == abi.CaseCapitalize || isCased(c)
		}
		i += width
	}
	return uint32(len(to))
}

func appendUpper(to []byte, c rune) []byte {
	if full, ok := fullUpper[c]; ok {
		return append(to, full...)
	}
	if unicode.Is(laterAssigned, c) {
		return utf8.AppendRune(to, c)
	}
	return utf8.AppendRune(to, unicode.ToUpper(c))
}

func appendTitle(to []byte, c rune) []byte {
	if full, ok := fullTitle[c]; ok {
		return append(to, full...)
	}
	if unicode.Is(laterAssigned, c) {
		return utf8.AppendRune(to, c)
	}
	return utf8.AppendRune(to, unicode.ToTitle(c))
}

func appendLower(to []byte, c rune, text []byte, at int) []byte {
	switch {
	case c == 'İ':
		return append(to, "i\u0307"...)
	case c == 'Σ' && isFinalSigma(text, at):
		return append(to, "ς"...)
	case unicode.Is(laterAssigned, c):
		return utf8.AppendRune(to, c)
	}
	return utf8.AppendRune(to, unicode.ToLower(c))
}

// isFinalSigma reports whether the capital sigma at a place ends a word: a
// cased character before it and none behind it, those that case ignores not
// counted.
func isFinalSigma(text []byte, at int) bool {
	before := text[:at]
	for {
		c, width := utf8.DecodeLastRune(before)
		if width == 0 {
			return false
		}
		if !isCaseIgnorable(c) {
			if !isCased(c) {
				return false
			}
			break
		}
		before = before[:len(before)-width]
	}
	after := text[at+len("Σ"):]
	for {
		c, width := utf8.DecodeRune(after)
		if width == 0 {
			return true
		}
		if !isCaseIgnorable(c) {
			return !isCased(c)
		}
		after = after[width:]
	}
}

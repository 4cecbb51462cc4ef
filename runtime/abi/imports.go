package abi

// Import is a host function: its field name in HostModule and its signature,
// one letter per value: i for i32, l for i64, d for f64.
type Import struct {
	Field           string
	Params, Results string
}

// RefuelField is imported by the library, and by script modules with loops or
// functions. It takes the current site (0: read the Site cell), and gives the
// units granted for the next slice; it does not
// return when the run is over.
const RefuelField = "refuel"

// LibraryRefuelField is what the library's part of a merged module imports as
// its refuel, so that the host can tell whose slice is used up.
const LibraryRefuelField = "library_refuel"

// ClockField gives milliseconds since the run began; only scripts compiled
// with statement logs import it.
const ClockField = "clock"

// LibraryImports is the whole list of host functions the guest library may
// import. Each is a pure function of its arguments and of guest memory, except
// refuel.
var LibraryImports = []Import{
	{RefuelField, "i", "l"},
	// float_digits(value, mode, ndigits, out) gives the decimal digits of a
	// finite, non-negative value as David Gay's dtoa does: mode 0 the shortest
	// that reads back as the value, 2 ndigits significant digits, 3 ndigits
	// behind the point; exact and rounded half to even. Digits without trailing
	// zeros go to out (room for 800 bytes); the result is their number in the
	// low half and the position of the decimal point in the (signed) high half.
	// Zero is the single digit 0 with the point at 1.
	{"float_digits", "diii", "l"},
	// float_parse(offset, length) reads number text that is already known to be
	// well-formed, and gives the nearest double, infinity included.
	{"float_parse", "ii", "d"},
	// unicode_case(mode, offset, length, out) writes the text with Python's
	// full case mapping to out (room for 3 × length bytes) and gives its length
	// in bytes.
	{"unicode_case", "iiii", "i"},
	// unicode_class(code point) gives the Class bits of a character.
	{"unicode_class", "i", "i"},
	// digest(kind, offset, length, out) writes the lower-case hexadecimal digest
	// of the bytes to out (room for DigestMaxBytes) and gives its length; 0 for
	// a kind that does not exist.
	{"digest", "iiii", "i"},
	// regex_group(mode, pattern, length, name, length) gives, for an empty name,
	// the number of groups of a regular expression, or the number of the group
	// of that name, 0 if there is none; or one of the Regex failures, which are
	// negative. The high half is what compiling is worth in units of fuel.
	{"regex_group", "iiiii", "l"},
	// regex_find(mode, pattern, length, text, length, from, out, room) looks for
	// matches from byte from on. Each one takes two u32 per group, the whole
	// match first: where it starts and ends in the text, RegexUnmatched for a
	// group that took no part. As many as fit into room bytes at out and as take
	// little time are written. The low half of the result is their number, with
	// RegexLast set when no match follows; the high half is what the search was
	// worth in units of fuel. The search for the next ones starts where the last
	// one ended, with RegexAdvance in the mode if that one was empty.
	{"regex_find", "iiiiiiii", "l"},
	// time_format(seconds, zone, length, format, length, out, room) writes the
	// Unix time in the zone (empty: the configured one) as strftime does, if it
	// fits into room bytes, and gives its length in bytes either way; or one of
	// the Time failures, which are negative.
	{"time_format", "diiiiii", "i"},
	// time_parse(text, length, format, length) reads a date as strptime does and
	// gives its Unix time in microseconds, or from TimeParseFailed on a failure:
	// its TimeParse number in the low byte and a detail above.
	{"time_parse", "iiii", "l"},
}

// Kinds of digest.
const (
	DigestMD5      = 0
	DigestSHA256   = 1
	DigestMaxBytes = 64
)

// Mode bits, failures and limits of the regular expression calls.
const (
	RegexBlanks  = 1 // a blank matches any white space, an empty pattern is a blank
	RegexAdvance = 2 // a match must not be empty where the search starts

	RegexInvalid  = -1
	RegexTooLarge = -2

	RegexLast      = 0x80000000
	RegexUnmatched = 0xffffffff

	RegexMaxBytes = 4096
)

// Failures of time_format.
const (
	TimeZoneUnknown   = -1
	TimeOutOfRange    = -2
	TimeFormatTooLong = -3

	// TimeTextMaxBytes bounds a format and a text that is to be read.
	TimeTextMaxBytes = 4096
)

// Failures of time_parse.
const (
	TimeParseFailed = 1 << 62

	TimeParseMismatch  = 1
	TimeParseDirective = 2 // detail: the code point that is no directive
	TimeParseStray     = 3 // a % at the end of the format
	TimeParseRepeated  = 4 // detail: the directive that stands twice
	TimeParseRest      = 5 // detail: byte offset of the data that remains
	TimeParseDay       = 6 // no such day in the month
	TimeParseRange     = 7 // a field that no date has
	TimeParseWeek      = 8 // ISO week and year without each other or a weekday
	TimeParseTooLong   = 9
)

// Modes of float_digits.
const (
	DigitsShortest    = 0
	DigitsSignificant = 2
	DigitsFixed       = 3
)

// Modes of unicode_case.
const (
	CaseUpper      = 0
	CaseLower      = 1
	CaseTitle      = 2
	CaseCapitalize = 3
)

// Class bits of unicode_class, as Python's str methods define them.
const (
	ClassAlpha     = 1
	ClassDecimal   = 2
	ClassDigit     = 4
	ClassNumeric   = 8
	ClassSpace     = 16
	ClassUpper     = 32
	ClassLower     = 64
	ClassTitle     = 128
	ClassPrintable = 256
)

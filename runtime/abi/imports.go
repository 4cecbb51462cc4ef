package abi

// Import is a host function: its field name in HostModule and its signature,
// one letter per value: i for i32, l for i64, d for f64.
type Import struct {
	Field           string
	Params, Results string
}

// RefuelField is imported by the library and by every script module. It takes
// the current site (0: read the Site cell), and gives the units granted for
// the next slice; it does not return when the run is over.
const RefuelField = "refuel"

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
}

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

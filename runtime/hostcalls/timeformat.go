package hostcalls

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avapd/avapd/runtime/abi"
)

const (
	// maxUnixSeconds is beyond all years that dates have.
	maxUnixSeconds = 1e12
	// maxDateWidth bounds the width a directive can ask for.
	maxDateWidth = 1024
)

// TimeFormat is time_format: see abi.LibraryImports. The zone of an empty name
// is local, nil for UTC.
func TimeFormat(memory []byte, local *time.Location, seconds float64, zone, zoneLen, format, formatLen, out, room uint32) int32 {
	name, ok := span(memory, zone, zoneLen)
	directives, ok2 := span(memory, format, formatLen)
	if !ok || !ok2 || formatLen > abi.TimeTextMaxBytes {
		return abi.TimeFormatTooLong
	}
	location := zoneNamed(name, local)
	if location == nil {
		return abi.TimeZoneUnknown
	}
	t, ok := timeOf(seconds, location)
	if !ok {
		return abi.TimeOutOfRange
	}
	var scratch [256]byte
	text := appendDate(scratch[:0], string(directives), t)
	if to, ok := span(memory, out, room); ok && len(text) <= len(to) {
		copy(to, text)
	}
	return int32(len(text))
}

// timeOf makes a time of a stamp, rounded to microseconds half to even; false
// when no year from 1 to 9999 has it.
func timeOf(seconds float64, zone *time.Location) (time.Time, bool) {
	if !(math.Abs(seconds) < maxUnixSeconds) { // NaN included
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	micros := int64(math.RoundToEven(fraction * 1e6))
	t := time.Unix(int64(whole), micros*1000).In(zone)
	return t, t.Year() >= 1 && t.Year() <= 9999
}

// appendDate appends a time as Python's strftime writes it in the C locale:
// %f, %z and %Z by itself, the rest as glibc does, with its flags and widths.
// What is no directive stays as it is.
func appendDate(dst []byte, format string, t time.Time) []byte {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			dst = append(dst, format[i])
			continue
		}
		d, n := parseDirective(format[i:])
		dst = d.append(dst, t)
		i += n - 1
	}
	return dst
}

// directive is a % and what belongs to it.
type directive struct {
	source string
	letter byte // 0 if the format ends within
	pad    byte // '-' none, '_' blank, '0', or 0 for the directive's own
	upper  bool // ^
	swap   bool // #
	width  int
	mod    byte // E or O
}

func parseDirective(s string) (directive, int) {
	d := directive{}
	i := 1
flags:
	for ; i < len(s); i++ {
		switch s[i] {
		case '-', '_', '0':
			d.pad = s[i]
		case '^':
			d.upper = true
		case '#':
			d.swap = true
		default:
			break flags
		}
	}
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		d.width = min(d.width*10+int(s[i]-'0'), maxDateWidth)
	}
	if i < len(s) && (s[i] == 'E' || s[i] == 'O') {
		d.mod = s[i]
		i++
	}
	if i < len(s) {
		_, n := utf8.DecodeRuneInString(s[i:])
		if n == 1 {
			d.letter = s[i]
		}
		i += n
	}
	d.source = s[:i]
	return d, i
}

// number is what a directive gives, and how it is filled up on its own.
type number struct {
	value int64
	width int
	pad   byte
}

func (d *directive) append(dst []byte, t time.Time) []byte {
	if d.allowed() {
		if n, ok := d.number(t); ok {
			return d.appendNumber(dst, n)
		}
		if text, ok := d.text(t); ok {
			return d.appendPadded(dst, d.cased(text))
		}
	}
	return d.appendPadded(dst, d.source)
}

// allowed reports whether the letter takes the modifier.
func (d *directive) allowed() bool {
	switch d.mod {
	case 'E':
		return strings.IndexByte("cCxXyYZzPpRrntsDFhT%", d.letter) >= 0
	case 'O':
		return strings.IndexByte("bBCdeHIklmMSuUVwWyZzGgjPpRrntsFhT%", d.letter) >= 0
	}
	return true
}

// number gives the value of a directive that is one.
func (d *directive) number(t time.Time) (number, bool) {
	isoYear, isoWeek := t.ISOWeek()
	weekday := int64(t.Weekday())
	two := func(n int) (number, bool) { return number{int64(n), 2, '0'}, true }
	switch d.letter {
	case 'C':
		return number{int64(t.Year() / 100), 1, '0'}, true
	case 'd':
		return two(t.Day())
	case 'e':
		return number{int64(t.Day()), 2, '_'}, true
	case 'f': // Python's own, which knows no flags
		return number{int64(t.Nanosecond() / 1000), 6, '0'}, d.source == "%f"
	case 'g':
		return two(isoYear % 100)
	case 'G':
		return number{int64(isoYear), 1, '0'}, true
	case 'H':
		return two(t.Hour())
	case 'I':
		return two(hour12(t))
	case 'j':
		return number{int64(t.YearDay()), 3, '0'}, true
	case 'k':
		return number{int64(t.Hour()), 2, '_'}, true
	case 'l':
		return number{int64(hour12(t)), 2, '_'}, true
	case 'm':
		return two(int(t.Month()))
	case 'M':
		return two(t.Minute())
	case 's':
		return number{t.Unix(), 1, '_'}, true
	case 'S':
		return two(t.Second())
	case 'u':
		return number{(weekday+6)%7 + 1, 1, '0'}, true
	case 'U':
		return two((t.YearDay() + 6 - int(weekday)) / 7)
	case 'V':
		return two(isoWeek)
	case 'w':
		return number{weekday, 1, '0'}, true
	case 'W':
		return two((t.YearDay() + 6 - int(weekday+6)%7) / 7)
	case 'y':
		return two(t.Year() % 100)
	case 'Y':
		return number{int64(t.Year()), 1, '0'}, true
	}
	return number{}, false
}

func hour12(t time.Time) int { return (t.Hour()+11)%12 + 1 }

// text gives what the other directives stand for.
func (d *directive) text(t time.Time) (string, bool) {
	switch d.letter {
	case '%':
		return "%", true
	case 'a':
		return t.Weekday().String()[:3], true
	case 'A':
		return t.Weekday().String(), true
	case 'b', 'h':
		return t.Month().String()[:3], true
	case 'B':
		return t.Month().String(), true
	case 'n':
		return "\n", true
	case 'p', 'P':
		return meridiem(t, d.letter == 'P'), true
	case 't':
		return "\t", true
	case 'z':
		return offsetText(t), true
	case 'Z':
		return t.Format("MST"), true
	}
	composed, ok := map[byte]string{
		'c': "%a %b %e %H:%M:%S %Y", 'D': "%m/%d/%y", 'F': "%Y-%m-%d", 'r': "%I:%M:%S %p", 'R': "%H:%M", 'T': "%H:%M:%S", 'x': "%m/%d/%y", 'X': "%H:%M:%S",
	}[d.letter]
	return string(appendDate(nil, composed, t)), ok
}

func meridiem(t time.Time, lower bool) string {
	word := "AM"
	if t.Hour() >= 12 {
		word = "PM"
	}
	if lower {
		word = strings.ToLower(word)
	}
	return word
}

// offsetText is the offset as +hhmm, with seconds if it has some.
func offsetText(t time.Time) string {
	_, seconds := t.Zone()
	if seconds%60 != 0 {
		return t.Format("-070000")
	}
	return t.Format("-0700")
}

// cased changes a text's case as the flags say. # makes small letters of what
// comes in capitals.
func (d *directive) cased(text string) string {
	switch {
	case d.letter == 'P': // small letters always
	case d.swap && (d.letter == 'p' || d.letter == 'Z'):
		return strings.ToLower(text)
	case d.upper || d.swap && strings.IndexByte("aAbBh", d.letter) >= 0:
		return strings.ToUpper(text)
	}
	return text
}

func (d *directive) appendPadded(dst []byte, text string) []byte {
	fill := byte(' ')
	if d.pad == '0' {
		fill = '0'
	}
	for range d.width - utf8.RuneCountInString(text) {
		dst = append(dst, fill)
	}
	return append(dst, text...)
}

func (d *directive) appendNumber(dst []byte, n number) []byte {
	pad, width := n.pad, n.width
	if d.pad != 0 {
		pad = d.pad
	}
	if d.pad == '-' {
		pad, width = '_', 1
	}
	digits := strconv.FormatInt(n.value, 10)
	width = max(width, d.width)
	if pad == '0' && n.value < 0 && len(digits) < width {
		dst, digits, width = append(dst, '-'), digits[1:], width-1
	}
	for range width - len(digits) {
		if pad == '_' {
			dst = append(dst, ' ')
		} else {
			dst = append(dst, '0')
		}
	}
	return append(dst, digits...)
}

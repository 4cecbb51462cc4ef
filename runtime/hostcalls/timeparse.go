package hostcalls

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/avapd/avapd/runtime/abi"
)

// formatCacheBytes bounds the formats that are kept in compiled form.
const formatCacheBytes = 4 << 20

// dateFields are the directives that read something, as regular expressions.
// A group's name is the directive. As everywhere in this file, the order of
// the choices is Python's.
var dateFields = map[rune]string{
	'a': `(?P<a>mon|tue|wed|thu|fri|sat|sun)`,
	'A': `(?P<A>wednesday|thursday|saturday|tuesday|monday|friday|sunday)`,
	'b': `(?P<b>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`,
	'B': `(?P<B>september|february|november|december|january|october|august|march|april|june|july|may)`,
	'd': `(?P<d>3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9])`,
	'f': `(?P<f>[0-9]{1,6})`,
	'G': `(?P<G>\d\d\d\d)`,
	'H': `(?P<H>2[0-3]|[0-1]\d|\d)`,
	'I': `(?P<I>1[0-2]|0[1-9]|[1-9])`,
	'j': `(?P<j>36[0-6]|3[0-5]\d|[1-2]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9])`,
	'm': `(?P<m>1[0-2]|0[1-9]|[1-9])`,
	'M': `(?P<M>[0-5]\d|\d)`,
	'p': `(?P<p>am|pm)`,
	'S': `(?P<S>6[0-1]|[0-5]\d|\d)`,
	'u': `(?P<u>[1-7])`,
	'U': `(?P<U>5[0-3]|[0-4]\d|\d)`,
	'V': `(?P<V>5[0-3]|0[1-9]|[1-4]\d|\d)`,
	'w': `(?P<w>[0-6])`,
	'W': `(?P<W>5[0-3]|[0-4]\d|\d)`,
	'y': `(?P<y>\d\d)`,
	'Y': `(?P<Y>\d\d\d\d)`,
	'z': `(?P<z>[+-]\d\d:?[0-5]\d(?::?[0-5]\d(?:\.\d{1,6})?)?|(?-i:Z))`,
}

// dateShorthands are directives that stand for others.
var dateShorthands = map[rune]string{'c': "%a %b %d %H:%M:%S %Y", 'x': "%m/%d/%y", 'X': "%H:%M:%S"}

const whiteSpace = `[` + spaceRanges + `]+`

// dateFormat is a format in compiled form, or why it has none.
type dateFormat struct {
	pattern *regexp.Regexp
	failure int64
}

var dateFormats = newCache[dateFormat](formatCacheBytes)

// parseFailure is the result of time_parse for a failure.
func parseFailure(code, detail int64) int64 { return abi.TimeParseFailed | detail<<8 | code }

// TimeParse is time_parse: see abi.LibraryImports. A date without an offset
// is meant in the zone local, nil for UTC.
func TimeParse(memory []byte, local *time.Location, offset, n, format, formatLen uint32) int64 {
	text, ok := span(memory, offset, n)
	directives, ok2 := span(memory, format, formatLen)
	if !ok || !ok2 || n > abi.TimeTextMaxBytes || formatLen > abi.TimeTextMaxBytes {
		return parseFailure(abi.TimeParseTooLong, 0)
	}
	if local == nil {
		local = time.UTC
	}
	f := dateFormatOf(directives, local)
	if f.failure != 0 {
		return f.failure
	}
	at := f.pattern.FindSubmatchIndex(text)
	if at == nil {
		return parseFailure(abi.TimeParseMismatch, 0)
	}
	if at[1] != len(text) {
		return parseFailure(abi.TimeParseRest, int64(at[1]))
	}
	d := newDate()
	for i, name := range f.pattern.SubexpNames() {
		if name != "" && at[2*i] >= 0 {
			d.field(name[0], strings.ToLower(string(text[at[2*i]:at[2*i+1]])))
		}
	}
	return d.micros(local)
}

func dateFormatOf(format []byte, local *time.Location) dateFormat {
	// The names that %Z knows are those of the zone.
	key := append(append([]byte(local.String()), 0), format...)
	if f, ok := dateFormats.get(key); ok {
		return f
	}
	c := dateCompiler{seen: make(map[rune]bool), zones: zoneNames(local)}
	f := dateFormat{}
	c.compile(string(format))
	if f.failure = c.failure; f.failure == 0 {
		pattern, err := regexp.Compile(`^(?i:` + c.pattern.String() + `)`)
		if err != nil {
			f.failure = parseFailure(abi.TimeParseMismatch, 0)
		}
		f.pattern = pattern
	}
	dateFormats.put(string(key), f, 4096+64*len(format))
	return f
}

// zoneNames are the names of a zone's two times in a year of its present
// rules, the longer ones first.
func zoneNames(zone *time.Location) string {
	names := []string{"utc", "gmt"}
	for _, month := range []time.Month{time.January, time.July} {
		name, _ := time.Date(2024, month, 1, 0, 0, 0, 0, zone).Zone()
		name = regexp.QuoteMeta(strings.ToLower(name))
		if len(name) > 3 {
			names = append([]string{name}, names...)
		} else {
			names = append(names, name)
		}
	}
	return `(?P<Z>` + strings.Join(names, "|") + `)`
}

// dateCompiler turns a format into a regular expression.
type dateCompiler struct {
	pattern strings.Builder
	seen    map[rune]bool
	zones   string
	failure int64
}

func (c *dateCompiler) compile(format string) {
	for i := 0; i < len(format) && c.failure == 0; {
		r, n := utf8.DecodeRuneInString(format[i:])
		switch {
		case isSpace(r):
			c.pattern.WriteString(whiteSpace)
			for n > 0 && isSpace(r) {
				i += n
				r, n = utf8.DecodeRuneInString(format[i:])
			}
			continue
		case r != '%':
			c.pattern.WriteString(regexp.QuoteMeta(format[i : i+n]))
		case i+1 == len(format):
			c.failure = parseFailure(abi.TimeParseStray, 0)
		default:
			i++
			r, n = utf8.DecodeRuneInString(format[i:])
			c.directive(r)
		}
		i += n
	}
}

// isSpace is Python's \s.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func (c *dateCompiler) directive(r rune) {
	if r == '%' {
		c.pattern.WriteByte('%')
		return
	}
	if s, ok := dateShorthands[r]; ok {
		c.compile(s)
		return
	}
	field, ok := dateFields[r]
	if r == 'Z' {
		field, ok = c.zones, true
	}
	switch {
	case !ok && (isSpace(r) || strings.ContainsRune(`\.^$*+?(){}[]|`, r)):
		c.failure = parseFailure(abi.TimeParseDirective, '%')
	case !ok:
		c.failure = parseFailure(abi.TimeParseDirective, int64(r))
	case c.seen[r]:
		c.failure = parseFailure(abi.TimeParseRepeated, int64(r))
	}
	c.seen[r] = true
	c.pattern.WriteString(field)
}

// unknown marks what a text did not say.
const unknown = -1

// date collects what a text says.
type date struct {
	year, month, day                   int
	hour, minute, second, microsecond  int
	weekday, yearDay                   int // Monday is 0; January 1 is 1
	week, isoWeek, isoYear             int
	weekStartsSunday, afternoon, zoned bool
	hour12                             bool
	offsetSeconds, offsetMicros        int
	inconsistent                       bool
}

func newDate() date {
	return date{
		year: unknown, month: 1, day: 1, weekday: unknown, yearDay: unknown,
		week: unknown, isoWeek: unknown, isoYear: unknown,
	}
}

// field takes what a directive has read, in lower case.
func (d *date) field(directive byte, s string) {
	n, _ := strconv.Atoi(strings.TrimSpace(s))
	switch directive {
	case 'a', 'A':
		d.weekday = strings.Index("montuewedthufrisatsun", s[:3]) / 3
	case 'b', 'B':
		d.month = strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", s[:3])/3 + 1
	case 'd':
		d.day = n
	case 'f':
		d.microsecond = padMicros(s)
	case 'G':
		d.isoYear = n
	case 'H':
		d.hour, d.hour12 = n, false
	case 'I':
		d.hour, d.hour12 = n, true
	case 'j':
		d.yearDay = n
	case 'm':
		d.month = n
	case 'M':
		d.minute = n
	case 'p':
		d.afternoon = s == "pm"
	case 'S':
		d.second = n
	case 'u':
		d.weekday = n - 1
	case 'U', 'W':
		d.week, d.weekStartsSunday = n, directive == 'U'
	case 'V':
		d.isoWeek = n
	case 'w':
		d.weekday = (n + 6) % 7
	case 'y':
		d.year = 1900 + n
		if n <= 68 {
			d.year = 2000 + n
		}
	case 'Y':
		d.year = n
	case 'z':
		d.offset(s)
	}
}

// padMicros reads the digits behind a second's point.
func padMicros(digits string) int {
	n, _ := strconv.Atoi((digits + "000000")[:6])
	return n
}

// offset reads +hhmm, +hh:mm, seconds and their fraction behind it, or Z.
func (d *date) offset(s string) {
	d.zoned = true
	if s == "z" {
		return
	}
	whole, fraction, _ := strings.Cut(s[1:], ".")
	colons := strings.Count(whole, ":")
	digits := strings.ReplaceAll(whole, ":", "")
	if len(digits) == 6 && (colons == 1 || colons == 2 && whole[5] != ':') {
		d.inconsistent = true
		return
	}
	hours, _ := strconv.Atoi(digits[:2])
	minutes, _ := strconv.Atoi(digits[2:4])
	seconds, _ := strconv.Atoi(digits[4:])
	d.offsetSeconds = hours*3600 + minutes*60 + seconds
	if fraction != "" {
		d.offsetMicros = padMicros(fraction)
	}
	if s[0] == '-' {
		d.offsetSeconds, d.offsetMicros = -d.offsetSeconds, -d.offsetMicros
	}
}

const (
	dayHours   = 24
	daySeconds = dayHours * 60 * 60
)

// micros puts the fields together.
func (d *date) micros(local *time.Location) int64 {
	if d.inconsistent {
		return parseFailure(abi.TimeParseMismatch, 0)
	}
	if code := d.resolve(); code != 0 {
		return parseFailure(code, 0)
	}
	hour := d.hour
	if d.hour12 {
		hour %= 12
		if d.afternoon {
			hour += 12
		}
	}
	if d.second > 59 || d.offsetSeconds <= -daySeconds || d.offsetSeconds >= daySeconds {
		return parseFailure(abi.TimeParseRange, 0)
	}
	wall := time.Date(d.year, time.Month(d.month), d.day, hour, d.minute, d.second, 0, time.UTC).Unix()
	if d.zoned {
		return (wall-int64(d.offsetSeconds))*1e6 + int64(d.microsecond-d.offsetMicros)
	}
	return instant(wall, local)*1e6 + int64(d.microsecond)
}

// resolve finds year, month and day; a failure's code if there are none.
func (d *date) resolve() int64 {
	switch {
	case d.year == unknown && d.isoYear != unknown:
		if d.isoWeek == unknown || d.weekday == unknown || d.yearDay != unknown {
			return abi.TimeParseWeek
		}
	case d.week == unknown && d.isoWeek != unknown:
		return abi.TimeParseWeek
	}
	year := d.year
	if year == unknown {
		year = 1900
	}
	yearDay := d.yearDay
	if yearDay == unknown && d.weekday != unknown {
		switch {
		case d.week != unknown:
			yearDay = d.dayOfWeek(year)
		case d.isoYear != unknown && d.isoWeek != unknown:
			year, yearDay = d.isoYear, d.dayOfISOWeek()
		}
	}
	if yearDay != d.yearDay || yearDay != unknown {
		return d.fromYearDay(year, yearDay)
	}
	d.year = year
	if year < 1 {
		return abi.TimeParseRange
	}
	if time.Date(year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC).Day() != d.day {
		return abi.TimeParseDay
	}
	return 0
}

// fromYearDay counts the days from the start of a year, which may lead into
// another one.
func (d *date) fromYearDay(year, yearDay int) int64 {
	if year < 1 {
		return abi.TimeParseRange
	}
	year, month, day := time.Date(year, time.January, yearDay, 0, 0, 0, 0, time.UTC).Date()
	if year < 1 || year > 9999 {
		return abi.TimeParseRange
	}
	d.year, d.month, d.day = year, int(month), day
	return 0
}

// dayOfWeek is the day of the year that %U or %W and a weekday mean; it may be
// below 1.
func (d *date) dayOfWeek(year int) int {
	first := weekdayOf(year, 1)
	day := d.weekday
	if d.weekStartsSunday {
		first, day = (first+1)%7, (day+1)%7
	}
	if d.week == 0 {
		return 1 + day - first
	}
	return 1 + (7-first)%7 + 7*(d.week-1) + day
}

// dayOfISOWeek is the same for an ISO week of an ISO year.
func (d *date) dayOfISOWeek() int {
	return d.isoWeek*7 + d.weekday + 1 - (weekdayOf(d.isoYear, 4) + 1 + 3)
}

// weekdayOf gives the weekday of a day of January, Monday being 0.
func weekdayOf(year, day int) int {
	return (int(time.Date(year, time.January, day, 0, 0, 0, 0, time.UTC).Weekday()) + 6) % 7
}

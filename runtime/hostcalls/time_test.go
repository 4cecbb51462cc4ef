package hostcalls

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/runtime/abi"
)

func formatTime(memory []byte, local *time.Location, seconds float64, zone, format string) string {
	copy(memory[textAt:], zone+format)
	formatAt := uint32(textAt + len(zone))
	n := TimeFormat(memory, local, seconds, textAt, uint32(len(zone)), formatAt, uint32(len(format)), outAt*2, uint32(len(memory)-outAt*2))
	if n < 0 {
		return fmt.Sprint("failure ", n)
	}
	return string(memory[outAt*2 : outAt*2+n])
}

func parseTime(memory []byte, local *time.Location, text, format string) int64 {
	copy(memory[textAt:], text+format)
	formatAt := uint32(textAt + len(text))
	return TimeParse(memory, local, textAt, uint32(len(text)), formatAt, uint32(len(format)))
}

// TestTimeFormatGolden holds what Python 3.11 writes: zone, stamp, format, text.
func TestTimeFormatGolden(t *testing.T) {
	var golden [][4]any
	readGolden(t, "testdata/strftime.json", &golden)
	memory := make([]byte, 65536)
	for _, row := range golden {
		if got := formatTime(memory, nil, row[1].(float64), row[0].(string), row[2].(string)); got != row[3] {
			t.Errorf("%q of %v in %s: %q, want %q", row[2], row[1], row[0], got, row[3])
		}
	}
}

func TestTimeFormatFailures(t *testing.T) {
	memory := make([]byte, 65536)
	for _, c := range []struct {
		seconds      float64
		zone, format string
		want         string
	}{
		{0, "Nowhere/Land", "%Y", "failure -1"},
		{0, "Local", "%Y", "failure -1"},
		{0, "../etc/passwd", "%Y", "failure -1"},
		{0, strings.Repeat("x", 3000), "%Y", "failure -1"},
		{math.NaN(), "", "%Y", "failure -2"},
		{math.Inf(-1), "", "%Y", "failure -2"},
		{1e300, "", "%Y", "failure -2"},
		{253402300800, "", "%Y", "failure -2"},
		{253402300799, "Asia/Tokyo", "%Y", "failure -2"},
		{-62135596801, "", "%Y", "failure -2"},
		{-62135596800, "", "%F %T", "1-01-01 00:00:00"},
		{0, "", strings.Repeat("x", 4097), "failure -3"},
		{0, "", "%99999999999d", strings.Repeat("0", maxDateWidth-1) + "1"},
		{0, "", "", ""},
	} {
		if got := formatTime(memory, nil, c.seconds, c.zone, c.format); got != c.want {
			t.Errorf("%v %.20q %.20q: %.60q, want %.60q", c.seconds, c.zone, c.format, got, c.want)
		}
	}
	madrid := zoneNamed([]byte("Europe/Madrid"), nil)
	if got := formatTime(memory, madrid, 0, "", "%H%z %Z"); got != "01+0100 CET" {
		t.Errorf("the configured zone gives %q", got)
	}
}

// TestTimeFormatNeedsRoom asks for the size first.
func TestTimeFormatNeedsRoom(t *testing.T) {
	memory := make([]byte, 256)
	copy(memory[textAt:], "%Y-%m-%d")
	if n := TimeFormat(memory, nil, 0, 0, 0, textAt, 8, 128, 9); n != 10 || memory[128] != 0 {
		t.Errorf("%d, wrote %q", n, memory[128:138])
	}
	if n := TimeFormat(memory, nil, 0, 0, 0, textAt, 8, 250, 10); n != 10 || memory[250] != 0 {
		t.Errorf("%d outside memory", n)
	}
}

// parseFailures are Python's words for the failures.
var parseFailures = []struct {
	code  int64
	words string
}{
	{abi.TimeParseMismatch, "does not match format"},
	{abi.TimeParseMismatch, "Inconsistent use of :"},
	{abi.TimeParseMismatch, "invalid literal for int()"},
	{abi.TimeParseDirective, "is a bad directive"},
	{abi.TimeParseStray, "stray %"},
	{abi.TimeParseRepeated, "redefinition of group"},
	{abi.TimeParseRest, "unconverted data remains"},
	{abi.TimeParseDay, "day is out of range for month"},
	{abi.TimeParseRange, "out of range"},
	{abi.TimeParseRange, "must be in 0..59"},
	{abi.TimeParseRange, "offset must be"},
	{abi.TimeParseRange, "ordinal must be"},
	{abi.TimeParseWeek, "ISO "},
}

func sameFailure(code int64, words string) bool {
	for _, f := range parseFailures {
		if f.code == code && strings.Contains(words, f.words) {
			return true
		}
	}
	return false
}

// TestTimeParseGolden holds what Python 3.11 reads: text, format,
// microseconds, error.
func TestTimeParseGolden(t *testing.T) {
	var golden [][4]any
	readGolden(t, "testdata/strptime.json", &golden)
	memory := make([]byte, 65536)
	for _, row := range golden {
		got, words := parseTime(memory, nil, row[0].(string), row[1].(string)), row[3].(string)
		switch {
		case words == "" && float64(got) != row[2].(float64):
			t.Errorf("%q as %q: %d, want %.0f", row[0], row[1], got, row[2])
		case words != "" && (got < abi.TimeParseFailed || !sameFailure(got&0xff, words)):
			t.Errorf("%q as %q: %x, want %s", row[0], row[1], got, words)
		}
	}
}

// TestWallClockGolden holds which instant Python takes for a wall clock that
// is skipped or comes twice, among others.
func TestWallClockGolden(t *testing.T) {
	var golden [][3]any
	readGolden(t, "testdata/wall.json", &golden)
	memory := make([]byte, 65536)
	for _, row := range golden {
		zone := zoneNamed([]byte(row[0].(string)), nil)
		if got := parseTime(memory, zone, row[1].(string), "%Y-%m-%d %H:%M:%S"); float64(got) != row[2].(float64)*1e6 {
			t.Errorf("%s in %s: %d, want %.0f", row[1], row[0], got/1e6, row[2])
		}
	}
}

func TestTimeParseDetails(t *testing.T) {
	memory := make([]byte, 65536)
	for _, c := range []struct {
		text, format string
		code, detail int64
	}{
		{"2024 x", "%Y", abi.TimeParseRest, 4},
		{"x", "%é", abi.TimeParseDirective, 'é'},
		{"1 1", "%d %d", abi.TimeParseRepeated, 'd'},
		{"x", "%.", abi.TimeParseDirective, '%'},
		{strings.Repeat("1", 4097), "%Y", abi.TimeParseTooLong, 0},
	} {
		if got := parseTime(memory, nil, c.text, c.format); got != parseFailure(c.code, c.detail) {
			t.Errorf("%.10q as %q: %x", c.text, c.format, got)
		}
	}
	madrid := zoneNamed([]byte("Europe/Madrid"), nil)
	if got := parseTime(memory, madrid, "2024 cest", "%Y %Z"); got != 1704063600e6 {
		t.Errorf("a name of the configured zone: %d", got)
	}
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{"%Y-%m-%d", "%c %x %X", "%-5^d%%%f", "%G-%V-%u", "%é%", "%U %w", "%z %Z", "%Ey%Od", " %j\t"} {
		f.Add(seed, "2024-05-06", 1.7e9)
	}
	memory := make([]byte, 65536)
	f.Fuzz(func(t *testing.T, format, text string, seconds float64) {
		if len(format)+len(text) > 2048 {
			t.Skip()
		}
		formatTime(memory, nil, seconds, "Europe/Madrid", format)
		if got := parseTime(memory, nil, text, format); got < abi.TimeParseFailed && (got < -63e15 || got > 254e15) {
			t.Errorf("%q as %q: %d", text, format, got)
		}
		const full = "%Y-%m-%dT%H:%M:%S.%f%z"
		written := formatTime(memory, nil, seconds, "", full)
		if seconds > 0 && seconds < 2.5e11 {
			if got := parseTime(memory, nil, written, full); math.Abs(float64(got)-seconds*1e6) > 64 {
				t.Errorf("%v is written as %s and read as %d", seconds, written, got)
			}
		}
	})
}

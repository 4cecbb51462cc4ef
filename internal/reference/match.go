package reference

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
)

// Matches compares a text of an outcome with one from elsewhere, which may have anything in the place of Any.
func Matches(want, got string) bool {
	if !strings.Contains(want, Any) && !strings.Contains(got, Any) {
		return want == got
	}
	return likeness(want).MatchString(got) || likeness(got).MatchString(want)
}

// A handle is Any and a character that numbers it.
var wild = regexp.MustCompile(Any + "[\ue100-\uefff]?")

func likeness(text string) *regexp.Regexp {
	parts := wild.Split(text, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(`(?s)\A` + strings.Join(parts, `.*`) + `\z`)
}

// MatchesJSON compares two JSON texts: numbers as they are written, members in their order, texts by Matches.
func MatchesJSON(want, got string) bool {
	x, y := json.NewDecoder(strings.NewReader(want)), json.NewDecoder(strings.NewReader(got))
	x.UseNumber()
	y.UseNumber()
	for {
		left, errX := x.Token()
		right, errY := y.Token()
		if errX != nil || errY != nil {
			return errors.Is(errX, io.EOF) && errors.Is(errY, io.EOF)
		}
		a, aText := left.(string)
		b, bText := right.(string)
		if aText && bText && Matches(a, b) {
			continue
		}
		if left != right {
			return false
		}
	}
}

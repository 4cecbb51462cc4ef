package differential

import (
	"fmt"
	"strings"

	"github.com/avapd/avapd/internal/reference"
)

// verdict is how one engine saw a program end.
type verdict struct {
	engine string
	// Code is empty for success.
	code, message          string
	line, column           int
	result, variables, log string // JSON
	status                 int
	fuel                   string
	// limited verdicts ended at a limit, or asked what the definition does not answer: there is nothing to compare.
	limited bool
}

// ended reports whether the execution came to an error of the script.
func (v *verdict) ended() string {
	if v.code == "" {
		return "success"
	}
	return fmt.Sprintf("%s at %d:%d", v.code, v.line, v.column)
}

// disagreement names what two engines see differently, and how. The aspect is what the shrinker keeps.
type disagreement struct {
	aspect, engines, detail string
}

// needsV8 reports whether V8 is one of the two.
func (d *disagreement) needsV8() bool { return strings.Contains(d.engines, "V8") }

func (d *disagreement) String() string { return d.engines + " " + d.aspect + "\n" + d.detail }

// compare holds other to first. What an engine does not tell is empty and not looked at.
func compare(first, other *verdict) *disagreement {
	if first.limited || other.limited {
		return nil
	}
	differ := func(aspect, a, b string) *disagreement {
		return &disagreement{aspect, first.engine + "/" + other.engine, fmt.Sprintf("%-12s %s\n%-12s %s", first.engine, a, other.engine, b)}
	}
	if first.ended() != other.ended() {
		return differ(endings(first, other), first.ended()+" "+first.message, other.ended()+" "+other.message)
	}
	if !reference.Matches(first.message, other.message) {
		return differ("message", first.message, other.message)
	}
	for _, part := range []struct{ aspect, a, b string }{
		{"result", first.result, other.result}, {"variables", first.variables, other.variables}, {"log", first.log, other.log},
	} {
		if part.a != "" && part.b != "" && !reference.MatchesJSON(part.a, part.b) {
			return differ(part.aspect, part.a, part.b)
		}
	}
	if first.status != other.status && first.status != 0 && other.status != 0 {
		return differ("status", fmt.Sprint(first.status), fmt.Sprint(other.status))
	}
	if first.fuel != "" && other.fuel != "" && first.fuel != other.fuel {
		return differ("fuel", first.fuel, other.fuel)
	}
	return nil
}

// endings describes two different endings without their places, which move while a program shrinks.
func endings(first, other *verdict) string {
	if first.code == other.code {
		return "position of " + first.code
	}
	return "ending " + strings.Join([]string{first.code, other.code}, "/")
}

// disagree compares all verdicts with the first.
func disagree(verdicts []verdict) *disagreement {
	for i := range verdicts {
		for j := range i {
			if d := compare(&verdicts[j], &verdicts[i]); d != nil {
				return d
			}
		}
	}
	return nil
}

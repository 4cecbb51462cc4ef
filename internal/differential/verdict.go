package differential

import (
	"fmt"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/diag"
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
	// form is that of the module that was run, and inV8 tells where.
	form form
	inV8 bool
	// open verdicts asked what the definition does not answer, or ended at a limit where children run in no certain order:
	// there is nothing to compare.
	open bool
}

// stops are the codes of limits; isLimit tells that a verdict has one of them.
var stops = []diag.Code{diag.OutOfFuel, diag.DeadlineReached, diag.OutOfMemory, diag.RecursionLimit, diag.OutputLimit}

func (v *verdict) isLimit() bool { return slices.Contains(stops, diag.Code(v.code)) }

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
	if first.open || other.open {
		return nil
	}
	if first.isLimit() || other.isLimit() {
		return compareLimits(first, other)
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
		if part.a != "" && part.b != "" && part.a != part.b && !reference.MatchesJSON(part.a, part.b) {
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

// holdsFor reports whether a limit that v ended at is one that the other engine has, too, and must find reached. The
// reference has none. Fuel and depth are the same for all others; how much memory a script takes is a matter of the module,
// and V8 gives it as much as it likes; time is a matter of the machine.
func (v *verdict) holdsFor(other *verdict) bool {
	switch diag.Code(v.code) {
	case diag.DeadlineReached:
		return false
	case diag.OutOfMemory, diag.OutputLimit:
		return other.fuel != "" && v.form == other.form && !other.inV8
	case diag.OutOfFuel, diag.RecursionLimit:
		return other.fuel != ""
	}
	return true
}

// compareLimits is compare where one of the two ended at a limit. Modules of different forms ask for fuel at different
// places.
func compareLimits(first, other *verdict) *disagreement {
	if !first.holdsFor(other) || !other.holdsFor(first) {
		return nil
	}
	a, b := first.code, other.code
	if first.form == other.form {
		a, b = first.ended(), other.ended()
	}
	if a == b {
		a, b = first.fuel, other.fuel
	}
	if a == b {
		return nil
	}
	return &disagreement{
		"limit " + first.code + "/" + other.code, first.engine + "/" + other.engine,
		fmt.Sprintf("%-12s %s, %s units of fuel\n%-12s %s, %s units of fuel", first.engine, first.ended(), first.fuel, other.engine, other.ended(), other.fuel),
	}
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

package wasmhost

import (
	"fmt"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// TestPatternsKeepToTheLimits runs searches that would take hours: one is
// quadratic in the text though every match is found in linear time, the other
// is a single search with a large program.
func TestPatternsKeepToTheLimits(t *testing.T) {
	onBothEngines(t, withLibrary, func(t *testing.T, h *Host) {
		for _, pattern := range []string{"x*y|x", "(?:x?){500}(?:x?){500}y"} {
			m := searching(t, h, pattern, "x", 1<<20)
			plenty := testLimits
			plenty.Fuel, plenty.Duration = 1<<50, 100*time.Millisecond
			began := time.Now()
			mustFail(t, h, m, Input{}, plenty, diag.DeadlineReached)
			if took := time.Since(began); took > 5*time.Second { // of hours
				t.Errorf("%s took %v with 100 ms to go", pattern, took)
			}
			scarce := testLimits
			scarce.Fuel, scarce.Duration = 20_000_000, time.Minute
			failure := mustFail(t, h, m, Input{}, scarce, diag.OutOfFuel)
			if failure.Usage.FuelUsed != scarce.Fuel {
				t.Errorf("%s used %d of %d", pattern, failure.Usage.FuelUsed, scarce.Fuel)
			}
		}
		out := mustRun(t, h, searching(t, h, "[0-9]+", "a1b22", 1), Input{EchoVariables: true})
		if got := string(out.Variables.Of(out.JSON)); got != `{"out":"122"}` {
			t.Error(got)
		}
	})
}

// searching is a script that looks for a pattern in a text n times over.
func searching(t *testing.T, h *Host, pattern, text string, n int64) *Module {
	g := newGuest("out")
	g.store32(abi.Site, 1)
	g.push(g.text(text))
	g.push(integer(n))
	g.call(t, "Mul")
	g.push(g.text(pattern))
	g.call(t, "GetRegex")
	g.store(0)
	return g.done(t, h, 0)
}

// TestLibraryKnowsDates holds that zones and digests are there.
func TestLibraryKnowsDates(t *testing.T) {
	onBothEngines(t, withLibrary, func(t *testing.T, h *Host) {
		g := newGuest("out", "back", "md5")
		for _, c := range []cell{floating(1700000000), g.text("%Y-%m-%d %H:%M:%S %Z"), integer(-1), g.text("Europe/Madrid")} {
			g.push(c)
		}
		g.call(t, "FormatTime")
		g.store(0)
		for _, c := range []cell{g.text("2024-01-02"), g.text("%Y-%m-%d"), {}} {
			g.push(c)
		}
		g.call(t, "ParseTime")
		g.store(1)
		g.push(g.text("abc"))
		g.call(t, "EncodeMD5")
		g.store(2)
		out := mustRun(t, h, g.done(t, h, 0), Input{EchoVariables: true})
		want := fmt.Sprintf(`{"out":"2023-11-14 23:13:19 CET","back":%.1f,"md5":"900150983cd24fb0d6963f7d28e17f72"}`, 1704153600.0)
		if got := string(out.Variables.Of(out.JSON)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

package check

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
)

// Each unknown name is compared with all known ones, so a script with many of
// both must not cost their product.
func TestManyUnknownNamesCostBoundedTime(t *testing.T) {
	const (
		names = 10_000
		bound = 10 * time.Second // generous; without a bound on the search it was a minute
	)
	for name, line := range map[string]string{
		"commands":    "function fun%05[1]d() {\nreturn(1)\n}\nfum%05[1]d(a)\n",
		"variables":   "v%05[1]d = 1\naddResult(v%05[1]d)\nx = u%05[1]d\n",
		"plain texts": "v%05[1]d = 1\naddResult(v%05[1]d)\naddVar(x, u%05[1]d + 1)\n",
	} {
		var b strings.Builder
		for i := range names {
			fmt.Fprintf(&b, line, i)
		}
		began := time.Now()
		found := findings(t, b.String())
		if took := time.Since(began); took > bound {
			t.Errorf("%s: %v", name, took)
		}
		if len(found) == 0 || found[0].Severity != diag.Warning {
			t.Errorf("%s: got %v", name, found)
		}
	}
}

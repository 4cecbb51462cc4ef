package compiler_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/compiler"
)

// TestItemsInBoundedTime has lists whose items come from each other, against
// the order in which they are looked at, so that each round finds one more.
func TestItemsInBoundedTime(t *testing.T) {
	const lists = 2000
	var b strings.Builder
	for i := range lists {
		fmt.Fprintf(&b, "l%d = [%d]\n", i, i)
	}
	b.WriteString("startLoop(i, 1, 2)\n")
	for i := range lists - 1 {
		fmt.Fprintf(&b, "l%d[0] = l%d[0]\n", i, i+1)
	}
	fmt.Fprintf(&b, "l%d[0] = \"text\"\nendLoop()\nr = l0[0]\n", lists-1)
	began := time.Now()
	if a, findings := compiler.Compile(compiler.Source{Text: b.String()}, compiler.Options{}); a == nil {
		t.Fatal(findings)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("compiling took %s", took)
	}
}

package compiler_test

import (
	"strings"
	"testing"

	"github.com/avapd/avapd/compiler"
)

// TestDeadCodeTakesNoRoom adds statements that nobody reaches. They pay fuel with
// those around them, which takes as many bytes as the larger numbers do; their
// constants, calls and imports are not there.
func TestDeadCodeTakesNoRoom(t *testing.T) {
	const alive = "function f(x){\nreturn(x + 1)\nDEAD}\nr = f(1)\nif(None, None, `2 < 1`)\nDEADend()\nwhile(True)\nr = r + 1\nif(r, 9, \">\")\nreturn(r)\nDEADend()\ncontinue\nDEADend()\nDEAD"
	const dead = "y = \"a text that nobody needs\"\ngetDateTime(\"\", 0, \"UTC\", y)\nrandomString(\"[a-z]\", 20, y)\ny = f([y, y])\n"
	size := func(script string) int {
		artifact, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{Detached: true})
		if artifact == nil {
			t.Fatal(findings)
		}
		return len(artifact.Wasm)
	}
	without, with := size(strings.ReplaceAll(alive, "DEAD", "")), size(strings.ReplaceAll(alive, "DEAD", dead))
	// The variable y is a cell to the host, dead or not, and moves the data behind it.
	if with > without+32 {
		t.Errorf("%d bytes with statements that cannot be reached, %d without", with, without)
	}
}

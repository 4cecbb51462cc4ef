package hostcalls

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"unicode/utf8"

	"github.com/avapd/avapd/runtime/abi"
)

// TestUnicodeInNode holds the shim's characters against ours.
func TestUnicodeInNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, file := range []string{"unicode.mjs", "characters.mjs"} {
		// Opened here too, a file counts for the cache of test results.
		if _, err := os.ReadFile("../../testdata/node/" + file); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), node, "../../testdata/node/characters.mjs").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for c := range rune(0xe1000) {
		if !utf8.ValidRune(c) || c >= 0x34000 && c < 0xe0000 {
			continue
		}
		want := fmt.Sprint(c, " ", UnicodeClass(uint32(c)))
		for _, x := range []struct {
			mode uint32
			text string
		}{
			{abi.CaseUpper, string(c)},
			{abi.CaseLower, string(c)},
			{abi.CaseTitle, string(c)},
			{abi.CaseLower, string(c) + "Σ"},
			{abi.CaseLower, "AΣ" + string(c)},
			{abi.CaseLower, "A" + string(c) + "Σ"},
		} {
			want += fmt.Sprintf(" %x", changed(x.mode, x.text))
		}
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("%U: V8 says %s, we %s", c, lines.Text(), want)
		}
	}
}

// changed changes the case of a short text.
func changed(mode uint32, text string) string {
	memory := make([]byte, 64)
	copy(memory, text)
	n := UnicodeCase(memory, mode, 0, uint32(len(text)), 16)
	return string(memory[16 : 16+n])
}

package wasm

import (
	"bytes"
	"testing"

	"github.com/avapd/avapd/internal/wasm/spectest"
)

// TestSuiteRoundTrip decodes every module of the specification's suite that is
// right, encodes it again and compares the text of both.
func TestSuiteRoundTrip(t *testing.T) {
	modules := 0
	for _, s := range spectest.Scripts(t) {
		if s.UsesVectors() {
			continue
		}
		for i := range s.Commands {
			c := &s.Commands[i]
			if c.Type != spectest.Module || !c.IsBinary() {
				continue
			}
			modules++
			b, err := Decode(s.Binary(t, c))
			if err != nil {
				t.Errorf("%s.wast:%d: %v", s.Name, c.Line, err)
				continue
			}
			encoded := b.Encode()
			again, err := Decode(encoded)
			if err != nil {
				t.Errorf("%s.wast:%d: encoded again: %v", s.Name, c.Line, err)
				continue
			}
			if !bytes.Equal(again.Encode(), encoded) || !bytes.Equal(binaryText(t, again), binaryText(t, b)) {
				t.Errorf("%s.wast:%d: encoded again, the module differs", s.Name, c.Line)
			}
		}
	}
	if modules < 1_000 {
		t.Errorf("%d modules", modules)
	}
}

func binaryText(t *testing.T, b *Binary) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

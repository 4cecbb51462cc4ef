package validate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/spectest"
)

// TestSuite holds the validator to the specification's suite: what is right is
// accepted, what is malformed or invalid is refused, what needs vectors is
// refused for that, and none takes long.
func TestSuite(t *testing.T) {
	var right, wrong, vectors int
	for _, s := range spectest.Scripts(t) {
		for i := range s.Commands {
			c := &s.Commands[i]
			if !c.IsBinary() {
				continue
			}
			var err error
			module := s.Binary(t, c)
			spectest.Bounded(t, fmt.Sprintf("%s.wast:%d", s.Name, c.Line), func() { _, err = Module(module, Max) })
			var refused *wasm.Error
			switch {
			case err != nil && !errors.As(err, &refused):
				t.Errorf("%s.wast:%d: %v is no *wasm.Error", s.Name, c.Line, err)
			case c.Type == spectest.Malformed, c.Type == spectest.Invalid:
				wrong++
				if err == nil {
					t.Errorf("%s.wast:%d: accepted, want %s", s.Name, c.Line, c.Text)
				}
			case s.UsesVectors() && refused != nil && strings.Contains(refused.Message, "the feature simd"):
				vectors++
			case err != nil:
				t.Errorf("%s.wast:%d: %s: %v", s.Name, c.Line, c.Type, err)
			default:
				right++
			}
		}
	}
	if right < 1_200 || wrong < 2_800 || vectors < 400 {
		t.Errorf("%d right, %d wrong, %d with vectors", right, wrong, vectors)
	}
	t.Logf("%d right, %d wrong, %d with vectors", right, wrong, vectors)
}

// TestPrograms has what compilers of other languages write pass the default
// limits. Programs that have a memory of their own may need more of it.
func TestPrograms(t *testing.T) {
	limits := Default
	limits.MemoryPages = 1_000
	for path, b := range spectest.Programs(t) {
		if _, err := Module(b, limits); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/memory"
)

// What does not fit is told with all keys that take part in it.
func TestMemoryFaults(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		heap, scripts, shadow, goLimit int64
		want                           string
	}{
		"fits":     {heap: 8 * gib, scripts: 8 * gib},
		"both":     {heap: 8 * gib, scripts: 9 * gib, want: "limits.memory_total_bytes: 9663676416 bytes, with gc.memory_bytes, which is 8589934592, are more than the 17179869184"},
		"scripts":  {scripts: 16 * gib, want: "limits.memory_total_bytes: 17179869184 bytes, with gc.memory_bytes, which needs 1073741824, are more"},
		"shadow":   {scripts: 14 * gib, shadow: 1, want: "and the 3758096384 for what shadow.runs_per_million repeats are more"},
		"heap":     {heap: 16 * gib, want: "gc.memory_bytes: 17179869184 bytes, with limits.memory_total_bytes, which needs 1073741824, are more"},
		"variable": {heap: 1 * gib, goLimit: 12 * gib, scripts: 8 * gib, want: "limits.memory_total_bytes: 8589934592 bytes, with GOMEMLIMIT, which is 12884901888, are more"},
	} {
		config := Default()
		config.GC.MemoryBytes, config.MemoryTotalBytes, config.Shadow.RunsPerMillion = c.heap, c.scripts, c.shadow
		got := ""
		config.shareMemory(16*gib, c.goLimit, func(key, format string, args ...any) { got += key + ": " + fmt.Sprintf(format, args...) })
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestMemoryIsShared(t *testing.T) {
	c, err := load(t, []string{"--gc-memory-bytes=1048576", "--limits-memory-total-bytes=4194304", "--shadow-runs-per-million=1"}, []string{GoMemoryVariable + "="})
	if err != nil {
		t.Fatal(err)
	}
	if want := (memory.Parts{Heap: 1 << 20, Scripts: 4 << 20, Shadow: 1 << 20}); c.Memory != want {
		t.Errorf("%+v, want %+v", c.Memory, want)
	}
	if memory.LimitBytes() == 0 {
		return // nothing is too much for a machine that does not say what it has
	}
	_, err = load(t, []string{"--limits-memory-total-bytes=1125899906842624"}, nil)
	if err == nil || !strings.Contains(err.Error(), "limits.memory_total_bytes (from flag --limits-memory-total-bytes): ") {
		t.Errorf("a PiB for scripts: %v", err)
	}
}

package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/memory"
)

// The program tells the Go runtime what memory it has: what the environment says,
// or else the settings, or else a part of that of the control group.
func TestMemoryOfGo(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		name, variable string
		flags          []string
		want           int64
	}{
		{"variable", "300MiB", nil, 300 * mib},
		{"variable and setting", "300MiB", []string{"--gc-memory-bytes", strconv.Itoa(512 * mib)}, 300 * mib},
		{"setting", "", []string{"--gc-memory-bytes", strconv.Itoa(512 * mib)}, 512 * mib},
		{"nothing", "", nil, memory.LimitBytes() / 8 * 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want == 0 {
				t.Skip("the system does not tell how much memory there is")
			}
			p := startProcess(t, []string{"GOMEMLIMIT=" + test.variable}, append(test.flags, "--data-dir", t.TempDir())...)
			_, metrics := p.ask(http.MethodGet, "/api/v1/metrics", "", "")
			_, value, _ := strings.Cut(metrics, "\ngo_gc_gomemlimit_bytes ")
			value, _, _ = strings.Cut(value, "\n")
			if got, err := strconv.ParseFloat(value, 64); err != nil || int64(got) != test.want {
				t.Errorf("go_gc_gomemlimit_bytes is %q, want %d", value, test.want)
			}
			p.stop()
		})
	}
}

package conformance

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/avapd/avapd/internal/conformance/loopback"
)

const (
	definition = "../../testdata/conformance"
	derived    = "../../testdata/conformance/extra"
)

// TestConformance runs every case and prints, per area, how many of how many passed.
func TestConformance(t *testing.T) {
	server := startServer(t)
	port := startLoopback(t)
	var score scoreboard
	for _, dir := range []string{definition, derived} {
		cases, err := Load(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		for i := range cases {
			c := &cases[i]
			err := server.Run(context.Background(), c, port)
			score.add(c.Area, err == nil)
			if err != nil {
				t.Errorf("%s (%s)\n%s\n%v\n%s", c.ID, c.File, indent(c.Script), err, c.Why)
			}
		}
	}
	t.Log(score.String())
}

func startServer(t *testing.T, arguments ...string) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("the server is a process of its own: nothing here for the race detector")
	}
	server, err := Start(arguments...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func startLoopback(t *testing.T) string {
	t.Helper()
	server := loopback.Start()
	t.Cleanup(server.Close)
	return loopback.Port(server)
}

func indent(script string) string {
	return "    | " + strings.ReplaceAll(script, "\n", "\n    | ")
}

type scoreboard struct {
	mutex  sync.Mutex
	areas  []string
	passed map[string]int
	total  map[string]int
}

func (s *scoreboard) add(area string, passed bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.total == nil {
		s.total, s.passed = make(map[string]int), make(map[string]int)
	}
	if s.total[area] == 0 {
		s.areas = append(s.areas, area)
	}
	s.total[area]++
	if passed {
		s.passed[area]++
	}
}

func (s *scoreboard) String() string {
	var text strings.Builder
	passed, total := 0, 0
	for _, area := range slices.Sorted(slices.Values(s.areas)) {
		fmt.Fprintf(&text, "\n%-14s %4d/%d", area, s.passed[area], s.total[area])
		passed += s.passed[area]
		total += s.total[area]
	}
	fmt.Fprintf(&text, "\n%-14s %4d/%d", "all", passed, total)
	return text.String()
}

package engine

import (
	"runtime"
	"syscall"
	"testing"

	"github.com/avapd/avapd/internal/diag"
)

// seenCompiler tells of each time it is asked.
type seenCompiler struct {
	fakeCompiler

	seen func()
}

func (c *seenCompiler) Compile(s *Source) (*Artifact, diag.List) {
	c.seen()
	return c.fakeCompiler.Compile(s)
}

func (c *seenCompiler) Check(s *Source) diag.List {
	c.seen()
	return c.fakeCompiler.Check(s)
}

// niceness is 20 less the nice value of the thread.
func niceness(t *testing.T) int {
	t.Helper()
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Error(err)
	}
	return raw
}

func TestCompilesGiveWay(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := niceness(t)
	var compiles []int
	c := &seenCompiler{seen: func() { compiles = append(compiles, niceness(t)) }}
	e := newEngine(t, &c.fakeCompiler, func(config *Config) { config.Compiler = c })
	for _, source := range []string{"ok 1", "ok 2"} {
		if _, err := e.Run(t.Context(), &Request{Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Check(t.Context(), "", &Source{Text: "ok 3"}); err != nil {
		t.Fatal(err)
	}
	want := max(1, own-politeness) // 1 is the least
	for i, raw := range compiles {
		if raw != want {
			t.Errorf("compile %d at %d, requests at %d", i, raw, own)
		}
	}
	if len(compiles) != 3 || niceness(t) != own {
		t.Errorf("%d compiles, afterwards at %d", len(compiles), niceness(t))
	}
}

package engine

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// scheduled is how the system schedules the thread.
func scheduled(t *testing.T) *unix.SchedAttr {
	t.Helper()
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return attr
}

func TestCompilesGiveWay(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := scheduled(t)
	var compiles []*unix.SchedAttr
	c := &seenCompiler{seen: func(*Source) { compiles = append(compiles, scheduled(t)) }}
	e := newEngine(t, &c.fakeCompiler, func(config *Config) { config.Compiler = c })
	for _, source := range []string{"ok 1", "ok 2"} {
		if _, err := e.Run(t.Context(), &Request{Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Check(t.Context(), "", &Source{Text: "ok 3"}); err != nil {
		t.Fatal(err)
	}
	for i, compile := range compiles {
		if compile.Nice != min(own.Nice+politeness, 19) {
			t.Errorf("compile %d is nice %d, requests %d", i, compile.Nice, own.Nice)
		}
		// Kernels that know no slices per thread say 0.
		if slice, usual := time.Duration(compile.Runtime), time.Duration(own.Runtime); slice != 0 && (slice != longSlice || usual >= slice) {
			t.Errorf("compile %d has slices of %v, requests of %v", i, slice, usual)
		}
	}
	if after := scheduled(t); len(compiles) != 3 || *after != *own {
		t.Errorf("%d compiles, afterwards %+v, before %+v", len(compiles), *after, *own)
	}
}

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/bench/program"
)

func TestMain(m *testing.M) { program.Main(m) }

// A short soak keeps all promises but those that are about times.
func TestSoak(t *testing.T) {
	duration := 30 * time.Second
	if testing.Short() {
		duration = 10 * time.Second
	}
	r, err := soak(t.Context(), options{
		duration: duration, dir: t.TempDir(), patience: time.Minute,
		avap:     program.Command,
		progress: func(what string) { t.Log(what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	for _, p := range r.promises() {
		if !p.kept && !p.times {
			t.Errorf("%s: %s", p.what, p.found)
		}
	}
	for i, k := range r.traffic.kinds {
		if c := r.traffic.counts[i]; c.asked == 0 {
			t.Errorf("nobody sent a %s", k.name)
		}
	}
	for _, what := range []string{"reload", "reload of settings with faults"} {
		if r.traffic.others[what] == 0 {
			t.Errorf("there was no %s", what)
		}
	}
	for _, n := range nuisances {
		if r.traffic.others[n.name] == 0 {
			t.Errorf("there was no %s", n.name)
		}
	}
}

// A report says what is broken.
func TestBrokenPromises(t *testing.T) {
	r := &report{
		traffic: newTraffic("", all()), log: &logLines{}, audit: &auditLog{executions: map[string]int{"ok": 2}, reloads: map[string]int{}},
		before: holding{goroutines: 10, descriptors: 10, resident: 100 << 20}, after: holding{goroutines: 30, descriptors: 20, resident: 300 << 20, busy: 1},
		metrics: map[string]float64{`avap_executions_total{outcome="ok"}`: 3, `avap_problems_total{code="AVAP9001"}`: 1},
	}
	r.traffic.took = time.Second
	r.traffic.note(0, 0, 0, "cut off")
	_, _ = r.log.Write([]byte("panic: oh\n"))
	var kept []string
	for _, p := range r.promises() {
		if p.kept && !p.times {
			kept = append(kept, p.what)
		}
	}
	if len(kept) != 1 || kept[0] != "avap audit verify says yes" {
		t.Errorf("kept are %q", kept)
	}
	var text bytes.Buffer
	if err := r.write(&text); err != nil || !r.broken() || !strings.Contains(text.String(), "metrics map[ok:3], audit log map[ok:2]") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

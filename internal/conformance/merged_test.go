package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// mergedOutcome is all that an execution shows.
type mergedOutcome struct {
	Document string
	Code     diag.Code
	Message  string
	Position diag.Position
	Stack    []diag.Frame
	Fuel     int64
}

func runMerged(e *engine.Engine, wasm []byte, r *engine.Request) mergedOutcome {
	answer, err := e.RunArtifact(context.Background(), wasm, r)
	if failure, ok := errors.AsType[*diag.Failure](err); ok {
		return mergedOutcome{
			Code: failure.Code, Message: failure.Message, Position: failure.Span.Start, Stack: failure.Stack, Fuel: failure.Usage.FuelUsed,
		}
	}
	if err != nil {
		return mergedOutcome{Message: err.Error()}
	}
	return mergedOutcome{Document: string(answer.JSON), Fuel: answer.Usage.FuelUsed}
}

// modulesOf compiles a script as a pair's half and as a module of its own.
func modulesOf(t *testing.T, name, script string) (pair, merged []byte) {
	t.Helper()
	source := compiler.Source{Name: name, Text: script}
	half, _ := compiler.Compile(source, compiler.Options{})
	whole, _ := compiler.Compile(source, compiler.Options{Standalone: true})
	again, _ := compiler.Compile(source, compiler.Options{Standalone: true})
	if half == nil || whole == nil {
		return nil, nil
	}
	if !bytes.Equal(whole.Wasm, again.Wasm) {
		t.Errorf("%s: the same source gave two modules", name)
	}
	return half.Wasm, whole.Wasm
}

// TestMergedProgramsAreThePairs runs programs as pair and merged on both
// engines: they give the same document or the same error at the same place,
// for the same fuel; and when fuel runs out, it does so at the same place.
func TestMergedProgramsAreThePairs(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/programs/*.txtar")
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d programs, %v", len(paths), err)
	}
	for _, interpreter := range []bool{false, true} {
		e := newEngine(t, engine.Config{Interpreter: interpreter, HashSeed: func() uint64 { return hashSeed }})
		for _, path := range paths {
			t.Run(fmt.Sprintf("%s/interpreter=%v", filepath.Base(path), interpreter), func(t *testing.T) {
				script, exchanges := readProgram(t, path)
				pair, merged := modulesOf(t, filepath.Base(path), script)
				for _, x := range exchanges {
					r := &engine.Request{Variables: x.Variables, Body: x.Body}
					for _, q := range slices.Sorted(maps.Keys(x.Query)) {
						r.Query = append(r.Query, engine.Pair{Name: q, Value: x.Query[q]})
					}
					used := compareMerged(t, e, pair, merged, r)
					for _, part := range []int64{3, 2} {
						short := *r
						short.Limits.Fuel = max(1, used*(part-1)/part)
						compareMerged(t, e, pair, merged, &short)
					}
				}
			})
		}
	}
}

func compareMerged(t *testing.T, e *engine.Engine, pair, merged []byte, r *engine.Request) (fuel int64) {
	t.Helper()
	want := runMerged(e, pair, r)
	if diff := cmp.Diff(want, runMerged(e, merged, r)); diff != "" {
		t.Errorf("fuel %d (-pair +merged):\n%s", r.Limits.Fuel, diff)
	}
	return want.Fuel
}

// TestMergedErrorsAreThePairs does the same with cases that end in errors.
func TestMergedErrorsAreThePairs(t *testing.T) {
	e := newEngine(t, engine.Config{HashSeed: func() uint64 { return hashSeed }})
	n := 0
	for _, c := range loadCases(t, "../../testdata/conformance") {
		pair, merged := modulesOf(t, c.ID, c.Script)
		if pair == nil {
			continue
		}
		r := &engine.Request{}
		want := runMerged(e, pair, r)
		if want.Message == "" || want.Fuel > 10_000_000 {
			continue
		}
		n++
		if diff := cmp.Diff(want, runMerged(e, merged, r)); diff != "" {
			t.Errorf("%s (-pair +merged):\n%s", c.ID, diff)
		}
	}
	if n < 20 {
		t.Errorf("only %d cases end in an error", n)
	}
}

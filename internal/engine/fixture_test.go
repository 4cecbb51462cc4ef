package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeCompiler knows scripts of one word: ok, endless, count N, bad, panic,
// nothing. Its events tell what it was asked for.
type fakeCompiler struct {
	compiles atomic.Int32
	// gate, when set, holds every compile until it is closed; begun gets a
	// value for each that waits.
	gate, begun chan struct{}
	mu          sync.Mutex
	texts       []string
}

func (c *fakeCompiler) Check(s *Source) diag.List {
	if s.Text == "panic" {
		panic("check")
	}
	_, findings := c.Compile(s)
	return findings
}

func (c *fakeCompiler) Compile(s *Source) (*Artifact, diag.List) {
	c.compiles.Add(1)
	c.mu.Lock()
	c.texts = append(c.texts, s.Text)
	c.mu.Unlock()
	if c.gate != nil {
		c.begun <- struct{}{}
		<-c.gate
	}
	word, argument, _ := strings.Cut(s.Text, " ")
	switch word {
	case "bad":
		return nil, diag.List{diag.New(diag.SyntaxError, diag.Span{}, "bad script")}
	case "panic":
		panic("compile")
	case "nothing":
		return nil, nil
	case "endless":
		return fakeArtifact(s, 1<<40), nil
	case "count":
		n, _ := strconv.ParseInt(argument, 10, 64)
		return fakeArtifact(s, n), nil
	}
	return fakeArtifact(s, 0), nil
}

// seenCompiler tells of each time it is asked.
type seenCompiler struct {
	fakeCompiler

	seen func(*Source)
}

func (c *seenCompiler) Compile(s *Source) (*Artifact, diag.List) {
	c.seen(s)
	return c.fakeCompiler.Compile(s)
}

func (c *seenCompiler) Check(s *Source) diag.List {
	c.seen(s)
	return c.fakeCompiler.Check(s)
}

// fakeArtifact is a module that turns a metered loop a number of times.
func fakeArtifact(s *Source, turns int64) *Artifact {
	m := &wasm.Module{Memory: &wasm.Memory{
		Limits: wasm.Limits{Min: 1}, Import: &wasm.ImportName{Module: abi.LibraryModule, Field: abi.MemoryExport},
	}}
	refuel := m.ImportFunc(abi.HostModule, abi.RefuelField, wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I64}})
	fuel := m.NewGlobal("fuel", wasm.I64, 0)
	fuel.Exports = []string{abi.FuelExport}
	run := m.NewFunc("run", wasm.FuncType{Results: []wasm.ValType{wasm.I32}})
	run.Exports = []string{abi.RunExport}
	if turns > 0 {
		countdown(run, fuel, refuel, turns)
	}
	run.I32Const(0)
	digest := sha256.Sum256([]byte(s.Text))
	manifest := abi.Manifest{
		Format: abi.ManifestFormat, ABI: abi.Version, Globals: []string{"a"}, DataEnd: abi.ScriptBase + abi.CellSize,
		Files: []string{s.File}, Sites: []abi.SourceSite{{}, {Line: 1, Column: 1}}, Functions: []string{""},
		SourceSHA256: hex.EncodeToString(digest[:]),
	}
	section, _ := json.Marshal(manifest)
	m.Customs = []wasm.Custom{{Name: abi.ManifestSection, Bytes: section}}
	return &Artifact{Wasm: m.Encode(), Manifest: manifest}
}

func countdown(f *wasm.Func, fuel *wasm.Global, refuel *wasm.Func, turns int64) {
	i := f.NewLocal(wasm.I64)
	f.I64Const(turns)
	f.LocalSet(i)
	head := f.Loop()
	f.GlobalGet(fuel)
	f.I64Const(1)
	f.Op(wasm.OpI64Sub)
	f.GlobalSet(fuel)
	f.GlobalGet(fuel)
	f.I64Const(0)
	f.Op(wasm.OpI64LtS)
	f.If()
	f.GlobalGet(fuel)
	f.I32Const(1)
	f.Call(refuel)
	f.Op(wasm.OpI64Add)
	f.GlobalSet(fuel)
	f.End()
	f.LocalGet(i)
	f.I64Const(1)
	f.Op(wasm.OpI64Sub)
	f.LocalTee(i)
	f.I64Const(0)
	f.Op(wasm.OpI64GtS)
	f.BrIf(head)
	f.End()
}

// newEngine makes an engine that is closed at the end of the test; without a
// compiler it has the real one.
func newEngine(t testing.TB, c *fakeCompiler, change func(*Config)) *Engine {
	t.Helper()
	config := Config{HashSeed: func() uint64 { return 1 }}
	if c != nil {
		config.Compiler = c
	}
	if change != nil {
		change(&config)
	}
	e, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := e.Close(ctx); err != nil && err.Error() != "engine: closed twice" {
			t.Error(err)
		}
	})
	return e
}

func mustAnswer(t testing.TB, e *Engine, r *Request) *Answer {
	t.Helper()
	a, err := e.Run(context.Background(), r)
	if err != nil {
		t.Fatalf("%.40s: %v", r.Source, err)
	}
	return a
}

// codeOf is the code of a failure or of the first finding.
func codeOf(err error) diag.Code {
	switch err := err.(type) {
	case *diag.Failure:
		return err.Code
	case diag.List:
		return err[0].Code
	}
	return ""
}

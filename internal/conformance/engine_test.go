package conformance

import (
	"context"
	"testing"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// newEngine makes an engine with the real compiler.
func newEngine(t *testing.T, config engine.Config) *engine.Engine {
	t.Helper()
	config.Compiler = scriptCompiler{}
	e, err := engine.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

type scriptCompiler struct{}

func (scriptCompiler) Compile(s *engine.Source) (*engine.Artifact, diag.List) {
	artifact, findings := compiler.Compile(compiler.Source{Name: s.File, Text: s.Text}, compiler.Options{Logs: s.Logs})
	if artifact == nil {
		return nil, findings
	}
	return &engine.Artifact{Wasm: artifact.Wasm, Manifest: artifact.Manifest}, findings
}

func (scriptCompiler) Check(s *engine.Source) diag.List {
	return compiler.Check(compiler.Source{Name: s.File, Text: s.Text}, compiler.Options{})
}

package cli

import (
	"os"
	"path/filepath"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

type scriptCompiler struct{}

func (scriptCompiler) Compile(source *engine.Source) (*engine.Artifact, diag.List) { return nil, nil }
func (scriptCompiler) Check(source *engine.Source) diag.List                        { return nil }

func printIR(source *engine.Source) (string, diag.List) { return "", nil }

// loader finds the scripts that a script imports: files beside it.
func loader(name string) func(string) ([]byte, error) {
	if name == stdinName {
		return nil
	}
	return func(imported string) ([]byte, error) {
		return os.ReadFile(filepath.Join(filepath.Dir(name), imported))
	}
}

func checkSource(content []byte, name string) diag.List {
	return scriptCompiler{}.Check(&engine.Source{File: fileName(name), Text: string(content), Load: loader(name)})
}

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// scriptCompiler plugs the compiler into the engine, which knows it only by
// its interface.
type scriptCompiler struct{}

// Interface guard.
var _ engine.Compiler = scriptCompiler{}

func (scriptCompiler) Compile(s *engine.Source) (*engine.Artifact, diag.List) {
	artifact, findings := compiler.Compile(compilerInput(s))
	if artifact == nil {
		return nil, findings
	}
	return &engine.Artifact{Wasm: artifact.Wasm, Manifest: artifact.Manifest}, findings
}

func (scriptCompiler) Check(s *engine.Source) diag.List {
	return compiler.Check(compilerInput(s))
}

// printIR gives the intermediate form as text.
func printIR(s *engine.Source) (string, diag.List) {
	program, findings := compiler.Intermediate(compilerInput(s))
	if findings.HasErrors() {
		return "", findings
	}
	return ir.Print(program), findings
}

func compilerInput(s *engine.Source) (compiler.Source, compiler.Options) {
	return compiler.Source{Name: s.File, Text: s.Text}, compiler.Options{Logs: s.Logs, Load: s.Load}
}

// loader finds the scripts that a script imports: files beside it, with or
// without their ending.
func loader(name string) func(string) ([]byte, error) {
	dir := "."
	if name != stdinName {
		dir = filepath.Dir(name)
	}
	return func(imported string) ([]byte, error) {
		path := filepath.Join(dir, filepath.FromSlash(imported))
		content, err := os.ReadFile(path) //nolint:gosec // the user's own script names it
		if errors.Is(err, os.ErrNotExist) && !strings.HasSuffix(path, scriptSuffix) {
			content, err = os.ReadFile(path + scriptSuffix) //nolint:gosec // as above
		}
		if err != nil {
			return nil, errors.New(fileProblem(path, err))
		}
		return content, nil
	}
}

const scriptSuffix = ".avap"

func checkSource(content []byte, name string) diag.List {
	return scriptCompiler{}.Check(&engine.Source{File: fileName(name), Text: string(content), Load: loader(name)})
}

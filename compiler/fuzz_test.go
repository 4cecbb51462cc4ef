package compiler_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost"
)

// FuzzCompile checks that whatever compiles is a valid module, and that no
// script can bring the host into a state it does not know.
func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{"../testdata/conformance/*.json", "../testdata/conformance/*/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			addScripts(f, file)
		}
	}
	h := newHost(f, wasmhost.EngineCompiler)
	few := limits
	few.Fuel, few.Duration, few.MemoryPages, few.CallDepth = 100_000, time.Second, 64, 100
	f.Fuzz(func(t *testing.T, script string, split bool) {
		if split {
			defer compiler.SplitAll()()
		}
		artifact, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{Logs: len(script)%2 == 0})
		if artifact == nil {
			if !findings.HasErrors() {
				t.Fatal("neither artifact nor error")
			}
			return
		}
		for _, field := range artifact.Manifest.Imports {
			if field != abi.RefuelField && field != abi.ClockField {
				return // a command of the host: nothing to be called from here
			}
		}
		module, err := h.Load(artifact.Wasm, artifact.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		defer module.Release()
		in := &wasmhost.Input{Variables: []byte(`{"n": 3, "l": [1, "a"], "x": null}`), EchoVariables: true}
		if _, _, failure := h.Run(context.Background(), module, in, few, nil); failure != nil && failure.Code == diag.Internal {
			t.Fatalf("internal error: %v", failure.Cause)
		}
	})
}

func addScripts(f *testing.F, file string) {
	f.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ Script string }
	if err := json.Unmarshal(text, &cases); err != nil {
		f.Fatal(err)
	}
	for i, c := range cases {
		f.Add(c.Script, i%2 == 0)
	}
}

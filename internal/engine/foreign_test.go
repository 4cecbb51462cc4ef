package engine

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// foreign gives a module of wasmhost's fixtures a manifest.
func foreign(t *testing.T, name string, imports ...string) []byte {
	t.Helper()
	module, err := os.ReadFile(filepath.Join("../../wasmhost/testdata/foreign", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal(abi.Manifest{
		Format: abi.ManifestFormat, ABI: abi.Version, DataEnd: abi.ScriptBase + 4096, Files: []string{name}, Functions: []string{""}, Imports: imports,
	})
	if err != nil {
		t.Fatal(err)
	}
	return wasm.AppendCustom(module, wasm.Custom{Name: abi.ManifestSection, Bytes: manifest})
}

// TestRunForeign takes modules all the way: admission, metering, the sandbox.
func TestRunForeign(t *testing.T) {
	for _, interpreter := range []bool{false, true} {
		e := newEngine(t, nil, func(c *Config) { c.Interpreter = interpreter })
		answer, err := e.RunForeign(context.Background(), foreign(t, "uses_the_library"), &Request{})
		if err != nil || string(answer.Result) != `{"x":"42"}` {
			t.Fatalf("%+v, %v", answer, err)
		}
		again, err := e.RunForeign(context.Background(), foreign(t, "uses_the_library"), &Request{})
		if err != nil || !again.CacheHit || again.Usage.FuelUsed != answer.Usage.FuelUsed {
			t.Errorf("%+v, %v", again, err)
		}
		_, err = e.RunForeign(context.Background(), foreign(t, "endless_loop"), &Request{Limits: Limits{Fuel: 1_000_000}})
		failure, ok := errors.AsType[*diag.Failure](err)
		if !ok || failure.Code != diag.OutOfFuel || failure.Usage.FuelUsed != 1_000_000 {
			t.Errorf("%v", err)
		}
	}
}

// A module is refused by what it says of itself, and a module of our own by
// having the counters already.
func TestRunForeignRefuses(t *testing.T) {
	e := newEngine(t, nil, nil)
	ours, _ := compiler.Compile(compiler.Source{Text: "startLoop(i, 1, x)\nendLoop()"}, compiler.Options{})
	for name, c := range map[string]struct {
		module []byte
		code   diag.Code
		text   string
	}{
		"undeclared command": {foreign(t, "command_with_no_heap"), diag.ModuleImport, "manifest declares"},
		"declared command":   {foreign(t, "trap", abi.RegisteredField), diag.ModuleManifest, "manifest declares"},
		"our own":            {ours.Wasm, diag.ModuleImport, "refuel"},
		"text":               {[]byte("addResult(x)"), diag.ModuleMalformed, ""},
	} {
		_, err := e.RunForeign(context.Background(), c.module, &Request{})
		findings, ok := errors.AsType[diag.List](err)
		if !ok || len(findings) != 1 || findings[0].Code != c.code || !strings.Contains(findings[0].Message, c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What one caller vouches for does not count for another.
	if _, err := e.RunArtifact(context.Background(), ours.Wasm, &Request{}); err == nil {
		if _, err := e.RunForeign(context.Background(), ours.Wasm, &Request{}); err == nil {
			t.Error("a trusted module in the cache was run as an untrusted one")
		}
	}
}

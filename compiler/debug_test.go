package compiler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/library"
)

// debugSource calls itself, by way of an import, until the call stack is used
// up, and then traps.
var debugSource = compiler.Source{Name: "shop/order.avap", Text: `import "deep.avap"
function outer(n){
    text = "😀" + str(n)
    return(n + inner(n))
}
x = 1
y = [x,
     outer(x)]
`}

const debugImport = `function inner(n){
    return(1 + outer(n + 1))
}
`

func compileForDebugging(t *testing.T, standalone bool) *compiler.Artifact {
	t.Helper()
	artifact, findings := compiler.Compile(debugSource, compiler.Options{Debug: true, Standalone: standalone, Load: func(string) ([]byte, error) {
		return []byte(debugImport), nil
	}})
	if artifact == nil {
		t.Fatal(findings)
	}
	return artifact
}

// TestDebugLeavesTheCodeAlone holds debug information to being an addition.
func TestDebugLeavesTheCodeAlone(t *testing.T) {
	with, _ := compiler.Compile(compiler.Source{Text: fiveLines}, compiler.Options{Debug: true})
	without, _ := compiler.Compile(compiler.Source{Text: fiveLines}, compiler.Options{})
	if !bytes.HasPrefix(with.Wasm, without.Wasm) || len(with.Wasm) == len(without.Wasm) {
		t.Error("the module with debug information is not the one without and something behind it")
	}
	if without.SourceMap != nil {
		t.Error("there is a source map that nobody asked for")
	}
}

func TestSourceMap(t *testing.T) {
	artifact := compileForDebugging(t, false)
	var m struct {
		Version                 int
		Sources, SourcesContent []string
		Mappings                string
	}
	if err := json.Unmarshal(artifact.SourceMap, &m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{debugSource.Text, debugImport}, m.SourcesContent); m.Version != 3 || diff != "" {
		t.Errorf("version %d, sources (-want +got):\n%s", m.Version, diff)
	}
	const golden = "testdata/debug/order.map"
	if *update {
		if err := os.WriteFile(golden, artifact.SourceMap, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(artifact.SourceMap)); diff != "" {
		t.Errorf("(-want +got; -update takes it):\n%s", diff)
	}
}

// TestLinesInStackTraces lets a script trap in a runtime that knows nothing of
// AVAP, and finds its lines in the runtime's stack trace.
func TestLinesInStackTraces(t *testing.T) {
	for _, standalone := range []bool{false, true} {
		t.Run(fmt.Sprintf("standalone=%v", standalone), func(t *testing.T) {
			linesInStackTraces(t, compileForDebugging(t, standalone))
		})
	}
}

func linesInStackTraces(t *testing.T, artifact *compiler.Artifact) {
	t.Helper()
	engines := map[string]wazero.RuntimeConfig{
		"compiled": wazero.NewRuntimeConfigCompiler(), "interpreted": wazero.NewRuntimeConfigInterpreter(),
	}
	for name, config := range engines {
		t.Run(name, func(t *testing.T) {
			err := runBare(t, config.WithDebugInfoEnabled(true), artifact, 4)
			if err == nil {
				t.Fatal("no trap")
			}
			var got []string
			for _, m := range regexp.MustCompile(`\.(\w+)\(.*\n\t\t0x[0-9a-f]+: (\S+)`).FindAllStringSubmatch(err.Error(), -1) {
				got = append(got, m[1]+" "+m[2])
			}
			want := []string{
				"inner deep.avap:1:1", "outer shop/order.avap:4:5", "inner deep.avap:2:5", "outer shop/order.avap:4:5",
				"run shop/order.avap:8:6",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

// runBare runs a script with nothing but a call stack of some frames.
func runBare(t *testing.T, config wazero.RuntimeConfig, artifact *compiler.Artifact, frames uint32) error {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	defer func() {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	host := r.NewHostModuleBuilder(abi.HostModule)
	refuel := abi.LibraryImports[0]
	refuel.Field = abi.LibraryRefuelField
	for _, i := range append(slices.Clone(abi.LibraryImports), refuel) {
		host.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) {
			stack[0] = 1 << 40
		}), valueTypes(i.Params), valueTypes(i.Results)).Export(i.Field)
	}
	if _, err := host.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := r.InstantiateWithConfig(ctx, library.Module, wazero.NewModuleConfig().WithName(abi.LibraryModule)); err != nil {
		t.Fatal(err)
	}
	memory := r.Module(abi.LibraryModule).Memory()
	script, err := r.Instantiate(ctx, artifact.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	if own := script.ExportedMemory(abi.MemoryExport); own != nil {
		memory = own
	}
	stack := (artifact.Manifest.DataEnd + 15) &^ 15
	heap := stack + 1024
	for offset, v := range map[uint32]uint32{
		abi.StackBase: stack, abi.StackLimit: stack + 4*frames, abi.HeapTop: heap, abi.HeapEnd: memory.Size(),
	} {
		memory.WriteUint32Le(offset, v)
	}
	_, err = script.ExportedFunction(abi.RunExport).Call(ctx)
	return err
}

func valueTypes(letters string) []api.ValueType {
	var types []api.ValueType
	for _, c := range letters {
		types = append(types, map[rune]api.ValueType{'i': api.ValueTypeI32, 'l': api.ValueTypeI64, 'd': api.ValueTypeF64}[c])
	}
	return types
}

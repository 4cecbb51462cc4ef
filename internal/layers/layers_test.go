package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/avapd/avapd"

// pkg is what go list says about a package.
type pkg struct {
	ImportPath string
	Name       string
	Imports    []string // directly, test files apart
	Deps       []string // all the way down
}

// forbidden lists what a package, and everything below it, must not depend on,
// even by way of others. A name ending in /... covers a tree.
var forbidden = map[string][]string{
	// What only tests, benchmarks and generators need is not in the program.
	"cmd/avap/...": {
		"internal/bench/...", "internal/conformance/...", "internal/differential/...", "internal/guestgo/...", "internal/manual/...", "internal/oracle/...",
		"internal/reference/...", "internal/store/storetest/...", "internal/testservices/...", "internal/v8/...", "internal/wasm/spectest/...",
	},
	// The compiler turns text into a module. Where that runs is not its business,
	// and its fuel is its own.
	"compiler/...": {
		"wasmhost/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/...",
		"internal/admit/...", "internal/wasm/meter/...", "internal/wasm/validate/...",
	},
	// The sandbox runs any module of the contract, whoever made it.
	"wasmhost/...": {"compiler/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/..."},
	// The contract and the library are below everything.
	"runtime/abi/...":       {"compiler/...", "wasmhost/...", "internal/..."},
	"runtime/catalog/...":   {"compiler/...", "wasmhost/...", "internal/..."},
	"runtime/guest/...":     {"compiler/...", "wasmhost/...", "internal/..."},
	"runtime/hostcalls/...": {"compiler/...", "wasmhost/...", "internal/..."},
	"runtime/pike/...":      {"compiler/...", "wasmhost/...", "internal/..."},
	// Diagnostics and the module model are vocabularies.
	"internal/diag/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/wasm/...", "internal/engine/...", "internal/server/..."},
	"internal/wasm/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/engine/...", "internal/server/..."},
	// What is valid does not depend on what is done with it.
	"internal/wasm/validate/...": {"internal/wasm/link/...", "internal/wasm/meter/..."},
	// The gate for modules from elsewhere reads them; it changes and runs nothing.
	"internal/admit/...": {"internal/wasm/meter/...", "compiler/...", "wasmhost/...", "internal/engine/...", "internal/server/..."},
	// Who signed a module is read from its bytes, whatever they do.
	"internal/signature/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/engine/...", "internal/server/...", "internal/config/..."},
	// Who somebody is does not depend on what they want.
	"internal/auth/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/store/..."},
	// Turns go round for whatever is shared out.
	"internal/fairqueue/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	"internal/refcount/...":  {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	"internal/memory/...":    {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	// The walls between scripts and the world do not know who stands before them.
	"internal/egress/...":     {"compiler/...", "wasmhost/...", "runtime/...", "internal/engine/...", "internal/server/..."},
	"internal/datasource/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/engine/...", "internal/server/..."},
	// The registry takes what it needs by interfaces: stores and tiers are the
	// program's to put together.
	"internal/registry/...": {"internal/server/...", "internal/config/...", "internal/cli/...", "internal/cache/...", "cmd/..."},
	// A store keeps records whatever they mean.
	"internal/store/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/..."},
	// A log is written by everyone, about anything.
	"internal/logging/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	// Spans go everywhere with the context; who makes them knows nobody.
	"internal/tracing/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	// The audit log takes down what it is told.
	"internal/audit/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/...", "internal/registry/..."},
	// What the process gives up, and whom it tells how it is, is for the program to say.
	"internal/confine/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	"internal/systemd/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	// Where secrets are kept does not depend on what they are for.
	"internal/vault/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	// A client of registries of images moves bytes.
	"internal/oci/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	// A cache of bytes knows nothing about them.
	"internal/cache/...":     {"compiler/...", "wasmhost/...", "runtime/...", "internal/diag/...", "internal/store/...", "internal/registry/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/..."},
	"internal/redisconn/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	// Who may come in, and how often, is counted without a look at what they want.
	"internal/admission/...":   {"compiler/...", "wasmhost/...", "runtime/...", "internal/cache/...", "internal/diag/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/..."},
	"internal/idempotency/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/cache/...", "internal/diag/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/..."},
	"internal/quota/...":       {"compiler/...", "wasmhost/...", "runtime/...", "internal/cache/...", "internal/diag/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/..."},
	"internal/ratelimit/...":   {"compiler/...", "wasmhost/...", "runtime/...", "internal/cache/...", "internal/diag/...", "internal/engine/...", "internal/server/...", "internal/config/...", "internal/cli/..."},
	// Second opinions: V8 shares nothing with the sandbox, the reference nothing
	// but the parser with the compiler.
	"internal/v8/...":        {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	"internal/reference/...": {"compiler/check/...", "compiler/lower/...", "compiler/ir/...", "compiler/emit/...", "runtime/...", "wasmhost/...", "internal/engine/..."},
	// A client knows of the server what the documents say.
	"internal/api/...":    {"compiler/...", "wasmhost/...", "runtime/...", "internal/..."},
	"internal/client/...": {"compiler/...", "wasmhost/...", "runtime/...", "internal/diag/...", "internal/engine/...", "internal/registry/...", "internal/server/..."},
	// Apps do not know how a request comes, and the engine not who asks.
	"internal/apps/...":   {"internal/server/...", "internal/config/...", "internal/cli/...", "cmd/..."},
	"internal/engine/...": {"internal/server/...", "internal/config/...", "internal/cli/...", "cmd/..."},
	"internal/config/...": {"internal/engine/...", "internal/server/...", "compiler/...", "wasmhost/..."},
	"internal/server/...": {"internal/cli/...", "cmd/..."},
	// Metrics are told and read; nobody below the server knows of them.
	"internal/telemetry/...": {"internal/server/...", "internal/config/...", "internal/cli/...", "cmd/..."},
}

// owners lists who alone may import a library directly. Whoever wants to swap
// the library has one place to look at.
var owners = map[string][]string{
	"github.com/gofiber/fiber":      {"internal/server", "internal/bench"},
	"github.com/valyala/fasthttp":   {"internal/server", "internal/bench"},
	"github.com/tetratelabs/wazero": {"wasmhost", "internal/wasm/spectest"},
	"github.com/spf13/cobra":        {"internal/cli"},
	"github.com/knadh/koanf":        {"internal/config"},
	"github.com/pelletier/go-toml":  {"internal/config"},
	"go.yaml.in/yaml":               {"internal/config"},
	"github.com/fsnotify":           {"internal/config"},
	"github.com/jackc/pgx":          {"internal/datasource", "internal/store", "internal/testservices"},
	"modernc.org/sqlite":            {"internal/datasource", "internal/store"},
	"github.com/pressly/goose":      {"internal/store"},
	"code.dny.dev/ssrf":             {"internal/egress"},
	"golang.org/x/crypto":           {"internal/signature"},
	"github.com/redis/rueidis":      {"internal/cache", "internal/redisconn"},
	"oras.land/oras-go":             {"internal/oci"},
	"github.com/maypok86/otter":     {"internal/engine"},
	"github.com/schollz":            {"internal/cli"},
	"github.com/prometheus":         {"internal/telemetry"},
	"go.opentelemetry.io":           {"internal/tracing", "internal/tracing/otlp", "internal/testservices"},
	"github.com/landlock-lsm":       {"internal/confine"},
	"google.golang.org":             {"internal/testservices"},
	"github.com/klauspost/compress": {"internal/server"},
	"github.com/molecule-man":       {"internal/server"},
}

func TestLayers(t *testing.T) {
	packages := list(t)
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		for subject, targets := range forbidden {
			if !covers(subject, name) {
				continue
			}
			for _, dep := range p.Deps {
				dep, ours := strings.CutPrefix(dep, module+"/")
				if ours && !covers(subject, dep) && slices.ContainsFunc(targets, func(target string) bool { return covers(target, dep) }) {
					t.Errorf("%s must not depend on %s", name, dep)
				}
			}
		}
	}
}

// A rule about a package that is not there would hold for ever.
func TestRulesNamePackages(t *testing.T) {
	var names []string
	for _, p := range list(t) {
		names = append(names, strings.TrimPrefix(p.ImportPath, module+"/"))
	}
	for subject, targets := range forbidden {
		for _, pattern := range append([]string{subject}, targets...) {
			if !slices.ContainsFunc(names, func(name string) bool { return covers(pattern, name) }) {
				t.Errorf("%s covers no package", pattern)
			}
		}
	}
	for library, allowed := range owners {
		for _, name := range allowed {
			if !slices.Contains(names, name) {
				t.Errorf("%s, which may import %s, is no package", name, library)
			}
		}
	}
}

func TestOwners(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		for library, allowed := range owners {
			for _, imported := range p.Imports {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(allowed, name) {
					t.Errorf("%s imports %s; only %s may", name, imported, strings.Join(allowed, ", "))
				}
			}
		}
	}
}

// A package is called after what it holds.
func TestNames(t *testing.T) {
	for _, p := range list(t) {
		for _, bad := range []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base"} {
			if path.Base(p.ImportPath) == bad || p.Name == bad {
				t.Errorf("%s says nothing about what it holds", p.ImportPath)
			}
		}
	}
}

// covers reports whether the pattern matches the package.
func covers(pattern, name string) bool {
	tree, isTree := strings.CutSuffix(pattern, "/...")
	return name == tree || isTree && strings.HasPrefix(name, tree+"/")
}

func list(t *testing.T) []pkg {
	t.Helper()
	packages, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// listed asks go list once for all tests.
var listed = sync.OnceValues(func() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Imports,Deps", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var packages []pkg
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
})

package wasmhost

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/refcount"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// Names of globals that mean something to the host.
const (
	statusName    = "_status"
	lastErrorName = "__last_error__"
)

// Module is a compiled script, ready to be run any number of times at once.
// It is counted: it starts with one reference, its maker's.
type Module struct {
	Manifest abi.Manifest
	// CodeBytes is the size of the WebAssembly module, a measure of the memory
	// its compiled form takes.
	CodeBytes int
	// Binary is the WebAssembly module, if the host keeps it, and Digest its
	// SHA-256.
	Binary []byte
	Digest [sha256.Size]byte

	host     *Host
	compiled wazero.CompiledModule
	// side is where it is compiled, once or, on the interpreter for a trial, by each
	// run; then compiled is nil.
	side *side
	// state is that of a fresh instance; resettable tells that a used pair can
	// be put back into it.
	state      freshState
	resettable bool
	// keepsEntries tells that a kept pair keeps its entries, too.
	keepsEntries bool
	// merged is set for a module that contains what it needs of the library.
	merged bool
	// memoryBytes is what the memory has at the start.
	memoryBytes uint64
	// foreign is set for a module of somebody else's making, and hasStart for
	// one of those that has a start function.
	foreign, hasStart bool
	// globals maps a global's name to its number.
	globals map[string]int
	// quoted holds each global's name as a JSON member name.
	quoted [][]byte
	// statusGlobal and lastErrorGlobal are numbers of globals, or -1.
	statusGlobal, lastErrorGlobal int
	endpoints                     []endpoint
	refs                          refcount.Count
}

// Load compiles a script module and checks that it fits this host. Only
// modules made by this project's compiler may be loaded: their metering is
// what keeps a run within its limits. The bytes must not change while the
// module is used.
func (h *Host) Load(module []byte, manifest abi.Manifest) (*Module, error) {
	if err := manifest.Check(maxPages); err != nil {
		return nil, err
	}
	compiled, err := h.main.runtime.CompileModule(context.Background(), module)
	if err != nil {
		return nil, fmt.Errorf("compile module: %w", err)
	}
	if err := errors.Join(h.checkImports(compiled), checkEndpoints(compiled, &manifest), checkTasks(compiled, &manifest)); err != nil {
		return nil, errors.Join(err, compiled.Close(context.Background()))
	}
	m := &Module{
		Manifest: manifest, CodeBytes: len(module), host: h, compiled: compiled, side: &h.main,
		memoryBytes: h.libraryBytes,
	}
	if err := m.readCode(module); err != nil {
		return nil, errors.Join(err, compiled.Close(context.Background()))
	}
	if memory, ok := compiled.ExportedMemories()[abi.MemoryExport]; ok {
		m.merged, m.resettable, m.memoryBytes = true, false, uint64(memory.Min())*abi.PageBytes
	}
	if h.config.KeepBinaries {
		m.Binary, m.Digest = module, sha256.Sum256(module)
	}
	m.index()
	m.refs.Retain()
	return m, nil
}

// readCode finds out what of the module's instances can be kept.
func (m *Module) readCode(module []byte) error {
	b, err := wasm.Decode(module)
	if err != nil {
		return fmt.Errorf("read the module: %w", err)
	}
	var resettable bool
	m.state, resettable, err = freshStateOf(b)
	m.resettable = resettable && m.host.resettable
	m.keepsEntries = resettable && len(module) <= entryCodeBytes && isShallow(b)
	return err
}

// LoadTrial makes a module, other than a merged one, that each run compiles for
// the interpreter: a fraction of the work of Load, for a run that takes many times
// as long. It pays for a few short runs. The module keeps its binary, so that it
// can be loaded. What is said about Load holds, but that a run finds out what is
// wrong with it.
func (h *Host) LoadTrial(module []byte, manifest abi.Manifest) (*Module, error) {
	if err := errors.Join(manifest.Check(maxPages), h.PrepareTrials()); err != nil {
		return nil, err
	}
	m := &Module{
		Manifest: manifest, CodeBytes: len(module), Binary: module,
		host: h, side: &h.trials.side, memoryBytes: h.libraryBytes,
	}
	m.index()
	m.refs.Retain()
	return m, nil
}

// IsTrial tells that the module came from LoadTrial.
func (m *Module) IsTrial() bool { return m.compiled == nil }

// instantiate makes an instance of the script.
func (m *Module) instantiate(ctx context.Context) (api.Module, error) {
	compiled := m.compiled
	if compiled == nil {
		var err error
		if compiled, err = m.side.runtime.CompileModule(ctx, m.Binary); err != nil {
			return nil, fmt.Errorf("compile module: %w", err)
		}
		// The instance keeps what it needs.
		defer compiled.Close(ctx)
	}
	return m.side.runtime.InstantiateModule(ctx, compiled, m.host.moduleConfig) //nolint:wrapcheck // the caller does
}

// LoadAgain loads a module that another host has loaded and kept the binary of;
// a foreign one has been metered then.
func (h *Host) LoadAgain(other *Module) (*Module, error) {
	m, err := h.Load(other.Binary, other.Manifest)
	if err != nil {
		return nil, err
	}
	if other.foreign {
		m.setForeign(other.hasStart)
	}
	return m, nil
}

// Retain adds a reference. The caller must already know of one that lasts
// until Retain returns.
func (m *Module) Retain() { m.refs.Retain() }

// TryRetain is Retain for those who do not know of a reference: it adds one unless
// the last one has gone, and tells whether it did.
func (m *Module) TryRetain() bool { return m.refs.TryRetain() }

// Release drops a reference; with the last one the compiled code goes.
func (m *Module) Release() {
	if m.refs.Release() && m.compiled != nil {
		// Closing drops references only; it has nothing to report.
		_ = m.compiled.Close(context.Background())
	}
}

func (m *Module) index() {
	m.globals = make(map[string]int, len(m.Manifest.Globals))
	m.quoted = make([][]byte, len(m.Manifest.Globals))
	for i, name := range m.Manifest.Globals {
		m.globals[name] = i
		m.quoted[i] = append(appendQuoted(nil, []byte(name)), ':')
	}
	m.statusGlobal, m.lastErrorGlobal = m.find(statusName), m.find(lastErrorName)
	m.indexEndpoints()
}

func (m *Module) find(name string) int {
	if i, ok := m.globals[name]; ok {
		return i
	}
	return -1
}

// checkImports holds the module to the two sides it may talk to.
func (h *Host) checkImports(c wazero.CompiledModule) error {
	_, merged := c.ExportedMemories()[abi.MemoryExport]
	for _, f := range c.ImportedFunctions() {
		module, field, _ := f.Import()
		switch {
		case module == abi.LibraryModule && h.libraryExports[field]:
		case module == abi.HostModule && slices.Contains(scriptImports, field):
		case merged && module == abi.HostModule && (provided(field) || field == abi.LibraryRefuelField):
			// The library's part needs these.
		case module == abi.HostModule && (h.config.Commands[field] != nil || ownCommands[field] != nil):
		default:
			return fmt.Errorf("module imports the unknown function %s.%s", module, field)
		}
	}
	if !isEntry(c, abi.RunExport) {
		return fmt.Errorf("module does not export %s: () -> i32", abi.RunExport)
	}
	return nil
}

// ReadManifest finds the manifest in a module's custom sections.
func ReadManifest(module []byte) (abi.Manifest, error) {
	var m abi.Manifest
	binary, err := wasm.Decode(module)
	if err != nil {
		return m, err
	}
	section, ok := binary.Custom(abi.ManifestSection)
	if !ok {
		return m, fmt.Errorf("module has no section %q", abi.ManifestSection)
	}
	if err := json.Unmarshal(section, &m); err != nil {
		return m, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

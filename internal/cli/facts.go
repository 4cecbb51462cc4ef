package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/catalog"
)

// facts is what inspect shows and diff compares: what a module needs, offers
// and is.
type facts struct {
	File   string `json:"file"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Made tells how the module was made; it is missing if there is no manifest.
	Made      *madeFacts     `json:"made,omitempty"`
	Interface interfaceFacts `json:"interface"`
	// Capabilities and Host follow from what the module imports, whatever its
	// manifest says.
	Capabilities []string `json:"capabilities"`
	// Host are the functions of the host, those of pure computation apart.
	Host []string `json:"host_functions"`
	// Foreign are imports that neither host nor library has.
	Foreign  []string       `json:"foreign_imports,omitempty"`
	Limits   limitFacts     `json:"limits"`
	Signers  []claimFacts   `json:"signers"`
	Sections []sectionFacts `json:"sections"`

	// merged is whether the module has what it needs of the library in it.
	merged bool
}

type madeFacts struct {
	Compiler     string   `json:"compiler"`
	ABI          int      `json:"abi"`
	FuelSchedule int      `json:"fuel_schedule"`
	SourceSHA256 string   `json:"source_sha256"`
	Files        []string `json:"files"`
	Standalone   bool     `json:"standalone"`
	Logs         bool     `json:"logs"`
}

type interfaceFacts struct {
	// Parameters are what a call of the script as a command takes, in order.
	Parameters []abi.Parameter `json:"parameters"`

	Variables []string `json:"variables"`
	// Reads are the parts of the request that the script can read.
	Reads     []string        `json:"reads"`
	Endpoints []endpointFacts `json:"endpoints,omitempty"`
	Exports   []string        `json:"exports"`
}

type endpointFacts struct {
	Method      string   `json:"method"`
	Path        string   `json:"path"`
	Handler     string   `json:"handler"`
	Middleware  []string `json:"middleware,omitempty"`
	Description string   `json:"description,omitempty"`
}

func (e *endpointFacts) name() string { return e.Method + " " + e.Path }

type limitFacts struct {
	// MemoryPages is what the module starts with; without a MemoryMaxPages the
	// server's own limit holds.
	MemoryPages    uint32  `json:"memory_pages"`
	MemoryMaxPages *uint32 `json:"memory_max_pages,omitempty"`
	// CountsFuel is whether the module itself pays for what it computes.
	CountsFuel bool  `json:"counts_fuel"`
	EntryFuel  int64 `json:"entry_fuel"`
}

// claimFacts is a signature of the module.
type claimFacts struct {
	KeyID string `json:"key_id"`
	// Current is whether it is about the module as it is, by its own account.
	Current bool `json:"current"`
	// Verified is the file with the key that verified it.
	Verified string `json:"verified,omitempty"`
}

type sectionFacts struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
}

// readFacts reads a module, or compiles a script and reads what comes of it.
// It gives the module too.
func readFacts(p *Process, name string) (*facts, []byte, error) {
	content, err := readProgram(p, name)
	if err != nil {
		return nil, nil, err
	}
	if !isModule(content) {
		s := script{name: name, content: content}
		artifact, findings := s.compile(s.options(false))
		if findings.HasErrors() {
			return nil, nil, report(p.Stderr, findings, s)
		}
		content = artifact.Wasm
	}
	f, err := moduleFacts(content)
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	f.File = fileName(name)
	return f, content, nil
}

// unreadable tells why a module cannot be looked at.
func unreadable(name string, err error) error {
	told := toldOf(diag.New(diag.ModuleMalformed, diag.Span{}, "%v", err))
	if d, ok := errors.AsType[diag.Diagnostic](err); ok {
		told = toldOf(d)
	}
	told.Message = fileName(name) + " cannot be read: " + told.Message
	return failed(exitCode(diag.Code(told.Code)), told)
}

func moduleFacts(module []byte) (*facts, error) {
	sections, err := wasm.Sections(module)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller words it
	}
	b, err := wasm.Decode(module)
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	claims, err := signature.Claims(module)
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	digest := sha256.Sum256(module)
	f := &facts{
		Bytes: len(module), SHA256: hex.EncodeToString(digest[:]),
		Interface:    interfaceFacts{Parameters: []abi.Parameter{}, Variables: []string{}, Reads: []string{}, Exports: []string{}},
		Capabilities: []string{}, Host: []string{}, Signers: []claimFacts{}, Sections: []sectionFacts{},
	}
	for _, s := range sections {
		f.Sections = append(f.Sections, sectionFacts{s.Name, s.Bytes})
	}
	for _, c := range claims {
		f.Signers = append(f.Signers, claimFacts{KeyID: hex.EncodeToString(c.KeyID), Current: c.Current})
	}
	f.readImports(b)
	f.readExports(b)
	if section, ok := b.Custom(abi.ManifestSection); ok {
		var m abi.Manifest
		if err := json.Unmarshal(section, &m); err != nil {
			return nil, err //nolint:wrapcheck // as above
		}
		f.readManifest(&m)
	}
	return f, nil
}

func (f *facts) readImports(b *wasm.Binary) {
	for i := range b.Imports {
		imp := &b.Imports[i]
		switch {
		case imp.Kind == wasm.KindMemory && imp.Module == abi.LibraryModule:
			f.memory(imp.Memory)
		case imp.Module == abi.LibraryModule, imp.Module == abi.HostModule && pure(imp.Field):
		case imp.Module == abi.HostModule && imp.Kind == wasm.KindFunc:
			f.Host = append(f.Host, imp.Field)
		default:
			f.Foreign = append(f.Foreign, imp.Module+"."+imp.Field)
		}
	}
	for _, m := range b.Memories {
		f.memory(m)
	}
	slices.Sort(f.Host)
	slices.Sort(f.Foreign)
	f.Host, f.Foreign = slices.Compact(f.Host), slices.Compact(f.Foreign)
	f.Capabilities = append(f.Capabilities, catalog.Capabilities(f.Host)...)
}

// pure reports whether a function of the host does nothing but compute; those
// of the library are part of modules that were merged with it.
func pure(field string) bool {
	return field == abi.LibraryRefuelField || slices.ContainsFunc(abi.LibraryImports, func(i abi.Import) bool { return i.Field == field })
}

func (f *facts) memory(limits wasm.Limits) {
	f.Limits.MemoryPages = limits.Min
	if limits.HasMax {
		f.Limits.MemoryMaxPages = &limits.Max
	}
}

func (f *facts) readExports(b *wasm.Binary) {
	for i := range b.Exports {
		e := &b.Exports[i]
		f.merged = f.merged || e.Kind == wasm.KindMemory && e.Name == abi.MemoryExport
		f.Limits.CountsFuel = f.Limits.CountsFuel || e.Kind == wasm.KindGlobal && e.Name == abi.FuelExport
		if e.Kind == wasm.KindFunc {
			f.Interface.Exports = append(f.Interface.Exports, e.Name)
		}
	}
	slices.Sort(f.Interface.Exports)
}

func (f *facts) readManifest(m *abi.Manifest) {
	f.Made = &madeFacts{
		Compiler: m.Compiler, ABI: m.ABI, FuelSchedule: m.FuelSchedule, SourceSHA256: m.SourceSHA256,
		Files: m.Files, Logs: m.Logs, Standalone: f.merged,
	}
	f.Limits.EntryFuel = m.EntryFuel
	f.Interface.Parameters = append(f.Interface.Parameters, m.Interface...)
	f.Interface.Variables = append(f.Interface.Variables, m.Globals...)
	slices.Sort(f.Interface.Variables)
	for _, part := range []struct {
		name  string
		reads bool
	}{{"path", m.Needs.Path}, {"query", m.Needs.Query}, {"body", m.Needs.Body}, {"form", m.Needs.Form}} {
		if part.reads {
			f.Interface.Reads = append(f.Interface.Reads, part.name)
		}
	}
	for i := range m.Endpoints {
		e := &m.Endpoints[i]
		f.Interface.Endpoints = append(f.Interface.Endpoints, endpointFacts{e.Method, e.Path, e.Handler, e.Middleware, e.Description})
	}
}

// signature is what a call gives, in order, each parameter with its kind.
func (i *interfaceFacts) signature() string {
	parts := make([]string, len(i.Parameters))
	for n, p := range i.Parameters {
		parts[n] = p.Name + " " + kindWord(p.Kind)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func kindWord(kind string) string {
	if kind == abi.ParameterValue {
		return "value"
	}
	return kind
}

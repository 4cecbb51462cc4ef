package abi

import (
	"encoding/json"
	"fmt"
)

// ManifestSection is the name of the custom section that holds the manifest.
const ManifestSection = "avap"

// ManifestFormat is the version of the manifest's layout.
const ManifestFormat = 1

// Manifest describes a script module: what it needs from the host and how its
// memory and its errors are to be read. It travels as JSON in the module's
// ManifestSection.
type Manifest struct {
	Format       int    `json:"format"`
	ABI          int    `json:"abi"`
	Compiler     string `json:"compiler"`
	FuelSchedule int    `json:"fuel_schedule"`
	// SourceSHA256 is the lower-case hex digest of the main source.
	SourceSHA256 string `json:"source_sha256"`
	// Files are the source files, the main one first.
	Files []string `json:"files"`
	// Globals are the script's global variables; number i lives in the cell at
	// ScriptBase + i × CellSize.
	Globals []string `json:"globals"`
	// DataEnd is the first byte behind the script's own data: the heap starts
	// at the next multiple of 16.
	DataEnd uint32 `json:"data_end"`
	// Sites are the places in the source that errors and fuel refer to; 0 is
	// not used.
	Sites []SourceSite `json:"sites"`
	// Functions are the script functions' names as sites refer to them; number
	// 0 is the top level.
	Functions []string `json:"functions"`
	// Endpoints are what the script registers, in source order.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Needs says which parts of the request the script can read.
	Needs Needs `json:"needs"`
	// Logs is set when the script records every top-level statement.
	Logs bool `json:"logs,omitempty"`
	// Imports are the host functions the module imports, and Capabilities what
	// a script must be granted for that, sorted.
	Imports      []string `json:"imports,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
}

// Endpoint is a path that a script answers when it is deployed. The functions
// it names are exported; see HandlerExport.
type Endpoint struct {
	// Path begins with a slash; a segment in braces is a parameter.
	Path string `json:"path"`
	// Method is in upper case.
	Method string `json:"method"`
	// Middleware functions run before the handler, in order.
	Middleware  []string `json:"middleware,omitempty"`
	Description string   `json:"description,omitempty"`
	Handler     string   `json:"handler"`
	// Output is the global that is answered when there are no results; or empty.
	Output string `json:"output,omitempty"`
	// Site is where the endpoint is registered.
	Site int `json:"site"`
}

// HandlerExport is the name under which a module exports a function that an
// endpoint names. It has the signature and the results of RunExport, which must
// have succeeded before, and takes its frame behind the top level's: the host
// stores there the site that the call counts as coming from.
func HandlerExport(function string) string { return "handler " + function }

// Needs says which parts of the request must be put into guest memory.
type Needs struct {
	Path  bool `json:"path,omitempty"`
	Query bool `json:"query,omitempty"`
	Body  bool `json:"body,omitempty"`
	Form  bool `json:"form,omitempty"`
}

// SourceSite is a place in the source. It is written as the array
// [file, line, column, function, command].
type SourceSite struct {
	File     int    // index into Manifest.Files
	Line     int    // 1-based
	Column   int    // 1-based, in characters
	Function int    // index into Manifest.Functions
	Command  string // what the log calls the statement: assign, a command's or function's name
}

// MarshalJSON writes the site as an array.
func (s SourceSite) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{s.File, s.Line, s.Column, s.Function, s.Command})
}

// UnmarshalJSON reads the array form.
func (s *SourceSite) UnmarshalJSON(b []byte) error {
	fields := []any{&s.File, &s.Line, &s.Column, &s.Function, &s.Command}
	want := len(fields)
	if err := json.Unmarshal(b, &fields); err != nil {
		return fmt.Errorf("site: %w", err)
	}
	if len(fields) != want {
		return fmt.Errorf("site: %d members, want %d", len(fields), want)
	}
	return nil
}

package abi

import (
	"encoding/json"
	"fmt"
	"strconv"
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
	// EntryFuel is what a call of RunExport costs as such. The host charges it
	// before the call, as the module would at its start, at EntrySite.
	EntryFuel int64 `json:"entry_fuel,omitempty"`
	// Sites are the places in the source that errors and fuel refer to; 0 is
	// not used, and EntrySite is the top level as a whole.
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
	// Interface names the parameters of the script, in the order in which it takes
	// them when it is called as a command.
	Interface []Parameter `json:"interface,omitempty"`
	// Tasks are what the script can start beside itself.
	Tasks []Task `json:"tasks,omitempty"`
}

// Parameter is a parameter of a command.
type Parameter struct {
	// Name is that of the global variable, or of the parameter that the script
	// reads with addParam.
	Name string `json:"name"`
	// Kind tells how the argument is read. A registered command takes values
	// alone, which is ParameterValue.
	Kind string `json:"kind"`
}

// ParameterValue is the kind of a parameter that is a value.
const ParameterValue = "L"

// EntrySite is the site of the top level.
const EntrySite = 1

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

// Task is something a script can start beside itself, in an isolated pair of
// instances of the same module: a function, or a block. It is exported as
// TaskExport says. The host puts deep copies of the globals, and of the
// arguments, into the fresh memory and calls the export, which takes nothing
// and gives what RunExport gives; the value of the function is in Return then.
type Task struct {
	// Function is an index into Manifest.Functions.
	Function int `json:"function"`
	// Globals are the numbers of the globals that the task can read.
	Globals []int `json:"globals,omitempty"`
	// Request is set when the task can read the parameters of the request.
	Request bool `json:"request,omitempty"`
	// Block marks a block. Its value is the list of the locals of the function
	// it stands in, as its arguments are; Locals are their names. Variables that
	// it changes, names with a leading underscore apart, belong to whoever
	// gathers it.
	Block  bool     `json:"block,omitempty"`
	Locals []string `json:"locals,omitempty"`
}

// TaskExport is the name under which a module exports a task by its index in
// Manifest.Tasks. No function of a script has a name with a blank.
func TaskExport(index int) string { return "task " + strconv.Itoa(index) }

// SpawnField and GatherField are the functions of the host that start a task
// and wait for it. spawn takes the task's index, the list of its arguments, and
// for a block the handle; it gives the handle. gather takes a handle, seconds,
// and, in a function, the names of its locals as one text with commas: then it
// gives a list of the value and, for each name, a list of the value that a
// block gave it, or null.
const (
	SpawnField  = "spawn"
	GatherField = "gather"

	// RegisteredField calls a registered command: its name, and the list of its
	// arguments by position. The script knows no more of it.
	RegisteredField = "registered"
)

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

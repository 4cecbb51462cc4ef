package engine

import (
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// Compiler is what the engine needs of a compiler; tests have one of their own.
type Compiler interface {
	// Compile makes an artifact, or says in the findings why it cannot. With
	// errors among the findings there is no artifact; with warnings alone there
	// is one.
	Compile(source *Source) (*Artifact, diag.List)
	// Check finds what is wrong with a script without making anything.
	Check(source *Source) diag.List
}

// scriptCompiler is the compiler of this project.
type scriptCompiler struct{}

func (scriptCompiler) Compile(s *Source) (*Artifact, diag.List) {
	artifact, findings := compiler.Compile(compilerInput(s))
	if artifact == nil {
		return nil, findings
	}
	return &Artifact{Wasm: artifact.Wasm, Manifest: artifact.Manifest}, findings
}

func (scriptCompiler) Check(s *Source) diag.List { return compiler.Check(compilerInput(s)) }

func compilerInput(s *Source) (compiler.Source, compiler.Options) {
	return compiler.Source{Name: s.File, Text: s.Text}, compiler.Options{
		Logs: s.Logs, Load: s.Load, Interface: s.Interface, Registered: s.Registered,
		Detached: s.detached, GiveWay: s.giveWay,
	}
}

// Source is what is compiled.
type Source struct {
	// File names the script in messages; it may be empty.
	File string
	Text string
	// Logs asks for a log of every top-level statement.
	Logs bool
	// Load finds the text of an imported script; nil when there are none.
	Load func(name string) ([]byte, error)
	// Interface names the parameters; nil for those that the script reads.
	Interface []abi.Parameter
	// Registered are the names of the commands that the script can call, sorted;
	// nil when they are not known. Findings alone follow it.
	Registered []string

	// detached leaves the manifest out of the module: it is run here and now.
	detached bool
	// giveWay is called between the stages of compiling; nil where that is a turn
	// of computing.
	giveWay func()
}

// Artifact is a compiled script.
type Artifact struct {
	Wasm     []byte
	Manifest abi.Manifest
}

// caught is deferred where a panic must become an error: one script must never
// take down the others.
func caught(where string, err *error) {
	if r := recover(); r != nil { //nolint:revive // caught is the deferred function
		*err = fmt.Errorf("panic in %s: %v, in %s", where, r, panicked())
	}
}

// panicked names the functions that a panic came through, innermost first.
func panicked() string {
	var callers [8]uintptr
	n := runtime.Callers(4, callers[:]) // without Callers, panicked, caught and the runtime's own
	var names []string
	for frames, more := runtime.CallersFrames(callers[:n]), n > 0; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		names = append(names, fmt.Sprintf("%s:%d", path.Base(frame.Function), frame.Line))
	}
	return strings.Join(names, " < ")
}

// guardedCompile compiles, and catches the panics of a compiler. Between two stages
// giveWay is called, if there is one.
func guardedCompile(c Compiler, source *Source, giveWay func()) (artifact *Artifact, findings diag.List, err error) {
	defer caught("the compiler", &err)
	source.giveWay = giveWay
	artifact, findings = c.Compile(source)
	if artifact == nil && !findings.HasErrors() {
		return nil, nil, fmt.Errorf("the compiler gave neither an artifact nor an error")
	}
	if findings.HasErrors() {
		artifact = nil
	}
	return artifact, findings, nil
}

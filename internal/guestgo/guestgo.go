// Package guestgo compiles the restricted Go of runtime/guest to a
// WebAssembly module.
//
// The Go tree's own parser and type checker read the sources, so the language
// is Go and constants arrive folded. What is left is one walk to refuse what
// lies outside the subset (check.go) and one to write instructions:
//
//   - a scalar is one wasm local, a struct of scalars is several (types.go);
//   - package variables, constant tables and literals get static addresses
//     from abi.LibraryBase on (layout.go);
//   - functions of the *_native.go files keep their signature and lose their
//     body: the table in intrinsics.go says which instruction each one is, and
//     abi.LibraryImports which ones the host provides;
//   - accessors and other small functions are inlined (inline.go), because the
//     engine does no inlining of its own and a call costs more than a load;
//   - every loop pays fuel at its head (fuel.go), but for those of functions
//     that begin with unmetered() and bound their work themselves.
//
// Two rules of Go are given up for the sake of the code. The constant in
// load32(p + 8) becomes the instruction's offset, which does not wrap around
// at 4 GiB: a p within 64 KiB of the end of the address space traps instead.
// No pointer lies there, as a memory of that size has no page left for it. And
// table indices are not checked: natively they are, and the tests run natively.
package guestgo

import (
	"cmp"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/wasm"
)

// Source is one Go file.
type Source struct {
	Name string
	Text string
}

// Library is a compiled package.
type Library struct {
	Module *wasm.Module
	// Functions are the exported functions, sorted by name.
	Functions []Function
	// DataEnd is the first byte behind the static data.
	DataEnd uint32
}

// Function describes an exported function.
type Function struct {
	Name            string
	Params, Results []wasm.ValType
	// Fallible is set when a function whose name starts with "fail" can be
	// reached, so that the result has to be looked at.
	Fallible bool
}

// ErrorList holds the problems found, in the order of the sources.
type ErrorList []Error

// Error is a problem at a place in the sources.
type Error struct {
	Pos     token.Position
	Message string
}

// Error gives file:line:column: message.
func (e Error) Error() string { return e.Pos.String() + ": " + e.Message }

// Error gives one problem per line.
func (l ErrorList) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

func (l ErrorList) sorted() ErrorList {
	slices.SortStableFunc(l, func(a, b Error) int {
		return cmp.Or(strings.Compare(a.Pos.Filename, b.Pos.Filename), a.Pos.Offset-b.Pos.Offset)
	})
	return slices.Compact(l)
}

// CompileDir compiles the package in a directory; constantsDir holds package
// abi.
func CompileDir(dir, constantsDir string) (*Library, error) {
	return compileDir(dir, constantsDir, false)
}

// CompileDirUnmetered leaves out all charges, to measure what they cost.
// Nothing stops what it makes.
func CompileDirUnmetered(dir, constantsDir string) (*Library, error) {
	return compileDir(dir, constantsDir, true)
}

func compileDir(dir, constantsDir string, unmetered bool) (*Library, error) {
	files, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	constants, err := readDir(constantsDir)
	if err != nil {
		return nil, err
	}
	return compile(files, constants, unmetered)
}

func readDir(dir string) ([]Source, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []Source
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name) //nolint:gosec // a developer's own sources
		if err != nil {
			return nil, err
		}
		files = append(files, Source{filepath.Base(name), string(text)})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no Go files in %s", dir)
	}
	return files, nil
}

// compile compiles the files of one package. An error in the sources is an
// ErrorList.
func compile(files, constants []Source, unmetered bool) (*Library, error) {
	p, err := load(files, constants)
	if err != nil {
		return nil, err
	}
	if p.check(); len(p.errs) > 0 {
		return nil, p.errs.sorted()
	}
	c := newCompiler(p)
	c.unmetered = unmetered
	lib := c.compile()
	if len(p.errs) > 0 {
		return nil, p.errs.sorted()
	}
	return lib, nil
}

package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/wasmhost"
)

// script is a script of the command line: a file, or standard input.
type script struct {
	name    string // as the user wrote it
	content []byte
	// registered are the commands that it may call; nil if nobody said which.
	registered []string
}

func (s script) source() compiler.Source {
	return compiler.Source{Name: fileName(s.name), Text: string(s.content)}
}

func (s script) options(logs bool) compiler.Options {
	return compiler.Options{Logs: logs, Load: s.load, Registered: s.registered}
}

// compile makes a module. A module knows its script by name only and not by the
// way there, or the same script would give other bytes in another directory;
// findings have the path that the user wrote.
func (s script) compile(options compiler.Options) (*compiler.Artifact, diag.List) {
	source := s.source()
	path := source.Name
	source.Name = filepath.Base(path)
	artifact, findings := compiler.Compile(source, options)
	findings = slices.Clone(findings)
	for i := range findings {
		d := &findings[i]
		for _, p := range []*diag.Position{&d.Span.Start, &d.Span.End} {
			if p.File == source.Name {
				p.File = path
			}
		}
		d.Notes = slices.Clone(d.Notes)
		for j := range d.Notes {
			if p := &d.Notes[j].Span.Start; p.File == source.Name {
				p.File = path
			}
		}
	}
	return artifact, findings
}

func (s script) check() diag.List { return compiler.Check(s.source(), s.options(false)) }

// intermediate gives the intermediate form as text.
func (s script) intermediate(logs bool) ([]byte, diag.List) {
	program, findings := compiler.Intermediate(s.source(), s.options(logs))
	if findings.HasErrors() {
		return nil, findings
	}
	return []byte(ir.Print(program)), findings
}

const scriptSuffix = ".avap"

// load finds the scripts that this one imports: files beside it, with or
// without their ending.
func (s script) load(imported string) ([]byte, error) {
	dir := "."
	if s.name != stdinName {
		dir = filepath.Dir(s.name)
	}
	path := filepath.Join(dir, filepath.FromSlash(imported))
	content, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) && !strings.HasSuffix(path, scriptSuffix) {
		content, err = readFile(path + scriptSuffix)
	}
	if err != nil {
		return nil, errors.New(fileProblem(path, err))
	}
	return content, nil
}

// text gives the text for excerpts: of the script itself, and of files it
// imports.
func (s script) text(file string) []byte {
	if file == "" || file == fileName(s.name) {
		return s.content
	}
	if isModule(s.content) && !s.madeOf(file) {
		return nil
	}
	imported, err := s.load(file)
	if err != nil {
		return nil // an excerpt is missing, nothing else
	}
	return imported
}

// madeOf reports whether a file is the script that the module was made of. The
// module knows no more of what the script imports than its name.
func (s script) madeOf(file string) bool {
	m, err := wasmhost.ReadManifest(s.content)
	if err != nil || len(m.Files) == 0 || file != m.Files[0] {
		return false
	}
	content, err := s.load(file)
	digest := sha256.Sum256(content)
	return err == nil && hex.EncodeToString(digest[:]) == m.SourceSHA256
}

// claim names the script in a finding that names no file.
func (s script) claim(d *diag.Diagnostic) {
	if d.Span.Start.File == "" {
		d.Span.Start.File = fileName(s.name)
	}
}

// fileName is how a script is called in diagnostics.
func fileName(name string) string {
	if name == stdinName {
		return "stdin"
	}
	return name
}

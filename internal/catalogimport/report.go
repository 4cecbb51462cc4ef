// Package catalogimport reads the catalogue of the vendor's reference server,
// the tables obex_dapl_functions and avap_bytecode, and tells what becomes of
// each of its commands here. It imports nothing and runs nothing: the bodies of
// those commands are Python.
package catalogimport

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

// Fate is what becomes of a command.
type Fate string

// The fates.
const (
	// BuiltIn commands are here under the same name.
	BuiltIn Fate = "built_in"
	// Rewrite marks commands whose Python has to become an AVAP script that is
	// stored under the name.
	Rewrite Fate = "rewrite"
	// LeftOut entries cannot come along as they are.
	LeftOut Fate = "left_out"
)

// Command is one command of the catalogue.
type Command struct {
	Name string `json:"name"`
	Fate Fate   `json:"fate"`
	// Parameters are those of its interface.
	Parameters  []string `json:"parameters"`
	Description string   `json:"description,omitempty"`
	CodeBytes   int      `json:"code_bytes"`
	// Replace tells what stands here for what its Python uses.
	Replace []Replacement `json:"replace,omitempty"`
	// Notes are sentences about what to look at.
	Notes []string `json:"notes,omitempty"`
}

// Replacement is something that Python code uses, and what there is here.
type Replacement struct {
	Uses string `json:"uses"`
	// By is empty where scripts have nothing like it.
	By string `json:"by,omitempty"`
}

// Report is all commands, sorted by fate and name.
type Report struct {
	Commands []Command `json:"commands"`
	BuiltIn  int       `json:"built_in"`
	Rewrite  int       `json:"rewrite"`
	LeftOut  int       `json:"left_out"`
}

// Assess tells what becomes of the commands of a catalogue.
func Assess(c *Catalogue) *Report {
	report := &Report{Commands: []Command{}}
	compiled := make(map[string][]byte, len(c.Bytecode))
	for _, b := range c.Bytecode {
		compiled[b.Command] = b.Content
	}
	times := make(map[string]int)
	for _, f := range c.Functions {
		times[f.Name]++
	}
	seen := make(map[string]int)
	for _, f := range c.Functions {
		seen[f.Name]++
		bytecode := compiled[f.Name]
		if seen[f.Name] < times[f.Name] { // the last one is what the server uses
			report.add(Command{
				Name: f.Name, Fate: LeftOut, Parameters: f.parameters(), CodeBytes: len(f.Code),
				Notes: []string{fmt.Sprintf("row %d of %d with this name; the server uses the last one", seen[f.Name], times[f.Name])},
			})
			continue
		}
		report.add(assess(f, bytecode))
	}
	for _, b := range c.Bytecode {
		if times[b.Command] == 0 {
			report.add(orphan(b))
		}
	}
	order := []Fate{Rewrite, LeftOut, BuiltIn}
	slices.SortStableFunc(report.Commands, func(a, b Command) int {
		return cmp.Or(slices.Index(order, a.Fate)-slices.Index(order, b.Fate), strings.Compare(a.Name, b.Name))
	})
	return report
}

func (r *Report) add(c Command) {
	r.Commands = append(r.Commands, c)
	switch c.Fate {
	case BuiltIn:
		r.BuiltIn++
	case Rewrite:
		r.Rewrite++
	case LeftOut:
		r.LeftOut++
	}
}

// assess decides about one row and the bytecode under its name.
func assess(f Function, bytecode []byte) Command {
	c := Command{Name: f.Name, Parameters: f.parameters(), Description: f.Description, CodeBytes: len(f.Code)}
	if note := f.interfaceNote; note != "" {
		c.Notes = append(c.Notes, note)
	}
	switch builtin, known := catalog.LookupCommand(f.Name); {
	case known:
		c.Fate = BuiltIn
		c.Notes = append(c.Notes, compare(builtin, f)...)
	case syntax.IsKeyword(f.Name): // a part of the language
		c.Fate = BuiltIn
	case !identifier(f.Name):
		c.Fate = LeftOut
		c.Notes = append(c.Notes, "a script cannot call this name; choose one of letters, digits and _ that begins with no digit")
	default:
		rewrite(&c, f.Code, bytecode)
	}
	return c
}

// rewrite describes a command that has to be written anew, if there is anything
// to write it from.
func rewrite(c *Command, code string, bytecode []byte) {
	packed, ok := unpack(bytecode)
	switch same := strings.TrimSpace(packed) == strings.TrimSpace(code); {
	case !ok || same:
	case strings.TrimSpace(code) == "":
		code, c.CodeBytes = packed, len(packed)
		c.Notes = append(c.Notes, "its code is only in avap_bytecode")
	default:
		c.Notes = append(c.Notes, "avap_bytecode holds other code, and that is what the server runs; compare the two")
	}
	if strings.TrimSpace(code) == "" {
		c.Fate = LeftOut
		c.Notes = append(c.Notes, "it has no code")
		return
	}
	c.Fate = Rewrite
	c.Replace = uses(code)
	if near := diag.Suggest(c.Name, commandNames()); near != "" {
		c.Notes = append(c.Notes, "its name is close to the built-in command "+near)
	}
}

// orphan is bytecode whose command is not in the table of functions. The
// server cannot call it; its code may still be wanted.
func orphan(b Bytecode) Command {
	c := Command{Name: b.Command, Fate: LeftOut, Parameters: []string{}, Notes: []string{"only in avap_bytecode; the server has no definition of it"}}
	if code, ok := unpack(b.Content); ok {
		c.CodeBytes, c.Replace = len(code), uses(code)
	}
	return c
}

// compare tells how a built-in command differs from what the catalogue says of
// its interface.
func compare(builtin *catalog.Command, f Function) []string {
	least := 0
	names := make([]string, len(builtin.Params))
	for i, p := range builtin.Params {
		names[i] = p.Name
		if !p.Optional && p.Kind != catalog.Target {
			least++
		}
	}
	if n := len(f.Interface); f.interfaceNote == "" && (n < least || n > len(builtin.Params)) {
		return []string{fmt.Sprintf("here it is %s(%s); check the calls", builtin.Name, strings.Join(names, ", "))}
	}
	return nil
}

func commandNames() []string {
	list := catalog.Commands()
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return names
}

// identifier reports whether a script can call a command by the name.
func identifier(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// parse reads what a row's interface column holds: a list of items with a name
// and a type.
func (f *Function) parse(text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), &f.Interface); err != nil {
		f.Interface = nil
		f.interfaceNote = "its interface is not the JSON it should be"
	}
}

func (f *Function) parameters() []string {
	names := make([]string, len(f.Interface))
	for i, p := range f.Interface {
		names[i] = p.Item
	}
	return names
}

package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// maxFileBytes bounds a file of settings.
const maxFileBytes = 1 << 20

// file is what a file of settings says.
type file struct {
	path string
	// values are texts by key, lines where they are written.
	values map[string]any
	lines  map[string]int
	faults Faults
}

// readFile reads a file in the format that its name ends in.
func readFile(path string) (*file, Faults) {
	f := &file{path: path, values: map[string]any{}, lines: map[string]int{}}
	walk, known := map[string]func(*file, []byte) error{
		".yaml": (*file).walkYAML, ".yml": (*file).walkYAML, ".toml": (*file).walkTOML, ".json": (*file).walkJSON,
	}[strings.ToLower(filepath.Ext(path))]
	if !known {
		return f, Faults{{"config", path, "the name of the file must end in .yaml, .yml, .toml or .json"}}
	}
	content, err := readBounded(path, maxFileBytes)
	if err == nil {
		err = walk(f, content)
	}
	if at, ok := errors.AsType[*syntaxError](err); ok {
		f.fault("config", at.line, "%s", at.problem)
	} else if err != nil {
		f.faults = append(f.faults, Fault{"config", path, err.Error()})
	}
	return f, f.faults
}

// syntaxError is a file that cannot be read further.
type syntaxError struct {
	line    int
	problem string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.problem) }

func (f *file) fault(key string, line int, format string, args ...any) {
	if key == "" {
		key = filesFlag
	}
	f.faults = append(f.faults, Fault{key, fmt.Sprintf("%s:%d", f.path, line), fmt.Sprintf(format, args...)})
}

// isTold reports whether a line has a fault already.
func (f *file) isTold(line int) bool {
	origin := fmt.Sprintf("%s:%d", f.path, line)
	return slices.ContainsFunc(f.faults, func(fault Fault) bool { return fault.Origin == origin })
}

// set takes a value that is no group; items are those of a list.
func (f *file) set(name string, line int, isList bool, items ...string) {
	k, known := find(name)
	first, twice := f.lines[name]
	switch {
	case !known:
		f.unknown(name, line)
		return
	case twice:
		f.fault(name, line, "is set twice; the first time in line %d", first)
		return
	case isList && k.list == nil:
		f.fault(name, line, "takes %s, not a list", k.Range())
		return
	case k.list != nil && slices.ContainsFunc(items, func(item string) bool { return isList && strings.Contains(item, ",") }):
		f.fault(name, line, "an item has a comma in it; write each item by itself")
		return
	}
	f.values[name], f.lines[name] = strings.Join(items, ","), line
}

// empty takes a name without a value, which sets nothing.
func (f *file) empty(name string, line int) {
	if _, known := find(name); !known && !isGroup(name) {
		f.unknown(name, line)
	}
}

func isGroup(name string) bool {
	return slices.ContainsFunc(table, func(k Key) bool { return strings.HasPrefix(k.Name, name+".") })
}

func (f *file) unknown(name string, line int) {
	if isGroup(name) {
		f.fault(name, line, "is a group of settings and takes no value itself")
		return
	}
	names := make([]string, len(table))
	for i, k := range table {
		names[i] = k.Name
	}
	problem := "there is no such setting"
	if hint := diag.DidYouMean(name, names); hint != "" {
		problem += "; " + hint
	}
	f.fault(name, line, "%s", problem)
}

// names are those of one group, to find one that is there twice.
type names map[string]int

// enter gives the whole name of a member of a group, and whether it is new.
func (f *file) enter(seen names, group, member string, line int) (string, bool) {
	name := member
	if group != "" {
		name = group + "." + member
	}
	if first, twice := seen[member]; twice {
		f.fault(name, line, "is there twice; the first time in line %d", first)
		return name, false
	}
	seen[member] = line
	return name, true
}

// Package catalog is the one table of what a script can call: commands,
// builtins and methods, with their parameters, the library function behind
// each, and the price in fuel.
//
// The compiler resolves names and checks arguments by it, the manual and the
// editor support print it, and a test of the library checks that every guest
// function named here exists. It holds data only.
package catalog

import "slices"

// Kind tells how a command reads an argument (language, section 6).
type Kind byte

// The kinds of parameters.
const (
	Target Kind = 'T' // names the variable that takes the result
	Source Kind = 'V' // a bare or quoted word is a variable's name
	Value  Kind = 'L' // a value
)

// Param is a parameter of a command.
type Param struct {
	Name string
	Kind Kind
	// Optional parameters may be left out or given empty.
	Optional bool
	// Raw marks a class or a pattern: an unquoted argument that starts like
	// one is text.
	Raw bool
	// OwnText makes a bare word mean itself, whatever variables there are.
	OwnText bool
	// LiteralKey makes a bare word mean itself when the first argument, a
	// dict, has it as a key.
	LiteralKey bool
	// SQL marks text that becomes part of a statement: the values in it are
	// kept apart.
	SQL bool
	// Literal parameters take a list or dict also as text that holds one.
	Literal bool
	// Leading parameters are left out by a call with too few arguments.
	Leading bool
	// NameOnly arguments must be a bare or quoted identifier.
	NameOnly bool
}

// Command is a built-in command.
type Command struct {
	Name   string
	Doc    string
	Params []Param
	// Guest is the library function that does the work. It takes the values of
	// all parameters but the target, in order.
	Guest string
	// Host is the function of the host that the script imports for the command.
	// Without a Guest it takes the arguments; with one it takes none, and what
	// it gives is the Guest's first argument.
	Host string
	// ReadsTarget commands take the target's present value as their last
	// argument.
	ReadsTarget bool
	// NoResult commands yield nothing and cannot stand for a value.
	NoResult bool
	// Capability is what a script must be granted to use the command; empty
	// for commands that touch nothing outside the sandbox.
	Capability string
	// FuelUnits is the price of one call, on top of what the library charges
	// by length.
	FuelUnits int
}

// TargetIndex is the position of the target among the parameters, or -1.
func (c *Command) TargetIndex() int {
	return slices.IndexFunc(c.Params, func(p Param) bool { return p.Kind == Target })
}

// Function is a builtin or a method. Arguments do not count the receiver.
type Function struct {
	Name string
	Doc  string
	// Guest is the library function, or the usual one where the compiler
	// chooses among several.
	Guest            string
	MinArgs, MaxArgs int // MaxArgs -1: no limit
	// Keywords are the keyword arguments it takes.
	Keywords []string
	// FuelUnits is the price of one call.
	FuelUnits int
}

// LookupCommand finds a command by its exact name.
func LookupCommand(name string) (*Command, bool) { return lookup(commandIndex, commands, name) }

// LookupBuiltin finds a builtin by its name.
func LookupBuiltin(name string) (*Function, bool) { return lookup(builtinIndex, builtins, name) }

// LookupMethod finds a method by its name.
func LookupMethod(name string) (*Function, bool) { return lookup(methodIndex, methods, name) }

// Commands lists all commands in the order of the manual.
func Commands() []Command { return slices.Clone(commands) }

// Builtins lists all builtins in the order of the manual.
func Builtins() []Function { return slices.Clone(builtins) }

// Methods lists all methods in the order of the manual.
func Methods() []Function { return slices.Clone(methods) }

// RawParam reports whether a command's parameter is a class or a pattern.
// With fewer arguments than parameters the target is taken to be left out.
func RawParam(command string, index, argCount int) bool {
	c, ok := LookupCommand(command)
	if !ok {
		return false
	}
	if t := c.TargetIndex(); t >= 0 && argCount < len(c.Params) && index >= t {
		index++
	}
	return index < len(c.Params) && c.Params[index].Raw
}

var (
	commandIndex = indexBy(commands, func(c Command) string { return c.Name })
	builtinIndex = indexBy(builtins, func(f Function) string { return f.Name })
	methodIndex  = indexBy(methods, func(f Function) string { return f.Name })
)

func indexBy[T any](table []T, name func(T) string) map[string]int {
	m := make(map[string]int, len(table))
	for i, entry := range table {
		m[name(entry)] = i
	}
	return m
}

func lookup[T any](index map[string]int, table []T, name string) (*T, bool) {
	i, ok := index[name]
	if !ok {
		return nil, false
	}
	return &table[i], true
}

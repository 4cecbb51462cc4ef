package check

import (
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/runtime/catalog"
)

// Binding is a command call with its arguments in their places.
type Binding struct {
	Command *catalog.Command
	// Args has one entry for each parameter, nil where nothing was given. The
	// target's entry is nil where it is left out.
	Args []*syntax.Arg
	// Target is the name given as the target, or "".
	Target string
}

// Bind puts the arguments of a call in their places. In target form and in
// expressions the target may be left out; it counts as given when there are
// enough arguments and the one in its place is a name.
func Bind(c *catalog.Command, call *syntax.CommandCall) Binding {
	b := Binding{Command: c, Args: make([]*syntax.Arg, len(c.Params))}
	t := c.TargetIndex()
	leftOut := false
	if t >= 0 && call.Place != syntax.AsStatement {
		_, isName := NameOf(argAt(call.Args, t))
		leftOut = len(call.Args) < len(c.Params) || !isName
	}
	given := len(call.Args)
	if leftOut {
		given++
	}
	next := 0
	for i, p := range c.Params {
		if leftOut && i == t || p.Leading && given < len(c.Params) {
			continue
		}
		if arg := argAt(call.Args, next); arg != nil && arg.Kind != syntax.ArgEmpty {
			b.Args[i] = arg
		}
		next++
	}
	if t >= 0 {
		b.Target, _ = NameOf(b.Args[t])
	}
	return b
}

func argAt(args []*syntax.Arg, i int) *syntax.Arg {
	if i < len(args) {
		return args[i]
	}
	return nil
}

// NameOf gives the identifier that an argument in a T or V position names.
func NameOf(arg *syntax.Arg) (string, bool) {
	if arg == nil {
		return "", false
	}
	switch arg.Kind {
	case syntax.ArgWord, syntax.ArgDollar:
		return arg.Text, true
	case syntax.ArgQuoted:
		return arg.Text, isIdentifier(arg.Text)
	}
	return "", false
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if !isNameRune(r) || i == 0 && r >= '0' && r <= '9' {
			return false
		}
	}
	return s != ""
}

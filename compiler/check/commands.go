package check

import (
	"fmt"
	"slices"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

func (c *checker) command(call *syntax.CommandCall) {
	name := call.Name.Name
	cmd, ok := catalog.LookupCommand(name)
	if !ok {
		if _, registered := slices.BinarySearch(c.registered, name); registered {
			return
		}
		if d := c.warnf(diag.UnknownCommand, call.Name, "Command not found: %s", name); d.Code != "" {
			// Only what is shown is worth a search among all functions.
			if d.Suggestion = c.didYouMean(name); d.Suggestion == "" && c.registered == nil {
				d.Suggestion = "it is found all the same if it is registered with the server that runs the script"
			}
		}
		return
	}
	if cmd.NoResult && call.Place != syntax.AsStatement {
		c.errorf(diag.NoResult, call, "%s has no result", name)
		return
	}
	c.note(cmd)
	b := Bind(cmd, call)
	for i, p := range cmd.Params {
		c.param(call, b, i, p)
	}
	if name == "registerEndpoint" {
		c.endpoint(call, b)
	}
}

func (c *checker) didYouMean(name string) string {
	names := slices.Concat(commandNames, syntax.Builtins, c.registered)
	for _, f := range c.info.Functions {
		names = append(names, f.Decl.Name.Name)
	}
	return diag.DidYouMean(name, names)
}

func (c *checker) param(call *syntax.CommandCall, b Binding, i int, p catalog.Param) {
	arg := b.Args[i]
	if arg == nil {
		targetLeftOut := p.Kind == catalog.Target && call.Place != syntax.AsStatement
		if !p.Optional && !p.Leading && !targetLeftOut {
			c.errorf(diag.MissingArgument, call, "%s lacks its argument %s", call.Name.Name, p.Name)
		}
		return
	}
	if p.Kind == catalog.Target || p.NameOnly {
		if _, ok := NameOf(arg); !ok {
			c.errorf(diag.BadTargetArgument, arg, "%s of %s must be a name", p.Name, call.Name.Name)
		}
	}
}

func plural(n int) string {
	switch n {
	case 0:
		return "no argument"
	case 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}

var commandNames, methodNames = func() (commands, methods []string) {
	for _, c := range catalog.Commands() {
		commands = append(commands, c.Name)
	}
	for _, m := range catalog.Methods() {
		methods = append(methods, m.Name)
	}
	return commands, methods
}()

package check

import (
	"fmt"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

// concurrency are the words of section 8 that read like commands.
var concurrency = map[string]bool{"gather": true, "go_async": true}

func (c *checker) command(call *syntax.CommandCall) {
	name := call.Name.Name
	if concurrency[name] {
		c.notAvailable(call.Name, name)
		return
	}
	cmd, ok := catalog.LookupCommand(name)
	if !ok {
		d := c.warnf(diag.UnknownCommand, call.Name, "Command not found: %s", name)
		d.Suggestion = c.didYouMean(name)
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
		c.endpoint(b)
	}
}

func (c *checker) didYouMean(name string) string {
	names := make([]string, 0, len(commandNames)+len(c.info.Functions))
	names = append(names, commandNames...)
	for _, f := range c.info.Functions {
		names = append(names, f.Decl.Name.Name)
	}
	return diag.DidYouMean(name, append(names, syntax.Builtins...))
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

var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// endpoint checks what registerEndpoint names. Its parameters are, in order:
// path, method, middleware, description, handler, output.
func (c *checker) endpoint(b Binding) {
	if path := b.Args[0]; path != nil && path.Kind == syntax.ArgQuoted && !strings.HasPrefix(path.Text, "/") {
		c.errorf(diag.BadEndpoint, path, "an endpoint's path starts with /")
	}
	if method := b.Args[1]; method != nil && (method.Kind == syntax.ArgQuoted || method.Kind == syntax.ArgWord) {
		if !contains(httpMethods, strings.ToUpper(method.Text)) {
			d := c.errorf(diag.BadEndpoint, method, "%s is no HTTP method", method.Text)
			d.Suggestion = diag.DidYouMean(method.Text, httpMethods)
		}
	}
	c.handlers(b.Args[2])
	c.handlers(b.Args[4])
	if output := b.Args[5]; output != nil {
		if _, ok := NameOf(output); !ok {
			c.errorf(diag.BadEndpoint, output, "an endpoint's output names a variable")
		}
	}
}

// handlers checks an argument that names a function, or a list of those.
func (c *checker) handlers(arg *syntax.Arg) {
	if arg == nil {
		return
	}
	switch arg.Kind {
	case syntax.ArgWord, syntax.ArgQuoted, syntax.ArgDollar, syntax.ArgRaw:
		if arg.Text != "" {
			c.handler(arg, arg.Text)
		}
		return
	}
	list, ok := arg.Expr.(*syntax.List)
	if !ok {
		if _, null := arg.Expr.(*syntax.Null); !null {
			c.errorf(diag.BadEndpoint, arg, "an endpoint's functions are given by name")
		}
		return
	}
	for _, x := range list.Elems {
		switch x := x.(type) {
		case *syntax.Name:
			c.handler(x, x.Name)
		case *syntax.String:
			c.handler(x, x.Value)
		default:
			c.errorf(diag.BadEndpoint, x, "an endpoint's functions are given by name")
		}
	}
}

func (c *checker) handler(at syntax.Node, name string) {
	if _, ok := c.info.ByName[name]; !ok {
		d := c.errorf(diag.BadEndpoint, at, "there is no function %s", name)
		names := make([]string, len(c.info.Functions))
		for i, f := range c.info.Functions {
			names[i] = f.Decl.Name.Name
		}
		d.Suggestion = diag.DidYouMean(name, names)
		return
	}
	c.info.Handlers[name] = true
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

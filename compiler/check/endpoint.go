package check

import (
	"strings"
	"unicode"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
)

// Endpoint is a path that the script answers when it is deployed.
type Endpoint struct {
	Path        string
	Method      string // in upper case
	Middleware  []string
	Description string
	Handler     string
	Output      string // names a variable; may be empty
	// At is the call that registers it, in the file of Source.
	At     syntax.Node
	Source *syntax.Source
}

// maxEndpoints bounds the endpoints of one script, and maxSegments how deep a
// path is.
const (
	maxEndpoints = 1000
	maxSegments  = 64
)

var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// endpoint notes what a registerEndpoint says, all of which must be known
// before anything runs. Its parameters are, in order: path, method,
// middleware, description, handler, output.
func (c *checker) endpoint(call *syntax.CommandCall, b Binding) {
	before := len(c.diags)
	e := Endpoint{At: call, Source: c.source}
	e.Path = c.endpointPath(b.Args[0])
	e.Method = c.endpointMethod(b.Args[1])
	e.Middleware = c.handlers(b.Args[2])
	if description := b.Args[3]; description != nil && !isNull(description) {
		e.Description, _ = c.endpointText(description, "description")
	}
	if handlers := c.handlers(b.Args[4]); len(handlers) == 1 {
		e.Handler = handlers[0]
	} else if b.Args[4] != nil && len(c.diags) == before {
		c.errorf(diag.BadEndpoint, b.Args[4], "an endpoint has one handler, given by name")
	}
	if output := b.Args[5]; output != nil && !isEmpty(output) {
		name, ok := NameOf(output)
		if !ok {
			c.errorf(diag.BadEndpoint, output, "an endpoint's output names a variable")
		}
		e.Output = name
	}
	if len(c.diags) == before && b.Args[0] != nil && b.Args[1] != nil && b.Args[4] != nil {
		c.addEndpoint(e, b.Args[0])
	}
}

// addEndpoint keeps an endpoint unless there is one like it. Paths that differ
// in the names of their parameters only are alike.
func (c *checker) addEndpoint(e Endpoint, path syntax.Node) {
	if len(c.info.Endpoints) == maxEndpoints {
		c.errorf(diag.TooComplex, path, "a script has at most %d endpoints", maxEndpoints)
		return
	}
	key := e.Method + " " + pathShape(e.Path)
	if c.routes[key] {
		c.errorf(diag.BadEndpoint, path, "%s %s is registered twice", e.Method, e.Path)
		return
	}
	if c.routes == nil {
		c.routes = map[string]bool{}
	}
	c.routes[key] = true
	c.info.Endpoints = append(c.info.Endpoints, e)
}

// pathShape is an endpoint's path without the names of its parameters.
func pathShape(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

func (c *checker) endpointPath(arg *syntax.Arg) string {
	path, plain := c.endpointText(arg, "path")
	if plain {
		if problem := pathProblem(path); problem != "" {
			c.errorf(diag.BadEndpoint, arg, "%s", problem)
		}
	}
	return path
}

// pathProblem says what is wrong with an endpoint's path, or nothing.
func pathProblem(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "an endpoint's path starts with /"
	}
	segments := strings.Split(path[1:], "/")
	if len(segments) > maxSegments {
		return "an endpoint's path is too long"
	}
	seen := map[string]bool{}
	for i, s := range segments {
		name, isParameter := strings.CutPrefix(s, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch {
		case s == "" && i < len(segments)-1:
			return "an endpoint's path has no empty segments"
		case s == "." || s == "..":
			return "an endpoint's path has no segments . and .."
		case isParameter && closed && isIdentifier(name):
			if seen[name] {
				return "the parameter " + name + " is twice in the path"
			}
			seen[name] = true
		case strings.ContainsAny(s, "{}"):
			return "a parameter is a whole segment of the path, such as {id}"
		case strings.ContainsAny(s, "?#%\\*"):
			return "an endpoint's path has none of the characters ? # % \\ *"
		case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
			return "an endpoint's path has no blanks"
		}
	}
	return ""
}

func (c *checker) endpointMethod(arg *syntax.Arg) string {
	text, plain := c.endpointText(arg, "method")
	method := strings.ToUpper(text)
	if plain && !contains(httpMethods, method) {
		d := c.errorf(diag.BadEndpoint, arg, "%s is no HTTP method", text)
		d.Suggestion = diag.DidYouMean(method, httpMethods)
	}
	return method
}

// endpointText is an argument that is plain text. It reports whether there is
// one.
func (c *checker) endpointText(arg *syntax.Arg, what string) (string, bool) {
	if arg == nil {
		return "", false
	}
	switch arg.Kind {
	case syntax.ArgQuoted, syntax.ArgRaw, syntax.ArgWord:
		return arg.Text, true
	}
	c.errorf(diag.BadEndpoint, arg, "an endpoint's %s is plain text: it must be known before the script runs", what)
	return "", false
}

func isNull(arg *syntax.Arg) bool {
	_, null := arg.Expr.(*syntax.Null)
	return null
}

// isEmpty tells that an argument says "none".
func isEmpty(arg *syntax.Arg) bool {
	return isNull(arg) || arg.Kind == syntax.ArgQuoted && arg.Text == ""
}

// handlers reads an argument that names a function, or a list of those.
func (c *checker) handlers(arg *syntax.Arg) []string {
	if arg == nil || isEmpty(arg) {
		return nil
	}
	switch arg.Kind {
	case syntax.ArgWord, syntax.ArgQuoted, syntax.ArgDollar, syntax.ArgRaw:
		c.handler(arg, arg.Text)
		return []string{arg.Text}
	}
	list, ok := arg.Expr.(*syntax.List)
	if !ok {
		c.errorf(diag.BadEndpoint, arg, "an endpoint's functions are given by name")
		return nil
	}
	var names []string
	for _, x := range list.Elems {
		name := ""
		switch x := x.(type) {
		case *syntax.Name:
			name = x.Name
		case *syntax.String:
			name = x.Value
		default:
			c.errorf(diag.BadEndpoint, x, "an endpoint's functions are given by name")
			continue
		}
		c.handler(x, name)
		names = append(names, name)
	}
	return names
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

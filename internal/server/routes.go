package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
)

// Paths of the API, as OpenAPI writes them.
const (
	pathExecute     = "/api/v1/execute"
	pathBatch       = pathExecute + "/batch"
	pathCheck       = "/api/v1/check"
	pathApps        = "/api/v1/apps"
	pathApp         = pathApps + "/{name}"
	pathCommands    = "/api/v1/commands"
	pathCommand     = pathCommands + "/{name}"
	pathVersions    = pathCommand + "/versions"
	pathCompile     = "/api/v1/compile"
	pathSigners     = "/api/v1/signers"
	pathSigner      = pathSigners + "/{name}"
	pathRevocations = "/api/v1/revocations"
	pathKeys        = "/api/v1/keys"
	pathKey         = pathKeys + "/{name}"
	pathExecutions  = "/api/v1/executions"
	pathExecution   = pathExecutions + "/{id}"
	pathOpenAPI     = "/api/v1/openapi.json"
	pathRootOpenAPI = "/openapi.json" // where tools look first
	pathDocs        = "/api/v1/docs"
	pathLive        = "/livez"
	pathReady       = "/readyz"
	pathStartup     = "/startupz"
	pathMetrics     = "/api/v1/metrics"
	pathAudit       = "/api/v1/audit"
)

// route is one of the server's own routes.
type route struct {
	method, path string
	summary      string
	handle       func(*Server, *fiber.Ctx) error
	// has tells whether a server has the route; nil is every server.
	has func(*Server) bool
	// scope is what a caller needs; none is for everybody whom the server talks to.
	scope auth.Scope
	// action is what the audit log calls a change; none is for what changes nothing.
	action string
	// computes is set for what runs or compiles scripts.
	computes bool
	// secret is set for what answers with a secret, which is kept nowhere.
	secret bool
	// query are parameters that the route takes besides those in its path. Others
	// are refused, but for routes that are lax: probes may bring anything.
	query []queryParameter
	lax   bool
	// admin is set for what the listener for operators answers, too, and probe
	// for what is asked all the time.
	admin, probe bool
	// body are the media types it takes, none if it takes no body.
	body contents
	// answers are those that are no problem documents.
	answers []answerSpec
}

// queryParameter is an optional parameter of the query string.
type queryParameter struct{ name, kind, description string }

// contents are the names of schemas by media type.
type contents map[string]string

type answerSpec struct {
	status int
	body   contents
}

func asJSON(schema string) contents { return contents{fiber.MIMEApplicationJSON: schema} }

// ok is the one answer of most routes.
func ok(schema string) []answerSpec { return []answerSpec{{http.StatusOK, asJSON(schema)}} }

// routes is the one table of the server's own routes. Fiber is fed with it, and
// the OpenAPI document, what apps may not have and what is suggested for a path
// that is not there are made from it. It is a function because handlers are in
// it that read it.
func routes() []route {
	return slices.Concat(coreRoutes(), docsRoutes(), executionRoutes(), commandRoutes(), policyRoutes(), keyRoutes(), appRoutes(), auditRoutes())
}

func coreRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: pathExecute, summary: "Run a script", handle: (*Server).execute, scope: auth.Execute, computes: true,
			body: asJSON("Execution"), answers: ok("Answer"),
		},
		{
			method: http.MethodPost, path: pathCheck, summary: "Find what is wrong with a script without running it", handle: (*Server).check, scope: auth.Check, computes: true,
			body: asJSON("Execution"), answers: ok("Findings"),
		},
		{
			method: http.MethodGet, path: pathMetrics, summary: "Metrics in the form of Prometheus", handle: (*Server).sendMetrics, scope: auth.ReadMetrics, admin: true, probe: true,
			answers: []answerSpec{{http.StatusOK, contents{fiber.MIMETextPlain: "Text", "application/openmetrics-text": "Text"}}},
		},
		{method: http.MethodGet, path: pathLive, summary: "Tell that the process answers", handle: (*Server).live, admin: true, probe: true, answers: ok("State")},
		{
			method: http.MethodGet, path: pathStartup, summary: "Tell whether the server has begun to answer", handle: (*Server).started, admin: true, probe: true,
			answers: []answerSpec{{http.StatusOK, asJSON("State")}, {http.StatusServiceUnavailable, asJSON("State")}},
		},
		{
			method: http.MethodGet, path: pathReady, summary: "Tell whether the server takes work", handle: (*Server).ready, admin: true, probe: true,
			query: []queryParameter{{"verbose", "string", "Tell how the registry is, too"}}, lax: true,
			answers: []answerSpec{{http.StatusOK, asJSON("State")}, {http.StatusServiceUnavailable, asJSON("State")}},
		},
	}
}

// executionRoutes are about what runs.
func executionRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: pathBatch, summary: "Run several scripts and commands, and answer when all are done, or each when it is", handle: (*Server).executeBatch, scope: auth.Execute, computes: true,
			body:    asJSON("Batch"),
			answers: []answerSpec{{http.StatusOK, contents{fiber.MIMEApplicationJSON: "BatchAnswer", ndjson: "BatchItem"}}},
		},
		{
			method: http.MethodGet, path: pathExecutions, summary: "List the executions that run, the oldest first", handle: (*Server).listExecutions, scope: auth.ReadExecutions,
			query: []queryParameter{
				{"request_id", "string", "Only executions of this request"},
				{"after", "string", "The member next of the page before"},
				{"limit", "integer", "How many a page has at most, 100 if nothing is said"},
			},
			answers: ok("Executions"),
		},
		{method: http.MethodGet, path: pathExecution, summary: "Tell what an execution does, or what became of it", handle: (*Server).getExecution, answers: ok("ExecutionState")},
		{
			method: http.MethodDelete, path: pathExecution, summary: "Stop an execution", handle: (*Server).stopExecution, scope: auth.StopExecutions, action: "execution.stop",
			answers: []answerSpec{{http.StatusAccepted, asJSON("ExecutionState")}},
		},
	}
}

func appRoutes() []route {
	return ownedBy(func(s *Server) bool { return s.apps != nil }, []route{
		{method: http.MethodGet, path: pathApps, summary: "List the apps", handle: (*Server).listApps, scope: auth.ReadApps, answers: ok("Apps")},
		{method: http.MethodGet, path: pathApp, summary: "Describe an app", handle: (*Server).getApp, scope: auth.ReadApps, answers: ok("App")},
		{
			method: http.MethodPut, path: pathApp, summary: "Store an app and make it answer, or replace it", handle: (*Server).putApp, scope: auth.WriteApps, action: "app.put", computes: true,
			body:    contents{fiber.MIMEApplicationJSON: "Source", fiber.MIMETextPlain: "Text"},
			answers: []answerSpec{{http.StatusOK, asJSON("App")}, {http.StatusCreated, asJSON("App")}},
		},
		{
			method: http.MethodDelete, path: pathApp, summary: "Remove an app", handle: (*Server).deleteApp, scope: auth.WriteApps, action: "app.delete",
			answers: []answerSpec{{http.StatusNoContent, nil}},
		},
	})
}

func hasCommands(s *Server) bool { return s.commands != nil }

func commandRoutes() []route {
	module := contents{fiber.MIMEApplicationJSON: "Command", api.WASM: "Module"}
	version := contents{fiber.MIMEApplicationJSON: "Version", api.WASM: "Module"}
	return ownedBy(hasCommands, []route{
		{
			method: http.MethodPost, path: pathCommand + "/execute", summary: "Run the active version of a command", handle: (*Server).executeCommand, scope: auth.Execute, computes: true,
			body: asJSON("CommandExecution"), answers: ok("Answer"),
		},
		{
			method: http.MethodPost, path: pathCommand + "@{version}/execute", summary: "Run a version of a command", handle: (*Server).executeCommand, scope: auth.Execute, computes: true,
			body: asJSON("CommandExecution"), answers: ok("Answer"),
		},
		{
			method: http.MethodGet, path: pathCommands, summary: "List the commands", handle: (*Server).listCommands, scope: auth.ReadCommands, answers: ok("Commands"),
			query: []queryParameter{
				{"prefix", "string", "What the names begin with"},
				{"active", "boolean", "Only commands that can run, or only others"},
				{"disabled", "boolean", "Only commands that are disabled, or only others"},
				{"after", "string", "The member next of the page before"},
				{"limit", "integer", "How many a page has at most, 100 if nothing is said"},
			},
		},
		{
			method: http.MethodGet, path: pathCommand, summary: "Describe a command, or get the module of its active version", handle: (*Server).getCommand, scope: auth.ReadCommands,
			answers: []answerSpec{{http.StatusOK, module}, {http.StatusNotModified, nil}},
		},
		{
			method: http.MethodPut, path: pathCommand, summary: "Store a signed module, or a script to build and sign, as a new version", handle: (*Server).putCommand, scope: auth.WriteCommands, action: "command.put", computes: true,
			query:   uploadParameters(),
			body:    contents{api.WASM: "Module", fiber.MIMETextPlain: "Text", fiber.MIMEApplicationJSON: "Source"},
			answers: []answerSpec{{http.StatusOK, asJSON("Version")}, {http.StatusCreated, asJSON("Version")}},
		},
		{
			method: http.MethodDelete, path: pathCommand, summary: "Remove a command with all its versions", handle: (*Server).deleteCommand, scope: auth.WriteCommands, action: "command.delete",
			answers: []answerSpec{{http.StatusNoContent, nil}},
		},
		{method: http.MethodGet, path: pathVersions, summary: "List the versions of a command", handle: (*Server).listVersions, scope: auth.ReadCommands, answers: ok("Versions"), query: pageParameters()},
		{
			method: http.MethodGet, path: pathVersions + "/{version}", summary: "Describe a version, or get its module", handle: (*Server).getVersion, scope: auth.ReadCommands,
			answers: []answerSpec{{http.StatusOK, version}, {http.StatusNotModified, nil}},
		},
		{
			method: http.MethodPost, path: pathCommand + "/activate", summary: "Make a version the one that runs", handle: (*Server).activateCommand, scope: auth.WriteCommands, action: "command.activate",
			body: asJSON("Activation"), answers: ok("Command"),
		},
		{method: http.MethodPost, path: pathCommand + "/rollback", summary: "Make the version run that was active before", handle: (*Server).rollbackCommand, scope: auth.WriteCommands, action: "command.rollback", answers: ok("Command")},
		{method: http.MethodPost, path: pathCommand + "/disable", summary: "Keep a command from running", handle: (*Server).disableCommand, scope: auth.WriteCommands, action: "command.disable", answers: ok("Command")},
		{method: http.MethodPost, path: pathCommand + "/enable", summary: "Let a command run again", handle: (*Server).enableCommand, scope: auth.WriteCommands, action: "command.enable", answers: ok("Command")},
		{
			method: http.MethodPost, path: pathCompile, summary: "Build, sign and activate a script as a command, as the vendor's server does", handle: (*Server).compile, scope: auth.WriteCommands, action: "command.put", computes: true,
			body: asJSON("Compilation"), answers: ok("Compiled"),
		},
	})
}

// pageParameters are those of a list that is read in pages and not filtered.
func pageParameters() []queryParameter {
	return []queryParameter{
		{"after", "string", "The member next of the page before"},
		{"limit", "integer", "How many a page has at most, 100 if nothing is said"},
	}
}

// uploadParameters are what can be said about a version.
func uploadParameters() []queryParameter {
	list := []queryParameter{
		{"activate", "boolean", "Make the version the one that runs"},
		{"note", "string", "What to keep with the version"},
		{"interface", "string", `The parameters of the command, as a JSON list such as [{"name": "a", "kind": "L"}]; those that the script reads if nothing is said`},
	}
	for _, m := range limitMembers {
		list = append(list, queryParameter{m.name, "integer", "A limit of executions of the version"})
	}
	return list
}

// policyRoutes are about whose signatures count.
func policyRoutes() []route {
	return ownedBy(hasCommands, []route{
		{method: http.MethodGet, path: pathSigners, summary: "List those whose signatures count", handle: (*Server).listSigners, scope: auth.ReadCommands, answers: ok("Signers")},
		{method: http.MethodGet, path: pathSigner, summary: "Describe a signer", handle: (*Server).getSigner, scope: auth.ReadCommands, answers: ok("Signer")},
		{
			method: http.MethodPut, path: pathSigner, summary: "Trust the signatures of a key, or change what they are good for", handle: (*Server).putSigner, scope: auth.WriteSigners, action: "signer.put",
			body: asJSON("Signer"), answers: ok("Signer"),
		},
		{
			method: http.MethodDelete, path: pathSigner, summary: "Trust the signatures of a signer no longer", handle: (*Server).deleteSigner, scope: auth.WriteSigners, action: "signer.delete",
			answers: ok("TrustChange"),
		},
		{method: http.MethodGet, path: pathRevocations, summary: "List what is revoked", handle: (*Server).listRevocations, scope: auth.ReadCommands, answers: ok("Revocations"), query: pageParameters()},
		{
			method: http.MethodPost, path: pathRevocations, summary: "Make a key or a module count for nothing, for good", handle: (*Server).postRevocation, scope: auth.WriteSigners, action: "revocation.add",
			body: asJSON("Revocation"), answers: ok("Revocation"),
		},
	})
}

// keyRoutes are about who is known.
func keyRoutes() []route {
	return ownedBy(hasCommands, []route{
		{method: http.MethodGet, path: pathKeys, summary: "List the keys of clients", handle: (*Server).listKeys, scope: auth.ReadKeys, answers: ok("Keys")},
		{method: http.MethodGet, path: pathKey, summary: "Describe the key of a client", handle: (*Server).getKey, scope: auth.ReadKeys, answers: ok("Key")},
		{
			method: http.MethodPost, path: pathKeys, summary: "Make a key for a client; its secret is told once", handle: (*Server).createKey, scope: auth.WriteKeys, action: "key.create", secret: true,
			body: asJSON("NewKey"), answers: []answerSpec{{http.StatusCreated, asJSON("Key")}},
		},
		{
			method: http.MethodPost, path: pathKey + "/rotate", summary: "Give a key another secret or public key; the one before may hold a while", handle: (*Server).rotateKey, scope: auth.WriteKeys, action: "key.rotate", secret: true,
			body: asJSON("Rotation"), answers: ok("Key"),
		},
		{
			method: http.MethodDelete, path: pathKey, summary: "Take a key away from its client", handle: (*Server).deleteKey, scope: auth.WriteKeys, action: "key.delete",
			answers: []answerSpec{{http.StatusNoContent, nil}},
		},
	})
}

// ownedBy marks routes that only some servers have.
func ownedBy(has func(*Server) bool, list []route) []route {
	for i := range list {
		list[i].has = has
	}
	return list
}

// register gives Fiber the routes that this server has, or those of them that
// are for operators.
func (s *Server) register(app *fiber.App, admin bool) {
	known := map[string]bool{}
	for _, r := range routes() {
		if r.has != nil && !r.has(s) || admin && !r.admin {
			continue
		}
		if !admin {
			s.routes = append(s.routes, r)
		}
		handler := func(c *fiber.Ctx) error { return s.pass(c, &r, admin) }
		path := fiberPath(r.path)
		if id := r.method + " " + path; !known[id] {
			known[id] = true
			if r.method == http.MethodGet { // fasthttp leaves the body out
				app.Head(path, handler)
			}
			app.Add(r.method, path, handler)
			s.probes[path] = r.probe
		}
		if r.probe && r.scope == 0 {
			s.open[path] = true
		}
	}
	if s.apps != nil && !admin {
		app.Use(s.endpoint)
	}
}

// pass lets a request through to its handler, if it may come and brings what the
// route takes.
func (s *Server) pass(c *fiber.Ctx, r *route, admin bool) error {
	noteOf(c).own = r
	if !admin { // operators are not asked who they are
		if err := s.permit(c, r.scope); err != nil {
			return err
		}
	}
	if !r.probe {
		if err := s.rateRoute(c, r.class()); err != nil {
			return err
		}
	}
	if err := r.checkQuery(c); err != nil {
		return err
	}
	return s.answerOnce(c, r)
}

// handle answers a request. A change is in the audit log before it is answered.
func (s *Server) handle(c *fiber.Ctx, r *route) error {
	if r.action == "" {
		return r.handle(s, c)
	}
	return s.changing(c, r.action, func(c *fiber.Ctx) error { return r.handle(s, c) })
}

// checkQuery refuses parameters that a route with parameters of its own does not
// have: a filter with a typing error would select everything.
func (r *route) checkQuery(c *fiber.Ctx) error {
	if r.query == nil || r.lax {
		return nil
	}
	names := make([]string, len(r.query))
	for i, q := range r.query {
		names[i] = q.name
	}
	for key := range c.Context().QueryArgs().All() {
		if !slices.Contains(names, string(key)) {
			p := newProblem(http.StatusBadRequest, diag.BadFieldValue, "there is no parameter %s; there are %s", printable(string(key)), strings.Join(names, ", "))
			p.suggestion = diag.DidYouMean(string(key), names)
			return p
		}
	}
	return nil
}

// fiberPath writes a path as Fiber does. It knows one parameter in a segment,
// which is the first one then, with what stands behind it.
func fiberPath(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name, _, _ = strings.Cut(name, "}")
			segments[i] = ":" + name
		}
	}
	return strings.Join(segments, "/")
}

// ReservedSegments are the first segments of paths that no app can have.
func ReservedSegments() []string {
	var reserved []string
	for _, r := range routes() {
		first, _, _ := strings.Cut(r.path[1:], "/")
		reserved = append(reserved, first)
	}
	slices.Sort(reserved)
	return slices.Compact(reserved)
}

// paths are those of the server's own routes, for suggestions to clients or to
// operators.
func (s *Server) paths(admin bool) []string {
	var paths []string
	for _, r := range s.routes {
		if r.admin || !admin {
			paths = append(paths, r.path)
		}
	}
	return slices.Compact(paths)
}

package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Paths of the API, as OpenAPI writes them.
const (
	pathExecute = "/api/v1/execute"
	pathCheck   = "/api/v1/check"
	pathApps    = "/api/v1/apps"
	pathApp     = pathApps + "/{name}"
	pathOpenAPI = "/api/v1/openapi.json"
	pathLive    = "/livez"
	pathReady   = "/readyz"
)

// route is one of the server's own routes.
type route struct {
	method, path string
	summary      string
	handle       func(*Server, *fiber.Ctx) error
	// has tells whether a server has the route; nil is every server.
	has func(*Server) bool
	// changes is set when something is stored or removed, which needs the token.
	changes bool
	// query are parameters that the route takes besides those in its path.
	query []queryParameter
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
	return slices.Concat(coreRoutes(), appRoutes())
}

func coreRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: pathExecute, summary: "Run a script", handle: (*Server).execute,
			body: asJSON("Execution"), answers: ok("Answer"),
		},
		{
			method: http.MethodPost, path: pathCheck, summary: "Find what is wrong with a script without running it", handle: (*Server).check,
			body: asJSON("Execution"), answers: ok("Findings"),
		},
		{method: http.MethodGet, path: pathOpenAPI, summary: "This document", handle: (*Server).openAPI, answers: ok("Object")},
		{method: http.MethodGet, path: pathLive, summary: "Tell that the process answers", handle: (*Server).live, answers: ok("State")},
		{
			method: http.MethodGet, path: pathReady, summary: "Tell whether the server takes work", handle: (*Server).ready,
			answers: []answerSpec{{http.StatusOK, asJSON("State")}, {http.StatusServiceUnavailable, asJSON("State")}},
		},
	}
}

func appRoutes() []route {
	return ownedBy(func(s *Server) bool { return s.apps != nil }, []route{
		{method: http.MethodGet, path: pathApps, summary: "List the apps", handle: (*Server).listApps, answers: ok("Apps")},
		{method: http.MethodGet, path: pathApp, summary: "Describe an app", handle: (*Server).getApp, answers: ok("App")},
		{
			method: http.MethodPut, path: pathApp, summary: "Store an app and make it answer, or replace it", handle: (*Server).putApp, changes: true,
			body:    contents{fiber.MIMEApplicationJSON: "Source", fiber.MIMETextPlain: "Text"},
			answers: []answerSpec{{http.StatusOK, asJSON("App")}, {http.StatusCreated, asJSON("App")}},
		},
		{
			method: http.MethodDelete, path: pathApp, summary: "Remove an app", handle: (*Server).deleteApp, changes: true,
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

// register gives Fiber the routes that this server has.
func (s *Server) register() {
	mayChange := RequireToken(s.config.Admin.Token)
	for _, r := range routes() {
		if r.has != nil && !r.has(s) {
			continue
		}
		s.routes = append(s.routes, r)
		handlers := []fiber.Handler{func(c *fiber.Ctx) error { return r.handle(s, c) }}
		if r.changes {
			handlers = []fiber.Handler{mayChange, handlers[0]}
		}
		s.app.Add(r.method, fiberPath(r.path), handlers...)
	}
	if s.apps != nil {
		s.app.Use(s.endpoint)
	}
}

// fiberPath writes a path as Fiber does.
func fiberPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
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

// paths are those of the server's own routes, for suggestions.
func (s *Server) paths() []string {
	paths := make([]string, len(s.routes))
	for i, r := range s.routes {
		paths[i] = r.path
	}
	return slices.Compact(paths)
}

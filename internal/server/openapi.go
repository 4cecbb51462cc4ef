package server

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/auth"
)

// The parts of an OpenAPI 3.1 document that this server has something to say
// in.
type (
	openAPI struct {
		OpenAPI    string                         `json:"openapi"`
		Info       apiInfo                        `json:"info"`
		Paths      map[string]map[string]*apiCall `json:"paths"`
		Components apiComponents                  `json:"components"`
		Tags       []apiTag                       `json:"tags,omitempty"`
	}
	apiInfo struct {
		Title   string `json:"title"`
		Version string `json:"version"`
	}
	apiTag struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
	}
	apiCall struct {
		OperationID string                `json:"operationId"`
		Summary     string                `json:"summary,omitempty"`
		Tags        []string              `json:"tags"`
		Security    []map[string][]string `json:"security,omitempty"`
		Parameters  []apiParameter        `json:"parameters,omitempty"`
		Body        *apiBody              `json:"requestBody,omitempty"`
		Answers     map[string]apiAnswer  `json:"responses"`
	}
	apiParameter struct {
		Name        string    `json:"name"`
		In          string    `json:"in"`
		Description string    `json:"description,omitempty"`
		Required    bool      `json:"required"`
		Schema      apiSchema `json:"schema"`
	}
	apiBody struct {
		Required bool                `json:"required,omitempty"`
		Content  map[string]apiMedia `json:"content"`
	}
	apiAnswer struct {
		Description string              `json:"description"`
		Content     map[string]apiMedia `json:"content,omitempty"`
	}
	apiMedia struct {
		Schema apiSchema `json:"schema"`
	}
	// apiSchema is a JSON schema; nil is the one that takes anything.
	apiSchema     map[string]any
	apiComponents struct {
		Schemas         map[string]apiSchema         `json:"schemas"`
		SecuritySchemes map[string]map[string]string `json:"securitySchemes"`
	}
)

const (
	tagServer  = "server"
	schemeName = "token"
	// schemeCertificate is of those who are known by their certificate.
	schemeCertificate = "certificate"
)

// openAPI answers GET /api/v1/openapi.json and /openapi.json.
func (s *Server) openAPI(c *fiber.Ctx) error { return sendJSON(c, s.description()) }

// description is the OpenAPI document as it is now.
func (s *Server) description() *openAPI {
	var list []apps.App
	if s.apps != nil {
		list = s.apps.List()
	}
	settings := s.tls.Load()
	return describeAPI(s.routes, list, access{s.strangers.Load(), settings != nil && settings.ClientCAs != nil})
}

// describeAPI is the document about the server's own routes and those of apps.
func describeAPI(own []route, list []apps.App, access access) *openAPI {
	d := &openAPI{
		OpenAPI: "3.1.0", Info: apiInfo{"AVAP", "1"},
		Paths: map[string]map[string]*apiCall{},
		Components: apiComponents{
			Schemas:         schemas,
			SecuritySchemes: map[string]map[string]string{schemeName: {"type": "http", "scheme": "bearer"}},
		},
		Tags: []apiTag{{tagServer, "The server's own routes"}},
	}
	if access.certificates {
		d.Components.SecuritySchemes[schemeCertificate] = map[string]string{"type": "mutualTLS"}
	}
	for _, r := range own {
		d.add(r.path, r.method, r.call(access))
	}
	shown := map[string]string{}
	for _, a := range list {
		if len(a.Routes) > 0 {
			d.Tags = append(d.Tags, apiTag{"app " + a.Name, "The app " + a.Name})
		}
		for _, r := range a.Routes {
			d.addRoute(shown, r, access)
		}
	}
	return d
}

func (d *openAPI) add(path, method string, call *apiCall) {
	if d.Paths[path] == nil {
		d.Paths[path] = map[string]*apiCall{}
	}
	call.OperationID = method + " " + path
	d.Paths[path][strings.ToLower(method)] = call
}

// addRoute describes a route of an app. Two paths that differ in the names of
// their parameters only are one path of the document, so the names that are
// shown are those of the first.
func (d *openAPI) addRoute(shown map[string]string, r apps.Route, access access) {
	shape := r.Shape()
	path, ok := shown[shape]
	if !ok {
		path = r.Path
		shown[shape] = path
	}
	call := &apiCall{
		Summary: r.Description, Tags: []string{"app " + r.App},
		Parameters: pathParameters(path), Security: access.security(auth.Execute),
		Answers: map[string]apiAnswer{
			"200":     {"The results, or the output variable of the route", media(fiber.MIMEApplicationJSON, nil)},
			"default": problemAnswer,
		},
	}
	if isWrite(r.Method) {
		call.Parameters = append(call.Parameters, keyParameter)
	}
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		fields := typed("object")
		call.Body = &apiBody{Content: map[string]apiMedia{
			fiber.MIMEApplicationJSON: {fields}, fiber.MIMEApplicationForm: {fields}, fiber.MIMEMultipartForm: {fields},
		}}
	}
	d.add(path, r.Method, call)
}

// pathParameters are the names in braces.
func pathParameters(path string) []apiParameter {
	var list []apiParameter
	for part := range strings.SplitSeq(path, "{") {
		if name, _, ok := strings.Cut(part, "}"); ok {
			list = append(list, apiParameter{Name: name, In: "path", Required: true, Schema: typed("string")})
		}
	}
	return list
}

func media(kind string, schema apiSchema) map[string]apiMedia {
	if schema == nil {
		schema = apiSchema{}
	}
	return map[string]apiMedia{kind: {schema}}
}

func reference(name string) apiSchema { return apiSchema{"$ref": "#/components/schemas/" + name} }

var problemAnswer = apiAnswer{"What went wrong", media(problemType, reference("Problem"))}

// call describes one of the server's own routes.
func (r *route) call(access access) *apiCall {
	call := &apiCall{
		Summary: r.summary, Tags: []string{tagServer}, Parameters: pathParameters(r.path),
		Answers: map[string]apiAnswer{"default": problemAnswer},
	}
	for _, q := range r.query {
		call.Parameters = append(call.Parameters, apiParameter{Name: q.name, In: "query", Description: q.description, Schema: typed(q.kind)})
	}
	for _, a := range r.answers {
		call.Answers[strconv.Itoa(a.status)] = apiAnswer{"Done", a.body.media()}
	}
	if r.body != nil {
		call.Body = &apiBody{Required: true, Content: r.body.media()}
	}
	if (r.action != "" || r.computes) && !r.secret {
		call.Parameters = append(call.Parameters, keyParameter)
	}
	call.Security = access.security(r.scope)
	return call
}

// keyParameter is what requests may have that are done once, however often they
// come.
var keyParameter = apiParameter{
	Name: headerIdempotencyKey, In: "header", Schema: typed("string"),
	Description: "A request that comes again with its key is answered as before, and not done again",
}

// access is who is answered: strangers, and those with a certificate where clients
// are asked for one.
type access struct {
	*strangers
	certificates bool
}

// security describes what a caller needs. What strangers may do needs nothing where
// they are answered.
func (s access) security(scope auth.Scope) []map[string][]string {
	if scope == 0 {
		return nil
	}
	security := []map[string][]string{{schemeName: scope.Names()}}
	if s.certificates {
		security = append(security, map[string][]string{schemeCertificate: scope.Names()})
	}
	if s.may(scope) {
		security = append(security, map[string][]string{})
	}
	return security
}

func (c contents) media() map[string]apiMedia {
	m := make(map[string]apiMedia, len(c))
	for kind, schema := range c {
		m[kind] = apiMedia{reference(schema)}
	}
	return m
}

func typed(kind string) apiSchema { return apiSchema{"type": kind} }

func listOf(item apiSchema) apiSchema { return apiSchema{"type": "array", "items": item} }

func object(required []string, members map[string]apiSchema) apiSchema {
	s := apiSchema{"type": "object", "properties": members}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// executionMembers adds the members of what can be executed.
func executionMembers(members map[string]apiSchema) map[string]apiSchema {
	members[memberVariables], members[memberEcho] = typed("object"), typed("boolean")
	members[memberLimits] = reference("Limits")
	return members
}

// schemas are those of the server's own bodies.
var schemas = addSchemas(map[string]apiSchema{
	"Object":           typed("object"),
	"Text":             typed("string"),
	"Module":           {"type": "string", "format": "binary"},
	"State":            object([]string{"status"}, map[string]apiSchema{"status": typed("string"), "registry": reference("Health")}),
	"Source":           object([]string{memberScript}, map[string]apiSchema{memberScript: typed("string")}),
	"Execution":        object([]string{memberScript}, executionMembers(map[string]apiSchema{memberScript: typed("string"), memberLogs: typed("boolean")})),
	"CommandExecution": object(nil, executionMembers(map[string]apiSchema{})),
	"Batch": {"oneOf": []apiSchema{listOf(typed("object")), object([]string{memberItems}, map[string]apiSchema{
		memberItems: listOf(typed("object")), memberParallelism: typed("integer"),
	})}},
	"BatchItem": object([]string{"index", "status"}, map[string]apiSchema{
		"index": typed("integer"), "status": typed("integer"), "execution_id": typed("string"), "answer": reference("Answer"), "problem": reference("Problem"),
	}),
	"BatchAnswer": object([]string{"success", "items"}, map[string]apiSchema{"success": typed("boolean"), "items": listOf(reference("BatchItem"))}),
	"Compilation": object([]string{"command_name"}, map[string]apiSchema{
		"command_name": typed("string"), "script": typed("string"),
	}),
	"Compiled": object([]string{"success", "command", "bytecode_size", "version", "digest"}, map[string]apiSchema{
		"success": typed("boolean"), "command": typed("string"), "bytecode_size": typed("integer"), "version": typed("integer"), "digest": typed("string"),
	}),
	"Answer": object([]string{"success", "result", "logs"}, map[string]apiSchema{
		"success": typed("boolean"), "result": typed("object"), "variables": typed("object"), "logs": listOf(typed("object")),
	}),
	"Diagnostic": object([]string{"code", "severity", "message"}, map[string]apiSchema{
		"code": typed("string"), "severity": typed("string"), "message": typed("string"), "suggestion": typed("string"),
		"file": typed("string"), "line": typed("integer"), "column": typed("integer"),
	}),
	"Findings": object([]string{"success", "diagnostics"}, map[string]apiSchema{
		"success": typed("boolean"), "diagnostics": listOf(reference("Diagnostic")),
	}),
	"Route": object([]string{"method", "path", "description"}, map[string]apiSchema{
		"method": typed("string"), "path": typed("string"), "description": typed("string"),
	}),
	"App": object([]string{"name", "stored", "routes"}, map[string]apiSchema{
		"name": typed("string"), "digest": typed("string"), "stored": typed("boolean"), "routes": listOf(reference("Route")),
		"error": typed("string"), "diagnostics": listOf(reference("Diagnostic")),
	}),
	"Apps": object([]string{"apps"}, map[string]apiSchema{"apps": listOf(reference("App"))}),
	"Problem": object([]string{"type", "title", "status", "detail", "instance", "success", "error", "code", "next_step"}, map[string]apiSchema{
		"type": typed("string"), "title": typed("string"), "status": typed("integer"), "detail": typed("string"), "instance": typed("string"),
		"success": typed("boolean"), "error": typed("string"), "code": typed("string"), "suggestion": typed("string"), "next_step": typed("string"),
		"line": typed("integer"), "column": typed("integer"), "stack": listOf(typed("object")),
		"diagnostics": listOf(reference("Diagnostic")), "usage": reference("Usage"), "current": reference("Command"),
	}),
}, commandDocuments)

package server

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

//go:embed docs.html
var docsTemplate string

//go:embed docs.css
var docsStyle string

var docsPage = template.Must(template.New("docs").Parse(docsTemplate))

// docsPolicy lets a browser use the page's own style and nothing else: there is
// no script on it, and nothing is fetched.
var docsPolicy = func() string {
	sum := sha256.Sum256([]byte(docsStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// docs answers GET /api/v1/docs: the OpenAPI document as a page for people.
func (s *Server) docs(c *fiber.Ctx) error {
	page, err := renderDocs(s.description())
	if err != nil {
		return internalProblem(err)
	}
	c.Response().Header.SetContentType(fiber.MIMETextHTMLCharsetUTF8)
	c.Response().Header.Set(fiber.HeaderContentSecurityPolicy, docsPolicy)
	c.Response().SetBodyRaw(page)
	return nil
}

// docsOf is what the page shows of an OpenAPI document.
type (
	docsOf struct {
		Title, OpenAPI, Document string
		Style                    template.CSS
		Groups                   []docsGroup
		Schemas                  []docsSchema
	}
	docsGroup struct {
		Name, Description string
		Calls             []docsCall
	}
	docsCall struct {
		ID, Method, Path, Summary, Needs string
		Parameters                       []docsMember
		Body, Answers                    []docsMedia
	}
	docsMember struct {
		Name, In, Description string
		Required              bool
		Type                  docsType
	}
	docsMedia struct {
		Status, Kind string
		Type         docsType
	}
	docsSchema struct {
		ID, Name string
		Members  []docsMember
		Type     docsType
	}
	// docsType is words, and the schema that they end with, if they do.
	docsType struct{ Before, Reference string }
)

// ID is where the schema of a type is on the page.
func (t docsType) ID() string { return schemaID(t.Reference) }

func schemaID(name string) string { return "schema-" + name }

// renderDocs makes the page of a document.
func renderDocs(d *openAPI) ([]byte, error) {
	view := docsOf{
		Title: d.Info.Title, OpenAPI: d.OpenAPI, Document: pathOpenAPI, Style: template.CSS(docsStyle), //nolint:gosec // it is our own
		Groups: docsGroups(d),
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		plain, err := plainSchema(d.Components.Schemas[name])
		if err != nil {
			return nil, err
		}
		view.Schemas = append(view.Schemas, docsSchema{schemaID(name), name, docsMembers(plain), typeOf(plain)})
	}
	var page bytes.Buffer
	if err := docsPage.Execute(&page, view); err != nil {
		return nil, fmt.Errorf("render the documentation: %w", err)
	}
	return page.Bytes(), nil
}

// plainSchema gives a schema as JSON has it, whatever types it was made of.
func plainSchema(schema apiSchema) (plain map[string]any, err error) {
	text, err := json.Marshal(schema)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		return nil, fmt.Errorf("render a schema: %w", err)
	}
	return plain, nil
}

func docsGroups(d *openAPI) []docsGroup {
	byTag := map[string][]docsCall{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			call := d.Paths[path][method]
			for _, tag := range call.Tags {
				byTag[tag] = append(byTag[tag], docsOfCall(strings.ToUpper(method), path, call))
			}
		}
	}
	var groups []docsGroup
	for _, tag := range d.Tags {
		groups = append(groups, docsGroup{tag.Name, tag.Description, byTag[tag.Name]})
	}
	return groups
}

func docsOfCall(method, path string, call *apiCall) docsCall {
	d := docsCall{ID: strings.Trim(strings.Map(anchor, method+path), "-"), Method: method, Path: path, Summary: strings.TrimSuffix(call.Summary, ".")}
	for _, way := range call.Security {
		for _, scopes := range way {
			d.Needs = cmp.Or(strings.Join(scopes, ", "), "a token")
		}
		if len(way) == 0 {
			d.Needs += ", which everybody has where the server is open"
		}
	}
	for _, p := range call.Parameters {
		d.Parameters = append(d.Parameters, docsMember{p.Name, p.In, p.Description, p.Required, typeOf(p.Schema)})
	}
	if call.Body != nil {
		d.Body = docsContents("", call.Body.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(call.Answers)) {
		d.Answers = append(d.Answers, docsContents(status, call.Answers[status].Content)...)
	}
	return d
}

func docsContents(status string, content map[string]apiMedia) []docsMedia {
	if len(content) == 0 {
		return []docsMedia{{Status: status, Type: docsType{Before: "no body"}}}
	}
	var list []docsMedia
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		list = append(list, docsMedia{status, kind, typeOf(content[kind].Schema)})
	}
	return list
}

// anchor keeps what identifiers of elements are made of.
func anchor(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
		return r
	}
	return '-'
}

func docsMembers(schema map[string]any) []docsMember {
	members, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	var list []docsMember
	for _, name := range slices.Sorted(maps.Keys(members)) {
		member, _ := members[name].(map[string]any)
		list = append(list, docsMember{Name: name, Required: slices.Contains(required, any(name)), Type: typeOf(member)})
	}
	return list
}

// typeOf words a schema.
func typeOf(schema map[string]any) docsType {
	if name, ok := schema["$ref"].(string); ok {
		return docsType{Reference: name[strings.LastIndexByte(name, '/')+1:]}
	}
	if _, ok := schema["oneOf"]; ok {
		return docsType{Before: "one of several forms"}
	}
	kind, _ := schema["type"].(string)
	if kind == "array" {
		item, _ := schema["items"].(map[string]any)
		of := typeOf(item)
		return docsType{"list of " + of.Before, of.Reference}
	}
	if format, ok := schema["format"].(string); ok {
		kind += " (" + format + ")"
	}
	return docsType{Before: cmp.Or(kind, "anything")}
}

// docsRoutes are the documents about the server.
func docsRoutes() []route {
	return []route{
		{method: http.MethodGet, path: pathOpenAPI, summary: "This document", handle: (*Server).openAPI, answers: ok("Object")},
		{method: http.MethodGet, path: pathRootOpenAPI, summary: "This document, where tools look for it", handle: (*Server).openAPI, answers: ok("Object")},
		{
			method: http.MethodGet, path: pathDocs, summary: "This document as a page for people, which needs nothing from elsewhere", handle: (*Server).docs,
			answers: []answerSpec{{http.StatusOK, contents{fiber.MIMETextHTML: "Text"}}},
		},
	}
}

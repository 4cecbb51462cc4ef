package commands

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/internal/egress"
	"github.com/avapd/avapd/wasmhost"
)

// Connector describes a database or an API that scripts reach by a name.
type Connector struct {
	// Type is postgres, sqlite or api.
	Type string `json:"type"`
	// URL is that of the database, or what the paths of an API stand under.
	// URLFile is a file that holds it instead.
	URL     string `json:"url"`
	URLFile string `json:"url_file"`
	// File is an SQLite database.
	File string `json:"file"`
	// Headers go with every request to an API.
	Headers map[string]string `json:"headers"`
	// ReadOnly refuses what writes to a database.
	ReadOnly bool `json:"read_only"`
	// RequireParameters refuses SQL that was put together at run time.
	RequireParameters bool `json:"require_parameters"`
}

// maxSecretBytes bounds a file that holds a URL.
const maxSecretBytes = 64 << 10

// ReadConnectors reads a JSON file that maps names to connectors. Paths in it
// start at its directory.
func ReadConnectors(file string) (map[string]Connector, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the path is the operator's own
	if err != nil {
		return nil, fmt.Errorf("connectors: %w", err)
	}
	var named map[string]Connector
	if err := decodeStrictly(content, &named); err != nil {
		return nil, fmt.Errorf("connectors: %s: %w", file, err)
	}
	for name, c := range named {
		for _, path := range []*string{&c.File, &c.URLFile} {
			if *path != "" && !filepath.IsAbs(*path) {
				*path = filepath.Join(filepath.Dir(file), *path)
			}
		}
		named[name] = c
	}
	return named, nil
}

func decodeStrictly(content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("there is text behind the JSON value")
	}
	return nil
}

// connector is one that is ready: a database or an API.
type connector struct {
	data    *source
	base    *url.URL
	headers []egress.Pair
}

func (s *Set) openConnectors(named map[string]Connector) error {
	s.connectors = make(map[string]*connector, len(named))
	for _, name := range slices.Sorted(maps.Keys(named)) {
		c, err := s.open(named[name])
		if err != nil {
			return fmt.Errorf("connector %s: %w", name, err)
		}
		s.connectors[name] = c
	}
	return nil
}

// open makes a connector of its description.
func (s *Set) open(d Connector) (*connector, error) {
	if d.URLFile != "" {
		content, err := os.ReadFile(d.URLFile)
		if err != nil {
			return nil, err
		}
		if len(content) > maxSecretBytes {
			return nil, errors.New("the file of the URL is too large")
		}
		d.URL = strings.TrimSpace(string(content))
	}
	data := Data{
		Limits: s.config.Data.Limits, Connections: s.config.Data.Connections, PerClient: s.config.Data.PerClient,
		Policy: datasource.Policy{ReadOnly: d.ReadOnly, RequireParameters: d.RequireParameters || s.config.Data.Policy.RequireParameters},
	}
	switch {
	case d.Type == "postgres" && d.URL != "":
		data.PostgresURL = d.URL
	case d.Type == "sqlite" && d.File != "":
		data.SQLiteFile = d.File
	case d.Type == "api":
		return newAPI(d)
	default:
		return nil, errors.New("a connector is of type postgres with a url, sqlite with a file, or api with a url")
	}
	return &connector{data: newSource(data, s.config.Log)}, nil
}

func newAPI(d Connector) (*connector, error) {
	base, err := url.Parse(d.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil {
		return nil, errors.New("the url of an api is no plain http or https URL")
	}
	c := &connector{base: base}
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		c.headers = append(c.headers, egress.Pair{Name: name, Value: d.Headers[name]})
	}
	return c, nil
}

// connector takes a name, or a token that describes an API.
func (s *Set) connector(c *wasmhost.Call) error {
	v, err := c.Value(0)
	if err != nil {
		return err
	}
	name, ok := v.(string)
	if !ok {
		return wasmhost.Mistaken(errors.New("a connector is named by text"))
	}
	found := s.connectors[strings.TrimSpace(name)]
	if found == nil {
		if found, err = s.fromToken(name); err != nil {
			return err
		}
	}
	number, err := c.Keep(found)
	if err != nil {
		return err
	}
	return c.Return(number)
}

// fromToken reads a token: a description in JSON, in base64. Only an API can be
// described by a script: its requests pass the same wall as any others.
func (s *Set) fromToken(token string) (*connector, error) {
	token = strings.TrimRight(strings.TrimSpace(token), "=")
	content, err := base64.RawStdEncoding.DecodeString(token)
	if err != nil {
		content, err = base64.RawURLEncoding.DecodeString(token)
	}
	var d Connector
	if err != nil || decodeStrictly(content, &d) != nil {
		return nil, wasmhost.Mistaken(errors.New("there is no connector of this name, and it is no token that describes one"))
	}
	if !s.config.AllowTokens {
		return nil, wasmhost.Refused(errors.New("connectors described by a token are not allowed here"))
	}
	if d.Type != "api" || d.URLFile != "" || d.File != "" {
		return nil, wasmhost.Refused(errors.New("a token can describe a connector of type api only"))
	}
	found, err := newAPI(d)
	if err != nil {
		return nil, wasmhost.Mistaken(err)
	}
	return found, nil
}

// connectorCall takes a connector, the name of a method and its arguments.
func (s *Set) connectorCall(c *wasmhost.Call) error {
	v, err := c.Value(0)
	if err != nil {
		return err
	}
	method, err := c.Value(1)
	if err != nil {
		return err
	}
	number, ok := v.(wasmhost.Connector)
	if !ok {
		return wasmhost.Mistaken(fmt.Errorf("only a connector has the method %s", wasmhost.TextOf(method)))
	}
	kept, _ := c.Kept(number)
	found, ok := kept.(*connector)
	if !ok {
		return wasmhost.Mistaken(errors.New("the connector is not of this execution"))
	}
	switch {
	case method == "query" && found.data != nil:
		return s.connectorQuery(c, found)
	case method == "get" && found.base != nil:
		return s.connectorGet(c, found)
	case method == "post" && found.base != nil:
		return s.connectorPost(c, found)
	case found.base != nil:
		return wasmhost.Mistaken(errors.New("a connector to an API has the methods get and post"))
	}
	return wasmhost.Mistaken(errors.New("a connector to a database has the method query"))
}

// connectorQuery takes SQL and, if it has placeholders, their values.
func (s *Set) connectorQuery(c *wasmhost.Call, found *connector) error {
	sql, err := statementOf(c, 2)
	if err != nil {
		return err
	}
	if c.Given(3) {
		values, err := c.Value(3)
		if err != nil {
			return err
		}
		if sql.Parts, err = fillPlaceholders(sql.Parts, values); err != nil {
			return wasmhost.Mistaken(err)
		}
	}
	answer, err := s.statement(c, found.data, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (*datasource.Result, error) {
		return d.Exec(ctx, sql, limits)
	})
	if err != nil {
		return err
	}
	return c.Return(answer)
}

// connectorGet takes a path, query and headers.
func (s *Set) connectorGet(c *wasmhost.Call, found *connector) error {
	request, err := found.request(c, http.MethodGet, 3)
	if err != nil {
		return err
	}
	return s.get(c, request)
}

// connectorPost takes a path, a body, query and headers.
func (s *Set) connectorPost(c *wasmhost.Call, found *connector) error {
	request, err := found.request(c, http.MethodPost, 4)
	if err != nil {
		return err
	}
	body, err := c.Value(3)
	if err != nil {
		return err
	}
	if request.Body, request.ContentType, err = encodeBody(body); err != nil {
		return err
	}
	return s.post(c, request)
}

// request makes one to a path of the API. The connector's own headers win.
func (found *connector) request(c *wasmhost.Call, method string, query int) (egress.Request, error) {
	path, err := c.Value(2)
	if err != nil {
		return egress.Request{}, err
	}
	target, err := found.target(path)
	if err != nil {
		return egress.Request{}, wasmhost.Mistaken(err)
	}
	request, err := completeRequest(c, egress.Request{Method: method, URL: target}, query)
	request.Header = append(request.Header, found.headers...)
	return request, err
}

// target is the URL of a path, which cannot lead out of the API's own.
func (found *connector) target(path any) (string, error) {
	text, ok := path.(string)
	if !ok {
		return "", errors.New("the path must be text")
	}
	relative, err := url.Parse(text)
	if err != nil || relative.IsAbs() || relative.Host != "" || relative.Opaque != "" || strings.HasPrefix(text, "//") {
		return "", errors.New("the path is none of this connector")
	}
	if slices.Contains(strings.Split(relative.Path, "/"), "..") {
		return "", errors.New("the path must have no segment that leads upwards")
	}
	target := found.base.JoinPath(relative.EscapedPath())
	target.RawQuery = strings.Trim(found.base.RawQuery+"&"+relative.RawQuery, "&")
	return target.String(), nil
}

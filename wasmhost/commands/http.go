package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/egress"
	"github.com/avapd/avapd/wasmhost"
)

// httpGet takes url, query and headers.
func (s *Set) httpGet(c *wasmhost.Call) error {
	request, err := newRequest(c, http.MethodGet)
	if err != nil {
		return err
	}
	return s.get(c, request)
}

// httpPost takes url, query, headers, the body, and the body as the list or
// dict that it may be.
func (s *Set) httpPost(c *wasmhost.Call) error {
	request, err := newRequest(c, http.MethodPost)
	if err != nil {
		return err
	}
	if request.Body, request.ContentType, err = requestBody(c, 3, 4); err != nil {
		return err
	}
	return s.post(c, request)
}

// get sends a request; everything that is no success is an error.
func (s *Set) get(c *wasmhost.Call, request egress.Request) error {
	response, err := s.exchange(c, request)
	if err != nil {
		return httpError(err)
	}
	if err := response.StatusError(); err != nil {
		return err
	}
	return respond(c, response)
}

// post sends a request; any answer is a result, and so is the lack of one.
func (s *Set) post(c *wasmhost.Call, request egress.Request) error {
	response, err := s.exchange(c, request)
	if err != nil {
		return c.Return(failureObject(err))
	}
	return respond(c, response)
}

// failureObject is how commands store an error that they do not raise.
func failureObject(err error) wasmhost.Object {
	return wasmhost.Object{{Name: "error", Value: err.Error()}}
}

// httpError sorts an error of a request.
func httpError(err error) error {
	if failure, ok := errors.AsType[*egress.Error](err); ok {
		switch failure.Kind {
		case egress.KindRefused:
			return wasmhost.Refused(err)
		case egress.KindInvalid:
			return wasmhost.Mistaken(err)
		}
	}
	return err
}

// newRequest reads url, query and headers.
func newRequest(c *wasmhost.Call, method string) (egress.Request, error) {
	target, err := c.Value(0)
	if err != nil {
		return egress.Request{}, err
	}
	text, ok := target.(string)
	if !ok {
		return egress.Request{}, wasmhost.Mistaken(errors.New("the URL must be text"))
	}
	return completeRequest(c, egress.Request{Method: method, URL: strings.TrimSpace(text)}, 1)
}

// completeRequest reads query and headers, which stand at argument i.
func completeRequest(c *wasmhost.Call, request egress.Request, i int) (egress.Request, error) {
	query, err := c.Value(i)
	if err != nil {
		return request, err
	}
	headers, err := c.Value(i + 1)
	if err != nil {
		return request, err
	}
	return request, fillRequest(&request, query, headers)
}

func fillRequest(request *egress.Request, query, headers any) error {
	var err error
	if request.Query, err = queryPairs(query); err != nil {
		return err
	}
	request.Header, err = headerPairs(headers)
	return err
}

// queryPairs takes a dict, or text as it stands in a URL. Null leaves a name
// out, a list repeats it.
func queryPairs(v any) ([]egress.Pair, error) {
	if text, ok := v.(string); ok {
		return textPairs(text)
	}
	object, err := dictOf(v, "the query")
	if err != nil {
		return nil, err
	}
	var pairs []egress.Pair
	for _, m := range object {
		values, isList := m.Value.([]any)
		if !isList {
			values = []any{m.Value}
		}
		for _, value := range values {
			if value != nil {
				pairs = append(pairs, egress.Pair{Name: m.Name, Value: wasmhost.TextOf(value)})
			}
		}
	}
	return pairs, nil
}

func textPairs(query string) ([]egress.Pair, error) {
	var pairs []egress.Pair
	for item := range strings.SplitSeq(strings.TrimPrefix(strings.TrimSpace(query), "?"), "&") {
		if item == "" {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, wasmhost.Mistaken(errors.New("the query is neither a dict nor a query as in a URL"))
		}
		pairs = append(pairs, egress.Pair{Name: name, Value: value})
	}
	return pairs, nil
}

func headerPairs(v any) ([]egress.Pair, error) {
	object, err := dictOf(v, "the headers")
	if err != nil {
		return nil, err
	}
	var pairs []egress.Pair
	for _, m := range object {
		if m.Value != nil {
			pairs = append(pairs, egress.Pair{Name: m.Name, Value: wasmhost.TextOf(m.Value)})
		}
	}
	return pairs, nil
}

// dictOf takes a dict; what was not given and blank text are an empty one.
func dictOf(v any, what string) (wasmhost.Object, error) {
	switch v := v.(type) {
	case nil, wasmhost.Missing:
		return nil, nil
	case wasmhost.Object:
		return v, nil
	case string:
		if strings.TrimSpace(v) == "" {
			return nil, nil
		}
	}
	return nil, wasmhost.Mistaken(fmt.Errorf("%s must be a dict", what))
}

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
)

// requestBody encodes a body: lists and dicts as JSON, JSON text as it is, text
// that holds a dict in the language's own form as JSON, other text raw. The
// body stands at argument i, and at parsed what it holds.
func requestBody(c *wasmhost.Call, i, parsed int) (body []byte, contentType string, err error) {
	v, err := c.Value(i)
	if err != nil {
		return nil, "", err
	}
	text, isText := v.(string)
	if isText && isDocument(text) {
		if json.Valid([]byte(text)) {
			return []byte(text), typeJSON, nil
		}
		if v, err = c.Value(parsed); err != nil {
			return nil, "", err
		}
	}
	return encodeBody(v)
}

func encodeBody(v any) (body []byte, contentType string, err error) {
	switch v := v.(type) {
	case nil, wasmhost.Missing:
		return nil, "", nil
	case wasmhost.Object, []any:
		return wasmhost.AppendJSON(nil, v), typeJSON, nil
	case string:
		if v == "" {
			return nil, "", nil
		}
	}
	return []byte(wasmhost.TextOf(v)), typeText, nil
}

// isDocument reports whether text looks like a list or a dict.
func isDocument(text string) bool {
	text = strings.TrimSpace(text)
	return text != "" && (text[0] == '{' || text[0] == '[')
}

// exchange sends a request and charges for what came back.
func (s *Set) exchange(c *wasmhost.Call, request egress.Request) (response *egress.Response, err error) {
	c.ChargeBytes(int64(len(request.Body)))
	request.Client = c.Client()
	request.MaxResponseBytes = max(1, c.MemoryLeft())
	c.Blocking(func(ctx context.Context) { response, err = s.client.Do(ctx, request) })
	var failure *egress.Error
	switch {
	case err == nil:
		c.ChargeBytes(response.BytesRead)
	case errors.As(err, &failure):
		c.ChargeBytes(failure.BytesRead)
		s.warn(c, "request of a script failed", "error", err.Error(), "cause", fmt.Sprint(failure.Unwrap()))
	}
	return response, err
}

// respond stores an answer: JSON parsed, everything else as text.
func respond(c *wasmhost.Call, response *egress.Response) error {
	mediaType, parameters, err := mime.ParseMediaType(response.ContentType)
	if err != nil {
		mediaType, _, _ = strings.Cut(response.ContentType, ";")
		mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	}
	if isJSON(mediaType) && c.Return(wasmhost.JSON(response.Body)) == nil {
		return nil
	}
	return c.Return(decodeText(response.Body, parameters["charset"]))
}

func isJSON(mediaType string) bool {
	return mediaType == typeJSON || mediaType == "text/json" || strings.HasSuffix(mediaType, "+json")
}

// decodeText makes text of a body. What says to be Latin-1, and what says
// nothing and is not UTF-8, counts as Latin-1.
func decodeText(body []byte, charset string) string {
	switch strings.ToLower(charset) {
	case "iso-8859-1", "iso8859-1", "latin-1", "latin1", "l1":
		return latin1(body)
	case "":
		if !utf8.Valid(body) {
			return latin1(body)
		}
	}
	return strings.TrimPrefix(string(body), "\uFEFF")
}

func latin1(body []byte) string {
	var text strings.Builder
	text.Grow(len(body) + len(body)/8)
	for _, b := range body {
		text.WriteRune(rune(b))
	}
	return text.String()
}

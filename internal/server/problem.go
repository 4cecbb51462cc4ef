package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/store"
)

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// problem is an answer that is no success. As an error it travels from where
// the trouble is found to observe, which writes it.
type problem struct {
	status int
	code   diag.Code
	// message is for people and for scripts' callers, who match on it.
	message string
	// suggestion says what to write instead, if that is known.
	suggestion string
	// next is the next step, where that of the code does not fit.
	next        string
	line        int
	column      int
	stack       []frame
	diagnostics diag.List
	usage       *api.Usage
	// cause is what only the log may say.
	cause error
	// current is what a command is that was not changed as somebody wanted.
	current *api.Command
	// retryAfterS is the value of a Retry-After header, in seconds.
	retryAfterS int
}

// frame is one level of a script's call stack.
type frame struct {
	Function string `json:"function,omitempty"` // none: the top level
	File     string `json:"file,omitempty"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
}

func (p *problem) Error() string { return p.message }

func (p *problem) Unwrap() error { return p.cause }

// codeOf is the problem's code, or none without a problem.
func (p *problem) codeOf() diag.Code {
	if p == nil {
		return ""
	}
	return p.code
}

// changedNothing tells of the problem of a change whether that came before there
// was any: nothing has run, and what has to be known or made first is not there.
func (p *problem) changedNothing(n *note) bool {
	switch p.code {
	case diag.NoCapacity, diag.TooManyRequests:
		return n.used == (diag.Usage{})
	case diag.StoreUnavailable:
		return errors.Is(p, store.ErrUnavailable) && !errors.Is(p, store.ErrUncertain)
	}
	return false
}

func newProblem(status int, code diag.Code, format string, args ...any) *problem {
	return &problem{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// document is the wire form; the order of its members is part of the contract.
type document struct {
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Status      int        `json:"status"`
	Detail      string     `json:"detail"`
	Instance    string     `json:"instance"`
	Success     bool       `json:"success"`
	Error       string     `json:"error"`
	Code        diag.Code  `json:"code"`
	Suggestion  string     `json:"suggestion,omitempty"`
	NextStep    string     `json:"next_step"`
	Line        int        `json:"line,omitempty"`
	Column      int        `json:"column,omitempty"`
	Stack       []frame    `json:"stack,omitempty"`
	Diagnostics diag.List  `json:"diagnostics,omitempty"`
	Usage       *api.Usage `json:"usage,omitempty"`

	Current *api.Command `json:"current,omitempty"`
}

// document words the problem for the request with the given identifier.
func (p *problem) document(id string) document {
	entry, _ := diag.Lookup(p.code)
	detail := p.message
	if p.line > 0 {
		detail = fmt.Sprintf("%s (line %d, column %d)", p.message, p.line, p.column)
	}
	return document{
		Type: "urn:avap:problem:" + string(p.code), Title: entry.Title, Status: p.status,
		Detail: detail, Instance: id, Error: p.message, Code: p.code,
		Suggestion: p.suggestion, NextStep: cmp.Or(p.next, entry.Next), Line: p.line, Column: p.column,
		Stack: p.stack, Diagnostics: p.diagnostics, Usage: p.usage, Current: p.current,
	}
}

// write makes the problem the answer.
func (p *problem) write(c *fiber.Ctx, id string) {
	body := p.encode(id)
	if p.retryAfterS > 0 {
		c.Response().Header.Set(fiber.HeaderRetryAfter, fmt.Sprint(p.retryAfterS))
	}
	c.Response().Header.SetContentType(problemType)
	c.Response().SetStatusCode(p.status)
	c.Response().SetBodyRaw(body)
}

// encode writes the document.
func (p *problem) encode(id string) []byte {
	body, err := encodeJSON(p.document(id))
	if err != nil {
		// Every member is plain data; only a defect gets here.
		body = []byte(`{"title":"Internal error","status":500,"success":false}`)
		p.status = http.StatusInternalServerError
	}
	return body
}

// encodeJSON writes plain data as JSON, with <, > and & as they are: no document
// of this server is ever read as HTML.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// sendJSON makes plain data the answer.
func sendJSON(c *fiber.Ctx, v any) error {
	body, err := encodeJSON(v)
	if err != nil {
		return err
	}
	c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(body)
	return nil
}

// asProblem turns what a handler, Fiber or fasthttp returned into a problem.
func (s *Server) asProblem(c *fiber.Ctx, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	f, ok := errors.AsType[*fiber.Error](err)
	if !ok {
		return internalProblem(err)
	}
	switch f.Code {
	case http.StatusNotFound:
		p := newProblem(f.Code, diag.NoSuchRoute, "there is no %s", printable(c.Path()))
		admin := c.App() == s.admin
		if hint := diag.Suggest(strings.Clone(c.Path()), s.paths(admin)); hint != "" {
			p.suggestion = "did you mean " + hint + "?"
		}
		if admin {
			p.next = "Ask for one of " + strings.Join(s.paths(admin), ", ") + "; the API has an address of its own, which is listen."
		}
		return p
	case http.StatusMethodNotAllowed:
		allow := string(c.Response().Header.Peek(fiber.HeaderAllow))
		return newProblem(f.Code, diag.WrongMethod, "%s does not answer %s; allowed: %s", printable(c.Path()), c.Method(), allow)
	case http.StatusRequestEntityTooLarge:
		if p := s.strangersProblem(c); p != nil {
			return p
		}
		return newProblem(f.Code, diag.RequestTooLarge, "the body is larger than the limit of %d bytes", s.bodyLimitOf(c.Request().Header.Method(), c.Request().Header.RequestURI()))
	case http.StatusRequestHeaderFieldsTooLarge:
		return newProblem(f.Code, diag.HeadersTooLarge, "request line and headers are larger than the limit of %d bytes", c.App().Config().ReadBufferSize)
	case http.StatusRequestTimeout:
		return newProblem(f.Code, diag.SlowRequest, "the request did not arrive within %s", c.App().Config().ReadTimeout)
	case http.StatusBadGateway:
		// Fiber's word for a connection that broke; nobody reads the answer.
		return newProblem(http.StatusBadRequest, diag.BadRequest, "the connection broke")
	}
	if f.Code >= http.StatusInternalServerError {
		return internalProblem(err)
	}
	p := newProblem(f.Code, diag.BadRequest, "the request is not well-formed HTTP")
	p.cause = err
	return p
}

// internalProblem hides the cause from the caller; the log has it.
func internalProblem(cause error) *problem {
	p := newProblem(http.StatusInternalServerError, diag.Internal, "internal error")
	p.cause = cause
	return p
}

// printable shortens text from a request for a message, and makes sure that it
// is one line of clean text.
func printable(text string) string {
	const most = 200
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(clean); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return clean
}

package server

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/engine"
)

// endpoint answers the paths of apps. It comes behind all other routes, and
// leaves what no app knows to Fiber.
func (s *Server) endpoint(c *fiber.Ctx) error {
	path := string(c.Context().URI().PathOriginal())
	match, allowed, ok := s.apps.Match(c.Method(), path)
	switch {
	case ok:
		defer match.Release()
		if err := s.permit(c, auth.Execute); err != nil {
			return err
		}
		if err := permitName(c, ""); err != nil {
			return err
		}
		note := noteOf(c)
		note.app, note.route = match.App, match.Path
		if err := s.rateRoute(c, classExecute); err != nil {
			return err
		}
		if !isWrite(c.Method()) || len(c.Request().Header.PeekAll(headerIdempotencyKey)) == 0 {
			return s.answerEndpoint(c, &match)
		}
		again := match // which may be on the heap, other than that of most requests
		return s.answerOnce(c, &route{computes: true, handle: func(s *Server, c *fiber.Ctx) error { return s.answerEndpoint(c, &again) }})
	case len(allowed) > 0:
		c.Response().Header.Set(fiber.HeaderAllow, strings.Join(allowed, ", "))
		return fiber.ErrMethodNotAllowed
	}
	return c.Next()
}

// isWrite tells whether a method is for changes. What only reads may be asked for
// again without a key.
func isWrite(method string) bool {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

func (s *Server) answerEndpoint(c *fiber.Ctx, match *apps.Match) error {
	body, form, release, err := s.endpointBody(c)
	if err != nil {
		return err
	}
	defer release()
	query, err := queryPairs(c)
	if err != nil {
		return err
	}
	n := noteOf(c)
	r := n.ask(engine.Request{
		Client: clientOf(c), Path: match.Parameters, Query: query, Body: body, Form: form,
	})
	return s.answer(c, s.patience(engine.Limits{}), func(ctx context.Context) (*engine.Answer, error) {
		return match.Script.Endpoint(ctx, match.Index, r)
	})
}

// endpointBody reads the parameters that a body holds: the members of a JSON
// object, or the fields of a form. They live until release is called.
func (s *Server) endpointBody(c *fiber.Ctx) (body []byte, form []engine.Pair, release func(), err error) {
	body, release, err = readBody(c)
	if err == nil {
		s.noteInput(noteOf(c), c.Context().QueryArgs().QueryString(), body)
	}
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return nil, nil, release, err
	}
	kind, boundary, err := contentKind(contentType(c), body)
	switch {
	case err != nil:
	case kind == bodyJSON:
		err = checkComplexity(body, s.settings.Load())
	default:
		form, err = formPairs(kind, boundary, body)
		body = nil
	}
	if err != nil {
		release()
		return nil, nil, nil, err
	}
	return body, form, release, nil
}

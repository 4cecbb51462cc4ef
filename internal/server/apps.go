package server

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// appDocument is an app as the API shows it.
type appDocument struct {
	Name   string `json:"name"`
	Digest string `json:"digest,omitempty"`
	// Stored apps can be replaced and deleted, others belong to the command line.
	Stored      bool            `json:"stored"`
	Routes      []routeDocument `json:"routes"`
	Error       string          `json:"error,omitempty"`
	Diagnostics diag.List       `json:"diagnostics,omitempty"`
}

type routeDocument struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	Description string `json:"description"`
}

func documentOf(a apps.App) appDocument {
	d := appDocument{Name: a.Name, Digest: a.Digest, Stored: !a.Fixed, Routes: []routeDocument{}}
	for _, r := range a.Routes {
		d.Routes = append(d.Routes, routeDocument{r.Method, r.Path, r.Description})
	}
	if a.Err != nil {
		d.Error = a.Err.Error()
		if list, ok := errors.AsType[diag.List](a.Err); ok {
			d.Diagnostics = list
		}
	}
	return d
}

// appList is the answer of listApps.
type appList struct {
	Apps []appDocument `json:"apps"`
}

// listApps answers GET /api/v1/apps.
func (s *Server) listApps(c *fiber.Ctx) error {
	list := appList{Apps: []appDocument{}}
	for _, a := range s.apps.List() {
		list.Apps = append(list.Apps, documentOf(a))
	}
	return sendJSON(c, list)
}

// getApp answers GET /api/v1/apps/{name}.
func (s *Server) getApp(c *fiber.Ctx) error {
	a, err := s.apps.Get(c.Params("name"))
	if err != nil {
		return s.appProblem(c, err)
	}
	return sendJSON(c, documentOf(a))
}

// putApp answers PUT /api/v1/apps/{name}.
func (s *Server) putApp(c *fiber.Ctx) error {
	name := strings.Clone(c.Params("name"))
	if !apps.IsName(name) {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "%q is no name for an app, which has %s", printable(name), apps.NameRule)
	}
	source, err := s.scriptBody(c)
	if err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	a, replaced, findings, err := s.apps.Put(ctx, clientOf(c), name, source)
	if err != nil {
		return s.appProblem(c, err)
	}
	noteOf(c).app = name
	if !replaced {
		c.Status(http.StatusCreated)
	}
	d := documentOf(a)
	d.Diagnostics = findings
	return sendJSON(c, d)
}

// deleteApp answers DELETE /api/v1/apps/{name}.
func (s *Server) deleteApp(c *fiber.Ctx) error {
	name := strings.Clone(c.Params("name"))
	if err := s.apps.Delete(name); err != nil {
		return s.appProblem(c, err)
	}
	noteOf(c).app = name
	c.Response().Header.SetNoDefaultContentType(true)
	return c.SendStatus(http.StatusNoContent)
}

// scriptBody reads a script to be stored. It comes as plain text, or as the
// script member of a JSON object. What names no type, or the one that curl
// names for its user, is JSON if it begins with a brace, which no script does.
func (s *Server) scriptBody(c *fiber.Ctx) (string, error) {
	body, release, err := readBody(c)
	if err != nil {
		return "", err
	}
	defer release()
	media, _, err := mediaType(contentType(c))
	if err != nil {
		return "", err
	}
	in := s.newCall()
	in.hasScript = true
	switch {
	case media == fiber.MIMEApplicationJSON, strings.HasSuffix(media, "+json"):
		in.hasScript = false
		err = s.decodeJSON(body, &in)
	case media == fiber.MIMETextPlain:
		in.script = string(body)
	case media == "", media == fiber.MIMEApplicationForm, media == fiber.MIMEOctetStream:
		if first := bytes.TrimLeft(body, " \t\r\n"); len(first) > 0 && first[0] == '{' {
			in.hasScript = false
			err = s.decodeJSON(body, &in)
		} else {
			in.script = string(body)
		}
	default:
		err = newProblem(http.StatusUnsupportedMediaType, diag.BadBodyType, "the content type %q is not supported; send the script as text/plain", printable(media))
	}
	if err == nil {
		err = checkScript(&in)
	}
	return in.script, err
}

// appProblem words why an app is not there or not changed.
func (s *Server) appProblem(c *fiber.Ctx, err error) error {
	_, isConflict := errors.AsType[*apps.ConflictError](err)
	_, isList := errors.AsType[diag.List](err)
	_, isFailure := errors.AsType[*diag.Failure](err)
	switch {
	case errors.Is(err, apps.ErrUnknown):
		p := newProblem(http.StatusNotFound, diag.NoSuchApp, "there is no app %s", printable(c.Params("name")))
		var names []string
		for _, a := range s.apps.List() {
			names = append(names, a.Name)
		}
		p.suggestion = diag.DidYouMean(strings.Clone(c.Params("name")), names)
		return p
	case isConflict, errors.Is(err, apps.ErrFixed), errors.Is(err, apps.ErrTooMany), errors.Is(err, engine.ErrKept):
		return newProblem(http.StatusConflict, diag.Conflict, "%s", err.Error())
	case isList, isFailure:
		return runProblem(noteOf(c), err)
	}
	return internalProblem(err)
}

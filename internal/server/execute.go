package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/signature"
)

// decodeCall reads a request to execute or check a script. The call's slices,
// and body, live until release is called.
func (s *Server) decodeCall(c *fiber.Ctx) (in call, body []byte, form []engine.Pair, release func(), err error) {
	in, body, form, release, err = s.decodeInput(c, false)
	if err != nil {
		return in, nil, nil, nil, err
	}
	if err = checkScript(&in); err != nil {
		release()
		return in, nil, nil, nil, err
	}
	return in, body, form, release, nil
}

// decodeInput reads a request to execute something, which the path may name.
func (s *Server) decodeInput(c *fiber.Ctx, named bool) (in call, body []byte, form []engine.Pair, release func(), err error) {
	in = s.newCall()
	in.echo, in.named = true, named
	body, release, err = readBody(c)
	if err != nil {
		return in, nil, nil, nil, err
	}
	s.noteInput(noteOf(c), c.Context().QueryArgs().QueryString(), body)
	kind, boundary, err := contentKind(contentType(c), body)
	switch {
	case err != nil:
	case len(body) == 0 && kind != bodyMultipart:
		in.hint, body = messageEmptyBody, nil
	case kind == bodyJSON:
		if err = checkComplexity(body, in.config); err == nil {
			err = s.decodeJSON(body, &in)
		}
	default:
		in.hint = messageNoField
		var fields []engine.Pair
		if fields, err = formPairs(kind, boundary, body); err == nil {
			form, err = s.decodeForm(fields, &in)
		}
		body = nil
	}
	if err != nil {
		release()
		return in, nil, nil, nil, err
	}
	return in, body, form, release, nil
}

// messageNoField tells what a form lacks that was meant as one, and what else may
// have been meant.
const messageNoField = "the content type of the body is that of a form, and the form has no field script; send JSON with Content-Type: application/json"

func checkScript(in *call) error {
	switch {
	case !in.hasScript:
		p := newProblem(http.StatusBadRequest, diag.MissingScript, "%s", messageNoScript)
		p.suggestion = in.hint
		return p
	case in.script == "":
		return newProblem(http.StatusBadRequest, diag.EmptyScript, "%s", messageNoScript)
	case isPrivateKey(in.script):
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "this is a private key, not a script; nothing of it was kept")
	case int64(len(in.script)) > in.config.SourceLimitBytes:
		return newProblem(http.StatusRequestEntityTooLarge, diag.SourceTooLarge, "the script has %d bytes; the limit is %d", len(in.script), in.config.SourceLimitBytes)
	}
	return nil
}

// isPrivateKey recognises private keys that were sent by mistake. What no key
// is like is told without a copy, as nearly all scripts are.
func isPrivateKey(script string) bool {
	like := len(script) == signature.RawPrivateKeyBytes || script[0] == '0' || strings.Contains(script, "PRIVATE KEY") || strings.Contains(script, "PuTTY-")
	return like && signature.IsPrivateKey([]byte(script))
}

// execute answers POST /api/v1/execute.
func (s *Server) execute(c *fiber.Ctx) error {
	if err := permitName(c, ""); err != nil {
		return err
	}
	in, body, form, release, err := s.decodeCall(c)
	if err != nil {
		return err
	}
	defer release()
	query, err := queryPairs(c)
	if err != nil {
		return err
	}

	n := noteOf(c)
	n.source = in.script
	r := n.ask(in.request(clientOf(c)))
	r.Body, r.Query, r.Form = body, query, form
	return s.answer(c, s.patience(r.Limits), func(ctx context.Context) (*engine.Answer, error) { return s.engine.Run(ctx, r) })
}

// answer runs something for the client, as long as the client is there, and
// sends what comes of it. It waits for a place no longer than there is patience.
func (s *Server) answer(c *fiber.Ctx, patience time.Duration, run func(context.Context) (*engine.Answer, error)) error {
	note := noteOf(c)
	ctx := &runContext{span: note.span}
	s.executions.begin(ctx, note, clientOf(c), c.Context().Conn())
	id := note.execution.text()
	c.Response().Header.SetCanonical(keyExecution, id[:])
	answer, err := s.perform(ctx, note, patience, run)
	if err != nil {
		return err
	}
	sendAnswer(c, answer)
	return nil
}

// perform runs an execution that has begun, and keeps what became of it. Its
// error is a problem.
func (s *Server) perform(ctx *runContext, n *note, patience time.Duration, run func(context.Context) (*engine.Answer, error)) (answer *engine.Answer, err error) {
	status, code := http.StatusInternalServerError, diag.Internal // of what ends by a panic
	defer func() {
		script := s.executions.end(n, status, code)
		if failed := s.record(ctx, n, script, status, code); failed != nil {
			answer, err = nil, failed
		}
		if ctx.admitted {
			s.metrics.Execution(code, n.used, n.names(ctx.over))
		}
	}()
	if answer, err = s.admitted(ctx, n, patience, run); err != nil {
		p := runProblem(n, err)
		status, code = p.status, p.code
		return nil, p
	}
	status, code = answer.Status, ""
	return answer, nil
}

// sendAnswer makes the answer of an execution that of the request.
func sendAnswer(c *fiber.Ctx, answer *engine.Answer) {
	response := c.Response()
	response.SetStatusCode(answer.Status)
	if !hasBody(answer.Status) {
		response.Header.SetNoDefaultContentType(true)
		return
	}
	response.Header.SetContentType(fiber.MIMEApplicationJSON)
	// The bytes are the note's until they are sent: fasthttp does so without a copy.
	response.SetBodyRaw(answer.JSON)
}

// hasBody tells whether answers of a status have a body.
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// watch gives a context that ends when the client goes. The caller removes it
// from the watcher.
func (s *Server) watch(c *fiber.Ctx) *runContext {
	n := noteOf(c)
	n.watched = watched{}
	ctx := &runContext{watched: &n.watched, span: n.span}
	s.watcher.add(ctx.watched, c.Context().Conn(), ctx)
	return ctx
}

// checkAnswer is the answer of check.
type checkAnswer struct {
	Success     bool      `json:"success"`
	Diagnostics diag.List `json:"diagnostics"`
}

// callable are the names of the commands that a script could call here, as far as
// who asks may know them.
func (s *Server) callable(principal *auth.Principal) []string {
	if s.commands == nil || !principal.May(auth.ReadCommands) || !s.commands.Settled() {
		return nil
	}
	return s.commands.State().Names()
}

// check answers POST /api/v1/check: the findings about a script that is not
// run. A script with faults is a good question, so the status is 200.
func (s *Server) check(c *fiber.Ctx) error {
	in, _, _, release, err := s.decodeCall(c)
	if err != nil {
		return err
	}
	defer release()
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	client := clientOf(c)
	if err := s.gate.Enter(ctx, client, s.patience(engine.Limits{})); err != nil {
		return admissionProblem(ctx, err)
	}
	defer s.leave(client)
	findings, err := s.engine.Check(ctx, client, &engine.Source{Text: in.script, Registered: s.callable(noteOf(c).principal)})
	if err != nil {
		return runProblem(noteOf(c), err)
	}
	if findings == nil {
		findings = diag.List{}
	}
	return sendJSON(c, checkAnswer{Success: !findings.HasErrors(), Diagnostics: findings})
}

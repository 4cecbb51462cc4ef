package server

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/runtime/abi"
)

const (
	// actionExecute is the action of all executions.
	actionExecute = "execute"
	outcomeDone   = string(telemetry.OK)
	// findTime bounds the look for an execution that is no longer in memory, and
	// findSpare is how much later than an execution can end its record may be: for
	// the wait for the audit log, and what came after the limits.
	findTime  = 5 * time.Second
	findSpare = time.Minute
)

// What audit.inputs can be.
const (
	inputsNone  = "none"
	inputsWhole = "whole"
)

// auditProblem says that the audit log does not take what has to be in it.
func auditProblem(err error, format string, args ...any) error {
	p := newProblem(http.StatusServiceUnavailable, diag.AuditUnavailable, format, args...)
	p.retryAfterS, p.cause = 1, err
	return p
}

// reserve makes room for the record of an execution that has its place; record
// has to follow.
func (s *Server) reserve(ctx *runContext) error {
	if s.audit == nil {
		return nil
	}
	if err := s.audit.Reserve(ctx); err != nil {
		if ctx.Err() != nil {
			return cancelledProblem(ctx, err)
		}
		return auditProblem(err, "the audit log has no room for the record of the execution, which did not begin")
	}
	return nil
}

// record writes an execution that has ended down. One that found no place, or no
// room for its record, did not begin and has none. What ended the execution does
// not end the wait for its record, which has an end of its own.
func (s *Server) record(ctx *runContext, n *note, script string, status int, code diag.Code) error {
	if s.audit == nil || !ctx.admitted {
		return nil
	}
	r := n.auditRecord(ctx.over, audit.Execution, actionExecute)
	r.Outcome, r.Status, r.Code = string(telemetry.OutcomeOf(code)), status, string(code)
	r.Digest = n.digest
	if r.Digest == (audit.Digest{}) {
		r.Digest = audit.ParseDigest(script)
	}
	r.Capabilities = n.capabilities
	r.Fuel, r.MemoryBytes = n.used.FuelUsed, int64(n.used.MemoryPages)*abi.PageBytes
	r.DurationUS = ctx.over.Sub(ctx.started).Microseconds()
	r.InputDigest, r.Input = n.inputDigest, n.input
	r.Detail = n.route
	if err := s.audit.Add(context.Background(), &r); err != nil {
		return auditProblem(err, "the execution has ended, and its record is not durable yet; its answer is withheld")
	}
	return nil
}

// auditRecord is what a request says of itself.
func (n *note) auditRecord(now time.Time, kind audit.Kind, action string) audit.Record {
	r := audit.Record{
		Time: now, Kind: kind, Address: n.address, RequestID: n.id, ExecutionID: audit.ID(n.execution),
		TraceID: audit.ParseID(n.span.TraceID()), Action: action, Target: n.target, Version: n.version,
	}
	if n.principal != nil {
		r.Principal = n.principal.ID
	}
	if r.Target == "" {
		r.Target = n.command + n.app // there is one of them at most
	}
	return r
}

// noteInput keeps what an execution gets, as audit.inputs says.
func (s *Server) noteInput(n *note, query, body []byte) {
	if s.audit == nil {
		return
	}
	inputs := s.settings.Load().Audit.Inputs
	if inputs == inputsNone {
		return
	}
	if len(query) == 0 {
		n.inputDigest = sha256.Sum256(body)
	} else {
		h := sha256.New()
		_, _ = h.Write(body)
		_, _ = h.Write([]byte{'?'})
		_, _ = h.Write(query)
		h.Sum(n.inputDigest[:0])
	}
	if inputs == inputsWhole {
		n.input = string(body[:min(len(body), audit.MaxInputBytes)])
	}
}

// addressOf is where a request comes from; none for what is not known.
func addressOf(c *fiber.Ctx) netip.Addr {
	if tcp, ok := c.Context().RemoteAddr().(*net.TCPAddr); ok {
		address, _ := netip.AddrFromSlice(tcp.IP)
		return address.Unmap()
	}
	return netip.Addr{}
}

// changing has a change in the audit log before it begins, and what came of it
// before that is told: where nothing can be written, nothing is changed.
func (s *Server) changing(c *fiber.Ctx, action string, do fiber.Handler) (err error) {
	n := noteOf(c)
	if s.audit == nil {
		return s.attempt(c, n, do)
	}
	n.target = pathTarget(c)
	begun := n.auditRecord(time.Now(), audit.Change, action)
	begun.Outcome = audit.Begun
	if err := s.audit.Append(context.Background(), begun); err != nil {
		return auditProblem(err, "the audit log cannot be written; nothing was changed")
	}
	status, code := http.StatusInternalServerError, diag.Internal // of what ends by a panic
	defer func() {
		done := n.auditRecord(time.Now(), audit.Change, action)
		done.Outcome, done.Status, done.Code = string(telemetry.OutcomeOf(code)), status, string(code)
		done.Digest, done.DurationUS = n.digest, time.Since(begun.Time).Microseconds()
		done.Detail = n.detail
		if failed := s.audit.Append(context.Background(), done); failed != nil {
			err = auditProblem(failed, "the change ended with status %d, and its end could not be written to the audit log, which has its beginning", status)
		}
	}()
	err = s.attempt(c, n, do)
	if status, code = c.Response().StatusCode(), ""; err != nil {
		p := s.asProblem(c, err)
		status, code = p.status, p.code
	}
	return err
}

// attempt makes a change, and notes whether that may have begun.
func (s *Server) attempt(c *fiber.Ctx, n *note, do fiber.Handler) error {
	n.begun = true
	err := do(c)
	if err != nil {
		n.begun = !s.asProblem(c, err).changedNothing(n)
	}
	return err
}

// pathTarget is what the path of a change names.
func pathTarget(c *fiber.Ctx) string {
	if name := nameOf(c); name != "" {
		return name
	}
	return strings.Clone(c.Params("id"))
}

// denied writes down that a request was refused for who asked.
func (s *Server) denied(c *fiber.Ctx, n *note, p *problem) {
	if s.audit == nil || p == nil || p.status != http.StatusUnauthorized && p.status != http.StatusForbidden {
		return
	}
	r := n.auditRecord(time.Now(), audit.Denied, c.Method()+" "+counted(c, n).Route)
	r.Outcome, r.Status, r.Code = string(telemetry.Refused), p.status, string(p.code)
	s.audit.Denied(&r)
}

func hasAudit(s *Server) bool { return s.audit != nil }

// auditRoutes are about the audit log.
func auditRoutes() []route {
	return ownedBy(hasAudit, []route{
		{
			method: http.MethodGet, path: pathAudit, summary: "List the records of the audit log, the newest first, or export them as lines, the oldest first", handle: (*Server).listAudit, scope: auth.ReadAudit,
			query: []queryParameter{
				{"from", "string", "Only records from this time on, as RFC 3339 has it"},
				{"until", "string", "Only records before this time"},
				{"node", "string", "Only records of this node"},
				{"kind", "string", "Only records of this kind: execution, change, start, stop, reload or denied"},
				{"principal", "string", "Only records about this principal"},
				{"action", "string", "Only records of this action, or of those below it: command is all that begin with command."},
				{"target", "string", "Only records about this command, name@version, app or signer"},
				{"outcome", "string", "Only records with this outcome"},
				{"request_id", "string", "Only records of this request"},
				{"execution_id", "string", "Only the record of this execution"},
				{"after", "string", "The member next of the page before"},
				{"limit", "integer", "How many a page has at most, 100 if nothing is said"},
			},
			answers: []answerSpec{{http.StatusOK, contents{fiber.MIMEApplicationJSON: "AuditPage", ndjson: "Object"}}},
		},
	})
}

// listAudit answers GET /api/v1/audit.
func (s *Server) listAudit(c *fiber.Ctx) error {
	f, err := auditFilter(c)
	if err != nil {
		return err
	}
	if wantsMedia(c, ndjson) {
		return s.exportAudit(c, f)
	}
	limit, err := pageLimit(c)
	if err != nil {
		return err
	}
	ctx := s.watch(c)
	defer s.watcher.remove(ctx.watched)
	page, err := s.audit.Page(ctx, f, strings.Clone(c.Query("after")), limit)
	switch {
	case errors.Is(err, audit.ErrCursor):
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "after is %q; it takes the member next of the page before", printable(c.Query("after")))
	case err != nil:
		return readProblem(err)
	}
	document := api.AuditPage{Records: make([]api.AuditRecord, len(page.Records)), Next: page.Next, Partial: page.Partial}
	for i := range page.Records {
		document.Records[i] = auditDocument(&page.Records[i])
	}
	return sendJSON(c, document)
}

func readProblem(err error) error {
	if errors.Is(err, audit.ErrDamaged) {
		return internalProblem(err)
	}
	return auditProblem(err, "the audit log cannot be read at the moment")
}

// auditFilter reads what is asked for.
func auditFilter(c *fiber.Ctx) (f audit.Filter, err error) {
	text := func(name string) string { return strings.Clone(c.Query(name)) }
	f = audit.Filter{
		Node: text("node"), Kind: audit.Kind(text("kind")), Principal: text("principal"), Action: text("action"),
		Target: text("target"), Outcome: text("outcome"), RequestID: text("request_id"),
	}
	for name, into := range map[string]*time.Time{"from": &f.From, "until": &f.Until} {
		if c.Query(name) == "" {
			continue
		}
		if *into, err = time.Parse(time.RFC3339, text(name)); err != nil || into.Year() < 1970 || into.Year() > 9999 {
			return f, newProblem(http.StatusBadRequest, diag.BadFieldValue, "%s is %q; it takes a time such as 2026-01-02T15:04:05Z", name, printable(text(name)))
		}
	}
	if f.Kind != "" && !f.Kind.IsKnown() {
		p := newProblem(http.StatusBadRequest, diag.BadFieldValue, "there are no records of the kind %q", printable(string(f.Kind)))
		p.suggestion = diag.DidYouMean(string(f.Kind), audit.KindNames())
		return f, p
	}
	if id := text("execution_id"); id != "" {
		parsed := parseExecutionID(id)
		if parsed == (executionID{}) {
			return f, newProblem(http.StatusBadRequest, diag.BadFieldValue, "execution_id is %q; it takes the identifier of an execution", printable(id))
		}
		f.ExecutionID, f.From = audit.ID(parsed), laterOf(f.From, parsed.time())
	}
	return f, nil
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// time is when the execution began.
func (id executionID) time() time.Time {
	var b [8]byte
	copy(b[8-executionTimeBytes:], id[:executionTimeBytes])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:])))
}

// exportAudit answers with lines, as they are read: what the client does not take
// is not read either.
func (s *Server) exportAudit(c *fiber.Ctx, f audit.Filter) error {
	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	stream := &exportStream{PipeReader: reader, cancel: cancel, conn: c.Context().Conn(), server: s}
	go func() {
		err := s.audit.Export(ctx, writer, f)
		if err != nil && ctx.Err() == nil {
			s.log.Error("an export of the audit log was cut off", "error", err.Error())
		}
		_ = writer.CloseWithError(err) // it never fails
	}()
	c.Response().Header.SetContentType(ndjson)
	c.Response().SetBodyStream(stream, -1)
	return nil
}

// exportStream is the body of an export.
type exportStream struct {
	*io.PipeReader

	cancel context.CancelFunc
	conn   net.Conn
	server *Server
}

// Read gives the next part. The time to take an answer counts for each anew.
func (r *exportStream) Read(p []byte) (int, error) {
	n, err := r.PipeReader.Read(p)
	if err == nil {
		err = r.conn.SetWriteDeadline(time.Now().Add(r.server.settings.Load().WriteTimeout()))
	}
	return n, err //nolint:wrapcheck // io.EOF has to stay what it is
}

// Close ends the export where the client has gone.
func (r *exportStream) Close() error {
	r.cancel()
	return r.PipeReader.Close() //nolint:wrapcheck // it never fails
}

func auditDocument(e *audit.Entry) api.AuditRecord {
	d := api.AuditRecord{
		Node: e.Node, Sequence: e.Sequence, Time: e.Time, Kind: string(e.Kind), Principal: e.Principal, RequestID: e.RequestID,
		ExecutionID: textOf(e.ExecutionID), TraceID: textOf(e.TraceID), Action: e.Action, Target: e.Target, Version: e.Version, Digest: textOf(e.Digest),
		Capabilities: e.Capabilities, Outcome: e.Outcome, Status: e.Status, Code: e.Code, Fuel: e.Fuel, MemoryBytes: e.MemoryBytes,
		DurationUS: e.DurationUS, InputDigest: textOf(e.InputDigest), Input: e.Input, Detail: e.Detail, Count: e.Count, Hash: textOf(e.Hash),
	}
	if e.Address.IsValid() {
		d.Address = e.Address.String()
	}
	return d
}

// textOf writes what has a text of its own.
func textOf(v interface{ MarshalText() ([]byte, error) }) string {
	text, _ := v.MarshalText() // none of them fails
	return string(text)
}

// findAudited tells what the audit log knows of an execution.
func (s *Server) findAudited(id executionID) (state api.ExecutionState, ok bool, err error) {
	if s.audit == nil || id == (executionID{}) {
		return state, false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), findTime)
	defer cancel()
	c := s.settings.Load()
	ended := id.time().Add(longestRequest(c) + time.Duration(c.Audit.WaitMS)*time.Millisecond + findSpare)
	e, ok, err := s.audit.Find(ctx, audit.ID(id), id.time(), ended)
	if err != nil || !ok {
		return state, false, err
	}
	state = api.ExecutionState{
		ID: id.String(), RequestID: e.RequestID, Client: fmt.Sprint(e.Address), Script: textOf(e.Digest), Started: id.time().UTC(), ElapsedMS: float64(e.DurationUS) / 1000,
		Status: e.Status, Code: e.Code, Usage: &api.Usage{Fuel: e.Fuel, MemoryBytes: e.MemoryBytes, TimeMS: float64(e.DurationUS) / 1000},
		State: stateOf(diag.Code(e.Code)), Route: e.Detail,
	}
	if e.Version > 0 {
		state.Command, state.Version = e.Target, e.Version
	} else {
		state.App = e.Target
	}
	return state, true, nil
}

package server

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
)

// executionID names an execution. Its first bytes are the time, so that the
// order of identifiers is that of beginnings; the others cannot be guessed, and
// who has an identifier may see what it stands for.
type executionID [16]byte

const (
	executionTimeBytes = 6
	// executionIDText is the length of an identifier in hexadecimal.
	executionIDText = 2 * len(executionID{})
)

func newExecutionID(now time.Time) (id executionID) {
	var time [8]byte
	binary.BigEndian.PutUint64(time[:], uint64(now.UnixMilli()))
	copy(id[:executionTimeBytes], time[8-executionTimeBytes:])
	_, _ = rand.Read(id[executionTimeBytes:]) // never fails
	return id
}

func (id executionID) text() (text [executionIDText]byte) {
	hex.Encode(text[:], id[:])
	return text
}

func (id executionID) String() string {
	text := id.text()
	return string(text[:])
}

// parseExecutionID reads an identifier; what is none is the identifier of
// nothing.
func parseExecutionID(text string) (id executionID) {
	if len(text) != executionIDText {
		return executionID{}
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return executionID{}
	}
	return id
}

// execution is what is known about one, while it runs and afterwards.
type execution struct {
	id                                    executionID
	request, client, command, script, app string
	route                                 string
	version                               int
	started                               time.Time
	// source is the text of a script that runs; its digest is made when somebody
	// asks.
	source string
	// stopping says that it was told to end.
	stopping bool

	// Of an execution that has ended:
	took   time.Duration
	status int
	code   diag.Code
	used   diag.Usage
}

// executions are those that run, and the last ones that ended. Every request comes
// by here twice, so there is no lock that all of them need: who runs is in one of
// the lists of the watcher, and who has ended in a place of its own.
type executions struct {
	watcher *watcher
	// ended is a ring, and next counts what came into it.
	ended []endedPlace
	next  atomic.Uint64
}

// cacheLine keeps what one core changes out of what another one has at hand.
type cacheLine [64]byte

// endedPlace has the last of the executions that came to it.
type endedPlace struct {
	mu     sync.Mutex
	number uint64 // that of the execution, from 1
	execution
}

func newExecutions(keep int, w *watcher) *executions {
	return &executions{watcher: w, ended: make([]endedPlace, keep)}
}

// begin makes ctx that of an execution, which must be ended. It is watched until then,
// with the client's connection if that has no other watcher.
func (t *executions) begin(ctx *runContext, n *note, client string, conn net.Conn) {
	now := time.Now()
	n.execution = newExecutionID(now)
	ctx.watched, ctx.id, ctx.request = &n.watched, n.execution, n.id
	n.watched = watched{execution: execution{
		id: n.execution, request: n.id, client: client, started: now, source: n.source,
		command: n.command, version: n.version, app: n.app, route: n.route,
	}}
	t.watcher.add(&n.watched, conn, ctx)
}

// end keeps what became of an execution, and tells the digest of its script.
func (t *executions) end(n *note, status int, code diag.Code) (script string) {
	e := n.watched.execution // only read by others
	if n.watched.over.IsZero() {
		n.watched.over = time.Now()
	}
	e.took, e.status, e.code, e.used = n.watched.over.Sub(e.started), status, code, n.used
	if e.script = n.script; e.script == "" {
		e.script = digestOf(e.source)
	}
	e.source = ""
	t.keep(&e) // before it is no longer among those that run: it can be found all the time
	t.watcher.remove(&n.watched)
	return e.script
}

// keep puts an execution that has ended in the place of the oldest one.
func (t *executions) keep(e *execution) {
	if len(t.ended) == 0 {
		return
	}
	number := t.next.Add(1)
	place := &t.ended[number%uint64(len(t.ended))]
	place.mu.Lock()
	defer place.mu.Unlock()
	if number > place.number { // or a whole round has overtaken it
		place.number, place.execution = number, *e
	}
}

// find gives what is known about an execution.
func (t *executions) find(id executionID) (state api.ExecutionState, ok bool) {
	if e := t.watcher.shard(id).find(id, nil); e != nil {
		return e.running(), true
	}
	for i := range t.ended {
		if e := t.ended[i].of(id); e != nil {
			return e.state(), true
		}
	}
	return state, false
}

// of gives the execution that has the place, if it is that one.
func (p *endedPlace) of(id executionID) *execution {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.number == 0 || p.id != id {
		return nil
	}
	return new(p.execution)
}

// stop cancels an execution and tells what it is, or gives nil if it does not run.
func (t *executions) stop(id executionID) *execution {
	return t.watcher.shard(id).find(id, errStopped)
}

// list gives executions that run, the oldest first, and whether there are more.
func (t *executions) list(after executionID, request string, limit int) (list []*execution, more bool) {
	for i := range t.watcher.shards {
		list = t.watcher.shards[i].appendTo(list, after, request)
	}
	slices.SortFunc(list, func(a, b *execution) int { return bytes.Compare(a.id[:], b.id[:]) })
	if len(list) > limit {
		return list[:limit], true
	}
	return list, false
}

// find tells about an execution that runs, and ends it if there is a cause.
func (s *watchShard) find(id executionID, cause error) *execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.head.next; e != &s.head; e = e.next {
		if e.id == id && id != (executionID{}) {
			if cause != nil {
				e.end(cause)
			}
			return e.seenNow()
		}
	}
	return nil
}

func (s *watchShard) appendTo(list []*execution, after executionID, request string) []*execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.head.next; e != &s.head; e = e.next {
		if bytes.Compare(e.id[:], after[:]) > 0 && (request == "" || e.request == request) {
			list = append(list, e.seenNow())
		}
	}
	return list
}

// seenNow is what is known about an execution that runs.
func (e *watched) seenNow() *execution {
	seen := e.execution
	seen.stopping = e.ended
	return &seen
}

// running describes an execution that runs.
func (e *execution) running() api.ExecutionState {
	e.took, e.script = time.Since(e.started), digestOf(e.source)
	s := e.document()
	s.State = api.Running
	if e.stopping {
		s.State = api.Stopping
	}
	return s
}

// state describes an execution that has ended.
func (e *execution) state() api.ExecutionState {
	s := e.document()
	s.Status, s.Code, s.Usage = e.status, string(e.code), usageDocument(e.used)
	s.State = stateOf(e.code)
	return s
}

// stateOf is the state of an execution that has ended with a code.
func stateOf(code diag.Code) string {
	switch code {
	case "":
		return api.Succeeded
	case diag.Cancelled:
		return api.Cancelled
	}
	return api.Failed
}

func (e *execution) document() api.ExecutionState {
	return api.ExecutionState{
		ID: e.id.String(), RequestID: e.request, Client: clientText(e.client), Script: e.script,
		Command: e.command, Version: e.version, App: e.app, Route: e.route,
		Started: e.started.UTC(), ElapsedMS: inMilliseconds(e.took),
	}
}

func digestOf(source string) string {
	if source == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:])
}

// clientText writes a client as clientOf tells it.
func clientText(client string) string {
	if len(client) == networkBytes && (client[0] < 'a' || client[0] > 'z') { // names begin with a small letter, and no network does
		var address [16]byte
		copy(address[:], client)
		return netip.PrefixFrom(netip.AddrFrom16(address), 8*networkBytes).String()
	}
	if address, ok := netip.AddrFromSlice([]byte(client)); ok {
		return address.String()
	}
	return printable(client)
}

// listExecutions answers GET /api/v1/executions.
func (s *Server) listExecutions(c *fiber.Ctx) error {
	limit, err := pageLimit(c)
	if err != nil {
		return err
	}
	after := parseExecutionID(c.Query("after"))
	if text := c.Query("after"); text != "" && after == (executionID{}) {
		return newProblem(http.StatusBadRequest, diag.BadFieldValue, "after is %q; it takes the identifier of an execution", printable(text))
	}
	list, more := s.executions.list(after, c.Query("request_id"), limit)
	page := api.Executions{Executions: make([]api.ExecutionState, len(list))}
	for i, e := range list {
		page.Executions[i] = e.running()
	}
	if more {
		page.Next = list[len(list)-1].id.String()
	}
	return sendJSON(c, page)
}

// getExecution answers GET /api/v1/executions/{id}: from memory, or else from the
// audit log.
func (s *Server) getExecution(c *fiber.Ctx) error {
	id := parseExecutionID(c.Params("id"))
	state, err := s.findExecution(c, id)
	if err != nil {
		return err
	}
	return sendJSON(c, state)
}

func (s *Server) findExecution(c *fiber.Ctx, id executionID) (state api.ExecutionState, err error) {
	state, ok := s.executions.find(id)
	if !ok {
		if state, ok, err = s.findAudited(id); err != nil {
			return state, readProblem(err)
		}
	}
	if !ok {
		return state, noExecution(c)
	}
	return state, nil
}

// stopExecution answers DELETE /api/v1/executions/{id}. Who waits for the
// execution is told that it was cancelled; until then it is still there.
func (s *Server) stopExecution(c *fiber.Ctx) error {
	id := parseExecutionID(c.Params("id"))
	noteOf(c).execution = id
	if e := s.executions.stop(id); e != nil {
		c.Status(http.StatusAccepted)
		return sendJSON(c, e.running())
	}
	state, err := s.findExecution(c, id)
	if err != nil {
		return err
	}
	return newProblem(http.StatusConflict, diag.ExecutionOver, "the execution %s has ended before, as %s", id, state.State)
}

func noExecution(c *fiber.Ctx) error {
	return newProblem(http.StatusNotFound, diag.NoSuchExecution, "there is no execution %s", printable(strings.Clone(c.Params("id"))))
}

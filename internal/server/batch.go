package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/admission"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/tracing"
)

// ndjson is the media type of answers that are lines of JSON.
const ndjson = "application/x-ndjson"

const (
	memberItems       = "items"
	memberParallelism = "parallelism"
)

// batch runs items that came in one request, several at a time. Each is an
// execution of its own, and takes its turns as if it had come alone.
type batch struct {
	watched

	server            *Server
	requestID, client string
	address           netip.Addr
	principal         *auth.Principal
	span              *tracing.Span // of the request, and from start on of the batch
	items             []jsontext.Value
	// deliver takes what is told about an item, and whether that is an answer. It
	// is called by several goroutines at once.
	deliver func(index int, line []byte, succeeded bool)
	workers sync.WaitGroup
	next    atomic.Int64
	failed  atomic.Int64
	began   time.Time
	timer   *time.Timer

	mu      sync.Mutex
	running map[*runContext]struct{}
	cause   error // why the rest is cancelled
}

// executeBatch answers POST /api/v1/execute/batch.
func (s *Server) executeBatch(c *fiber.Ctx) error {
	body, release, err := readBody(c)
	if err != nil {
		return err
	}
	lines := wantsMedia(c, ndjson)
	if lines { // they are made when the handler has returned
		body = bytes.Clone(body)
		release()
		release = func() {}
	}
	defer release()
	if err := checkComplexity(body, s.settings.Load()); err != nil {
		return err
	}
	items, parallelism, err := s.decodeBatch(body)
	if err != nil {
		return err
	}
	b := &batch{server: s, requestID: noteOf(c).id, span: noteOf(c).span, address: noteOf(c).address, client: clientOf(c), principal: noteOf(c).principal, items: items, began: time.Now(), running: map[*runContext]struct{}{}}
	noteOf(c).begun = true
	if lines {
		s.streamBatch(c, b, parallelism)
		return nil
	}
	return s.collectBatch(c, b, parallelism)
}

// collectBatch answers when all items are done, in their order.
func (s *Server) collectBatch(c *fiber.Ctx, b *batch, parallelism int) error {
	answers := make([][]byte, len(b.items))
	var size atomic.Int64
	most := s.settings.Load().Batch.OutputBytes
	b.deliver = func(i int, line []byte, succeeded bool) {
		if size.Add(int64(len(line))) > most {
			size.Add(-int64(len(line)))
			if succeeded {
				b.failed.Add(1)
			}
			line = b.line(i, &note{id: b.requestID}, nil, newProblem(http.StatusBadRequest, diag.OutputLimit,
				"the answers of the batch have more than %d bytes together, which is batch.output_bytes; this one is left out, and its item was executed; ask for %s", most, ndjson))
		}
		answers[i] = line
	}
	b.start(c.Context().Conn(), parallelism)
	b.workers.Wait()
	b.finish()
	document := fmt.Appendf(nil, `{"success":%t,"items":[`, b.failed.Load() == 0)
	document = append(append(document, bytes.Join(answers, []byte(","))...), "]}"...)
	c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(document)
	return nil
}

// streamBatch answers each item when it is done.
func (s *Server) streamBatch(c *fiber.Ctx, b *batch, parallelism int) {
	stream := &batchStream{batch: b, conn: c.Context().Conn(), lines: make(chan []byte), closed: make(chan struct{})}
	b.deliver = func(_ int, line []byte, _ bool) {
		select {
		case stream.lines <- append(line, '\n'):
		case <-stream.closed:
		}
	}
	b.start(stream.conn, parallelism)
	go func() {
		b.workers.Wait()
		close(stream.lines)
	}()
	c.Response().Header.SetContentType(ndjson)
	c.Response().ImmediateHeaderFlush = true
	c.Response().SetBodyStream(stream, -1)
}

// batchStream is the body of an answer in lines. What its reader does not take
// holds the items up that come after.
type batchStream struct {
	batch  *batch
	conn   net.Conn
	lines  chan []byte
	closed chan struct{}
	rest   []byte
}

// Read gives the next part of a line. The time to take an answer counts for
// each line anew: an item may take longer than that.
func (r *batchStream) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		line, ok := <-r.lines
		if !ok {
			return 0, io.EOF
		}
		r.rest = line
		if err := r.conn.SetWriteDeadline(time.Now().Add(r.batch.server.settings.Load().WriteTimeout())); err != nil {
			return 0, fmt.Errorf("answer a batch: %w", err)
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close ends what still runs. It is called before the connection is closed.
func (r *batchStream) Close() error {
	close(r.closed)
	r.batch.end(errClientGone)
	r.batch.workers.Wait()
	r.batch.finish()
	return nil
}

// start begins the items. Whoever calls it waits for the workers and calls
// finish.
func (b *batch) start(conn net.Conn, parallelism int) {
	// That of the request ends before the last line is sent, and a trace when no span
	// is under way.
	if span := b.span.Child("avap.batch", tracing.Internal); span != nil {
		b.span = span
	}
	b.server.watcher.add(&b.watched, conn, b)
	b.timer = time.AfterFunc(b.server.settings.Load().BatchTime(), func() { b.end(errBatchLate) })
	for range min(parallelism, len(b.items)) {
		b.workers.Go(func() {
			for i := int(b.next.Add(1)) - 1; i < len(b.items); i = int(b.next.Add(1)) - 1 {
				line, succeeded := b.execute(i)
				b.deliver(i, line, succeeded)
			}
		})
	}
}

func (b *batch) finish() {
	b.timer.Stop()
	b.server.watcher.remove(&b.watched)
	b.span.End()
	b.server.log.LogAttrs(context.Background(), slog.LevelInfo, "batch",
		slog.String("request_id", b.requestID), slog.Int("items", len(b.items)), slog.Int64("failed", b.failed.Load()),
		slog.Float64("duration_ms", inMilliseconds(time.Since(b.began))))
}

// end cancels what runs and what comes. The first cause counts.
func (b *batch) end(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause == nil {
		b.cause = cause
		for ctx := range b.running {
			ctx.end(cause)
		}
	}
}

// context gives one for an execution, until leave.
func (b *batch) context(span *tracing.Span) *runContext {
	ctx := &runContext{span: span}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause != nil {
		ctx.end(b.cause)
	}
	b.running[ctx] = struct{}{}
	return ctx
}

func (b *batch) leave(ctx *runContext) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, ctx)
}

// execute runs an item and words what came of it. Whatever goes wrong is the
// item's alone.
func (b *batch) execute(i int) (line []byte, succeeded bool) {
	n := &note{id: b.requestID, principal: b.principal, address: b.address, span: b.span.Child("avap.batch.item", tracing.Internal)}
	defer func() {
		n.describeSpan()
		n.span.End()
	}()
	n.span.Number(tracing.BatchIndex, int64(i))
	answer, err := b.protected(i, n)
	var p *problem
	if err != nil {
		b.failed.Add(1)
		if !errors.As(err, &p) {
			p = internalProblem(err)
		}
	}
	if p != nil && p.status >= http.StatusInternalServerError {
		n.span.Fail(string(p.code))
	}
	level := slog.LevelInfo
	if p != nil && p.code == diag.Internal {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("request_id", n.id), slog.Int("index", i), slog.Int("status", statusOfItem(answer, p))}
	b.server.log.LogAttrs(context.Background(), level, "item of a batch", n.describe(attrs, p)...)
	return b.line(i, n, answer, p), p == nil
}

func statusOfItem(answer *engine.Answer, p *problem) int {
	if p != nil {
		return p.status
	}
	return answer.Status
}

// protected turns a panic into an error: nobody else would catch it.
func (b *batch) protected(i int, n *note) (answer *engine.Answer, err error) {
	defer func() {
		if r := recover(); r != nil {
			b.server.log.LogAttrs(context.Background(), slog.LevelError, "panic",
				slog.String("request_id", n.id), slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
			answer, err = nil, internalProblem(fmt.Errorf("panic: %v", r))
		}
	}()
	return b.run(i, n)
}

func (b *batch) run(i int, n *note) (*engine.Answer, error) {
	s := b.server
	in := s.newCall()
	in.echo, in.item = true, true
	if err := s.decodeJSON(b.items[i], &in); err != nil {
		return nil, err
	}
	r := n.ask(in.request(b.client))
	r.Body = b.items[i]
	s.noteInput(n, nil, b.items[i])
	run := func(ctx context.Context) (*engine.Answer, error) { return s.engine.Run(ctx, r) }
	switch {
	case in.command == "":
		if err := mayUse(b.principal, ""); err != nil {
			return nil, err
		}
		if err := checkScript(&in); err != nil {
			return nil, err
		}
		n.source = in.script
	case in.hasScript || s.commands == nil:
		return nil, newProblem(http.StatusBadRequest, diag.BadFieldValue, "an item has a script, or a command where the server has commands, and not both")
	default:
		name, number, err := splitVersion(in.command)
		if err != nil {
			return nil, err
		}
		if err := mayUse(b.principal, name); err != nil {
			return nil, err
		}
		v, err := s.versionToRun(name, number)
		if err != nil {
			return nil, err
		}
		n.command, n.version, n.digest = v.Command, v.Number, audit.Digest(v.Digest)
		run = func(ctx context.Context) (*engine.Answer, error) { return s.runCommand(ctx, n, v, r) }
	}
	ctx := b.context(cmp.Or(n.span, b.span))
	defer b.leave(ctx)
	if err := ctx.Err(); err != nil {
		return nil, newProblem(http.StatusServiceUnavailable, diag.Cancelled, "cancelled: %v", err)
	}
	s.executions.begin(ctx, n, b.client, nil)
	return s.perform(ctx, n, admission.Forever, run) // the batch has a time and a parallelism of its own
}

// line is the document about an item: the answer, if there is one, as the engine
// wrote it.
func (b *batch) line(i int, n *note, answer *engine.Answer, p *problem) []byte {
	status := statusOfItem(answer, p)
	line := make([]byte, 0, 128)
	line = append(strconv.AppendInt(append(line, `{"index":`...), int64(i), 10), `,"status":`...)
	line = strconv.AppendInt(line, int64(status), 10)
	if n.execution != (executionID{}) {
		line = append(append(append(line, `,"execution_id":"`...), n.execution.String()...), '"')
	}
	switch {
	case p != nil:
		line = append(append(line, `,"problem":`...), p.encode(n.id)...)
	case hasBody(status):
		line = append(append(line, `,"answer":`...), answer.JSON...)
	}
	return append(line, '}')
}

// decodeBatch reads the items, and how many are to run at a time.
func (s *Server) decodeBatch(body []byte) (items []jsontext.Value, parallelism int, err error) {
	d := newDecoder(body)
	parallelism = int(s.settings.Load().Batch.Parallelism)
	if d.kind() == jsontext.KindBeginArray {
		items, err = s.readItems(&d)
	} else {
		items, parallelism, err = s.readBatch(&d)
	}
	return items, parallelism, d.end(err, "there is text after the batch")
}

func (s *Server) readBatch(d *decoder) (items []jsontext.Value, parallelism int, err error) {
	parallelism = int(s.settings.Load().Batch.Parallelism)
	if err := expect(d, "a batch", jsontext.KindBeginObject, "an array of items, or an object"); err != nil {
		return nil, 0, err
	}
	err = d.members(func(name []byte) (err error) {
		switch string(name) {
		case memberItems:
			items, err = s.readItems(d)
		case memberParallelism:
			parallelism, err = s.readParallelism(d)
		default:
			known := []string{memberItems, memberParallelism}
			p := newProblem(http.StatusBadRequest, diag.BadFieldValue, "a batch has no member %q; it may have %s", printable(string(name)), strings.Join(known, ", "))
			p.suggestion = diag.DidYouMean(string(name), known)
			return p
		}
		return err
	})
	if err == nil && items == nil {
		return nil, 0, newProblem(http.StatusBadRequest, diag.BadFieldValue, "the batch has no member %s, which is an array of scripts or commands", memberItems)
	}
	return items, parallelism, err
}

func (s *Server) readParallelism(d *decoder) (int, error) {
	if err := expect(d, memberParallelism, jsontext.KindNumber, "a whole number"); err != nil {
		return 0, err
	}
	text, err := d.Scalar()
	if err != nil {
		return 0, err //nolint:wrapcheck // end words it
	}
	n, ok := wholeNumber(string(text))
	if most := s.settings.Load().Batch.Parallelism; !ok || n < 1 || n > most {
		return 0, newProblem(http.StatusBadRequest, diag.BadFieldValue, "%s must be a whole number from 1 to %d, which is batch.parallelism", memberParallelism, most)
	}
	return int(n), nil
}

// readItems takes the array apart. The items are parts of the body.
func (s *Server) readItems(d *decoder) (items []jsontext.Value, err error) {
	if err := expect(d, memberItems, jsontext.KindBeginArray, "an array"); err != nil {
		return nil, err
	}
	items = []jsontext.Value{}
	if d.IsEmpty(']') {
		return items, nil
	}
	for more := true; more && err == nil; {
		if most := int(s.settings.Load().Batch.Items); len(items) == most {
			return nil, newProblem(http.StatusRequestEntityTooLarge, diag.RequestTooLarge, "the batch has more than %d items, which is batch.items", most)
		}
		d.Next()
		at := d.At()
		if err = d.Skip(1); err == nil {
			items = append(items, d.From(at))
			more, err = d.More(']')
		}
	}
	return items, err //nolint:wrapcheck // end words it
}

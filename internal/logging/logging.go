// Package logging makes the log of a server: lines of JSON or text with the
// identifiers of the request that they are about, and without secrets.
package logging

import (
	"context"
	"io"
	"log/slog"
)

// New makes a logger that writes to w, as JSON or as text.
func New(w io.Writer, text bool, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if text {
		return slog.New(handler{slog.NewTextHandler(w, options)})
	}
	return slog.New(handler{slog.NewJSONHandler(w, options)})
}

// Key is what a context has the identifiers of its work under, as an
// [Identified].
type Key struct{}

// Identified tells which request and execution work belongs to.
type Identified interface {
	// LogIDs gives identifiers; those that do not exist are empty.
	LogIDs() (request, execution, trace string)
}

// handler adds identifiers and masks secrets. A record with no secret in it, as
// all should be, is passed on as it is.
type handler struct{ next slog.Handler }

// Enabled implements slog.Handler.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	clean := !betrays(r.Message)
	if clean {
		r.Attrs(func(a slog.Attr) bool {
			clean = isClean(a)
			return clean
		})
	}
	if !clean {
		r = masked(r)
	}
	if about, ok := ctx.Value(Key{}).(Identified); ok {
		r = identified(r, about)
	}
	return h.next.Handle(ctx, r) //nolint:wrapcheck // a handler on top of another
}

func masked(r slog.Record) slog.Record {
	out := slog.NewRecord(r.Time, r.Level, maskText(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(maskAttr(a))
		return true
	})
	return out
}

// identified adds the identifiers that the record does not have.
func identified(r slog.Record, about Identified) slog.Record {
	request, execution, trace := about.LogIDs()
	ids := []slog.Attr{slog.String("request_id", request), slog.String("execution_id", execution), slog.String("trace_id", trace)}
	r.Attrs(func(a slog.Attr) bool {
		for i := range ids {
			if ids[i].Key == a.Key {
				ids[i] = slog.Attr{}
			}
		}
		return true
	})
	r = r.Clone()
	for _, id := range ids {
		if id.Value.Kind() == slog.KindString && id.Value.String() != "" {
			r.AddAttrs(id)
		}
	}
	return r
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = maskAttr(a)
	}
	return handler{h.next.WithAttrs(out)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.next.WithGroup(name)} }

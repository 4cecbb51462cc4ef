package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/runtime/abi"
)

// messageTimeout is what callers match on when fuel or time has run out.
const messageTimeout = "Script Execution Timeout"

// runProblem words why an execution gave no answer.
func runProblem(n *note, err error) *problem {
	if list, ok := errors.AsType[diag.List](err); ok {
		return compileProblem(list)
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if unusable, ok := errors.AsType[*engine.ArtifactError](err); ok {
		p := newProblem(http.StatusUnprocessableEntity, diag.ModuleUnusable, "the module cannot be run: %s", printable(unusable.Err.Error()))
		p.cause = err
		return p
	}
	failure, ok := errors.AsType[*diag.Failure](err)
	if !ok {
		return internalProblem(err)
	}
	n.used = failure.Usage
	if failure.Code == diag.Internal {
		return internalProblem(failure)
	}
	p := &problem{
		status: statusOf(failure.Code), code: failure.Code,
		message: failure.Message, suggestion: failure.Suggestion,
		line: failure.Span.Start.Line, column: failure.Span.Start.Column,
		stack: frames(failure.Stack), cause: failure.Cause,
	}
	if failure.Usage != (diag.Usage{}) { // something has run
		p.usage = usageDocument(failure.Usage)
	}
	switch p.status {
	case http.StatusGatewayTimeout:
		if !strings.Contains(p.message, messageTimeout) {
			p.message = messageTimeout + ": " + p.message
		}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		p.retryAfterS = 1
	}
	return p
}

// compileProblem is about the first error; all findings go with it.
func compileProblem(list diag.List) *problem {
	p := newProblem(http.StatusBadRequest, diag.SyntaxError, "%s", "the script does not compile")
	p.diagnostics = list
	for _, d := range list {
		if d.Severity == diag.Error {
			p.status, p.code = statusOf(d.Code), d.Code
			p.message, p.suggestion = d.Message, d.Suggestion
			p.line, p.column = d.Span.Start.Line, d.Span.Start.Column
			break
		}
	}
	return p
}

func statusOf(code diag.Code) int {
	switch code {
	case diag.OutOfFuel, diag.DeadlineReached:
		return http.StatusGatewayTimeout
	case diag.NoCapacity, diag.Overloaded, diag.Cancelled, diag.MemoryBusy:
		return http.StatusServiceUnavailable
	case diag.StoreUnavailable, diag.ArtifactUnavailable, diag.ArtifactDamaged:
		return http.StatusServiceUnavailable
	case diag.StoreFull:
		return http.StatusInsufficientStorage
	case diag.NoSuchCommand, diag.NoSuchSigner, diag.NoSuchKey:
		return http.StatusNotFound
	case diag.ScopeMissing:
		return http.StatusForbidden
	case diag.CommandUnusable, diag.Conflict:
		return http.StatusConflict
	case diag.PolicyRefused, diag.Revoked:
		return http.StatusUnprocessableEntity
	case diag.TooManyRequests:
		return http.StatusTooManyRequests
	case diag.SourceTooLarge, diag.RequestTooLarge:
		return http.StatusRequestEntityTooLarge
	}
	if strings.HasPrefix(string(code), modulePrefix) {
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadRequest
}

// modulePrefix begins the codes about modules and their signatures.
const modulePrefix = "AVAP6"

func usageDocument(u diag.Usage) *api.Usage {
	return &api.Usage{Fuel: u.FuelUsed, TimeMS: inMilliseconds(u.RunTime), MemoryBytes: int64(u.MemoryPages) * abi.PageBytes}
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func frames(stack []diag.Frame) []frame {
	out := make([]frame, len(stack))
	for i, f := range stack {
		out[i] = frame{f.Function, f.Position.File, f.Position.Line, f.Position.Column}
	}
	return out
}

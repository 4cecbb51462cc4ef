package wasmhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

const (
	// maxFrames is how many frames of a call stack are reported.
	maxFrames = 50
	// maxMessageBytes bounds an error message.
	maxMessageBytes = 16 << 10

	timeoutMessage = "Script Execution Timeout"
)

// errorCodes maps the codes of package abi to diagnostics.
var errorCodes = [...]diag.Code{
	abi.ErrNone:          diag.ScriptError,
	abi.ErrRaised:        diag.Raised,
	abi.ErrName:          diag.UndefinedName,
	abi.ErrCommand:       diag.CommandNotFound,
	abi.ErrZeroDivision:  diag.DivisionByZero,
	abi.ErrOverflow:      diag.IntegerOverflow,
	abi.ErrOperands:      diag.TypeMismatch,
	abi.ErrOperand:       diag.TypeMismatch,
	abi.ErrOrder:         diag.TypeMismatch,
	abi.ErrIndexRange:    diag.IndexRange,
	abi.ErrKey:           diag.KeyMissing,
	abi.ErrIndexType:     diag.TypeMismatch,
	abi.ErrNotIndexable:  diag.TypeMismatch,
	abi.ErrNotIterable:   diag.TypeMismatch,
	abi.ErrUnhashable:    diag.TypeMismatch,
	abi.ErrAttribute:     diag.TypeMismatch,
	abi.ErrArgument:      diag.BadValue,
	abi.ErrValue:         diag.BadValue,
	abi.ErrFormat:        diag.BadValue,
	abi.ErrNumberText:    diag.BadValue,
	abi.ErrCyclic:        diag.BadValue,
	abi.ErrComplex:       diag.BadValue,
	abi.ErrNegativeShift: diag.BadValue,
	abi.ErrUnpack:        diag.BadValue,
	abi.ErrImmutable:     diag.TypeMismatch,
	abi.ErrMethod:        diag.TypeMismatch,
	abi.ErrHost:          diag.HostFailure,
}

// codeOf gives the diagnostic code of a run-time error.
func codeOf(errorCode, detail uint32) diag.Code {
	switch {
	case errorCode == abi.ErrHost && detail == hostRefused:
		return diag.Forbidden
	case errorCode == abi.ErrHost && detail == hostMistaken:
		return diag.BadValue
	}
	if errorCode < uint32(len(errorCodes)) {
		return errorCodes[errorCode]
	}
	return diag.ScriptError
}

// internalFailure hides a defect from the client and keeps it for the log.
func internalFailure(cause error) *diag.Failure {
	f := diag.NewFailure(diag.Internal, "internal error")
	f.Cause = cause
	return f
}

// site looks a site up; one that does not exist is no place.
func (m *Module) site(id uint32) abi.SourceSite {
	if id == 0 || uint64(id) >= uint64(len(m.Manifest.Sites)) {
		return abi.SourceSite{}
	}
	return m.Manifest.Sites[id]
}

func (m *Module) position(id uint32) diag.Position {
	s := m.site(id)
	p := diag.Position{Line: s.Line, Column: s.Column}
	if s.File >= 0 && s.File < len(m.Manifest.Files) {
		p.File = m.Manifest.Files[s.File]
	}
	return p
}

func (m *Module) function(id uint32) string {
	n := m.site(id).Function
	if n > 0 && n < len(m.Manifest.Functions) {
		return m.Manifest.Functions[n]
	}
	return ""
}

// at makes a failure at a site.
func (e *execution) at(site uint32, code diag.Code, format string, args ...any) *diag.Failure {
	p := e.module.position(site)
	return &diag.Failure{Diagnostic: diag.New(code, diag.Span{Start: p, End: p}, format, args...)}
}

// limited makes a failure for a run that a limit ended at a site.
func (e *execution) limited(site uint32, code diag.Code, format string, args ...any) *diag.Failure {
	f := e.at(site, code, format, args...)
	e.readStack(f, site, abi.Frame)
	return f
}

// trapped explains why the call of run did not return.
func (e *execution) trapped(err error) *diag.Failure {
	if errors.Is(err, errStopped) {
		return e.stoppedFailure()
	}
	halt, _ := e.slot.memory().u32(abi.Halt)
	var defect runtime.Error
	switch {
	case e.tooDeep():
		return e.limited(e.site(), diag.RecursionLimit, "%s", e.depthMessage())
	case errors.As(err, &defect):
		return internalFailure(fmt.Errorf("host function failed at site %d: %w", e.site(), err))
	case halt == abi.HaltMemory:
		return e.outOfMemory(e.site())
	case halt == abi.HaltDepth, strings.Contains(err.Error(), "stack overflow"):
		return e.limited(e.site(), diag.RecursionLimit, "%s", e.depthMessage())
	}
	if e.module.foreign {
		return e.fault(err)
	}
	return internalFailure(fmt.Errorf("guest trapped at site %d: %w", e.site(), err))
}

// outOfMemory explains why memory did not grow.
func (e *execution) outOfMemory(site uint32) *diag.Failure {
	return e.memoryFailure(e.limited(site, diag.OutOfMemory, "%s", e.memoryMessage()))
}

// memoryFailure corrects a failure that blames the execution's own limit when
// the memory that all share ran out.
func (e *execution) memoryFailure(f *diag.Failure) *diag.Failure {
	if e.slot.crowded {
		f.Diagnostic = diag.New(diag.MemoryBusy, f.Span, "no memory left: other scripts use what this one needed")
	}
	return f
}

// The messages about limits say whose limit it is: where that of a command comes
// first which a script has called, the caller's is of no help.

func (e *execution) fuelMessage() string {
	e.family.mu.Lock()
	a := e.allowance.tightest((*allowance).fuelLeft)
	e.family.mu.Unlock()
	if a.above == nil {
		return timeoutMessage
	}
	return fmt.Sprintf("%s: the command %s is limited to %d units of fuel", timeoutMessage, a.command, a.limits.Fuel)
}

func (e *execution) timeMessage() string {
	a := e.allowance.tightest((*allowance).timeLeft)
	if a.above == nil {
		return timeoutMessage
	}
	return fmt.Sprintf("%s: the command %s is limited to %d ms", timeoutMessage, a.command, a.limits.Duration.Milliseconds())
}

func (e *execution) depthMessage() string {
	a := e.allowance.tightest((*allowance).callsLeft)
	if a.above == nil {
		return fmt.Sprintf("recursion too deep: the limit is %d calls", a.limits.CallDepth)
	}
	return fmt.Sprintf("recursion too deep: the command %s is limited to %d calls", a.command, a.limits.CallDepth)
}

func (e *execution) memoryMessage() string {
	if e.memoryDenied != "" {
		return e.memoryDenied
	}
	a := e.allowance.tightest((*allowance).memoryLeft)
	if a.above == nil {
		return "out of memory: the limit is " + pageText(a.limits.MemoryPages)
	}
	return fmt.Sprintf("out of memory: the command %s is limited to %s", a.command, pageText(a.limits.MemoryPages))
}

func pageText(pages uint32) string {
	if pages%16 == 0 {
		return fmt.Sprintf("%d MiB", pages/16)
	}
	return fmt.Sprintf("%d KiB", pages*64)
}

func (e *execution) stoppedFailure() *diag.Failure {
	switch e.stopped {
	case stopFamily:
		if f := e.family.ended(); f != nil {
			again := *f
			return &again
		}
	case stopCommand:
		return e.raisedFailure(e.callee, e.limited(e.stoppedSite, e.callee.Code, "%s", e.callee.Message))
	case stopDepth:
		return e.limited(e.stoppedSite, diag.RecursionLimit, "%s", e.depthMessage())
	case stopMemory:
		return e.outOfMemory(e.stoppedSite)
	case stopFuel:
		return e.limited(e.stoppedSite, diag.OutOfFuel, "%s", e.fuelMessage())
	case stopDeadline:
		// A family waits for its own members, too, which is nobody else's doing.
		if e.family.cancel == nil && e.waited > time.Since(e.began)/2 {
			return e.limited(e.stoppedSite, diag.Overloaded, "the server is overloaded: the script waited for others to compute for %d ms of the time it had", e.waited.Milliseconds())
		}
		return e.limited(e.stoppedSite, diag.DeadlineReached, "%s", e.timeMessage())
	case stopShutdown:
		return e.limited(e.stoppedSite, diag.Cancelled, "cancelled: the server is shutting down")
	}
	f := cancelled(e.outer)
	f.Span = e.at(e.stoppedSite, diag.Cancelled, "").Span
	return f
}

// cancelled words the end of the request's context.
func cancelled(ctx context.Context) *diag.Failure {
	cause := context.Cause(ctx)
	f := diag.NewFailure(diag.Cancelled, "cancelled: the client is gone")
	//nolint:errorlint // a cause that only counts as Canceled has its own words
	if cause != context.Canceled {
		f = diag.NewFailure(diag.Cancelled, "cancelled: %v", cause)
	}
	f.Cause = cause
	return f
}

// scriptError reads the error that the script ended with.
func (e *execution) scriptError() *diag.Failure {
	mem := e.slot.memory()
	c, _ := mem.cell(abi.Message)
	message, ok := mem.text(c)
	if !ok {
		return e.fault(fmt.Errorf("message of an error: %w", errCorrupt))
	}
	code, _ := mem.u32(abi.ErrorCode)
	site, _ := mem.u32(abi.ErrorSite)
	detail, _ := mem.u32(abi.ErrorDetail)
	f := e.at(site, codeOf(code, detail), "%s", shorten(message))
	switch {
	case code == abi.ErrName:
		f.Suggestion = e.suggestName(message)
	case (f.Code == diag.TypeMismatch || f.Code == diag.BadValue) && bytes.Contains(message, []byte("'NoneType'")):
		f.Suggestion = e.suggestParameters()
	}
	e.readStack(f, site, abi.ErrorFrame)
	if code == abi.ErrHost && detail == hostRaised && e.raised != nil {
		return e.raisedFailure(e.raised, f)
	}
	return f
}

// maxSuggestions bounds the globals among which a suggestion is looked for.
const maxSuggestions = 1000

// suggestName finds the global with a value whose name is close to the
// undefined one that a message quotes.
func (e *execution) suggestName(message []byte) string {
	_, rest, _ := strings.Cut(string(message), "'")
	name, _, found := strings.Cut(rest, "'")
	if !found {
		return ""
	}
	var defined []string
	globals := e.module.Manifest.Globals
	for i, global := range globals[:min(len(globals), maxSuggestions)] {
		if tag, _ := e.slot.memory().u32(globalCell(i) + abi.CellTag); tag != abi.KindUndefined {
			defined = append(defined, global)
		}
	}
	return diag.DidYouMean(name, defined)
}

// maxNullNames is how many parameters a suggestion names.
const maxNullNames = 4

// suggestParameters names the parameters that are null in the variables named after
// them, as those are that a request does not have: where something cannot be done
// with null, they may be why.
func (e *execution) suggestParameters() string {
	m, mem := &e.module.Manifest, e.slot.memory()
	var names []string
	for _, p := range m.Interface[:min(len(m.Interface), maxSuggestions)] {
		i := slices.Index(m.Globals[:min(len(m.Globals), maxSuggestions)], p.Name)
		if i < 0 {
			continue
		}
		if tag, ok := mem.u32(globalCell(i) + abi.CellTag); ok && tag == abi.KindNull && len(names) < maxNullNames {
			names = append(names, p.Name)
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%s is null: does the request have this parameter?", names[0])
	}
	return fmt.Sprintf("%s are null: does the request have these parameters?", strings.Join(names, ", "))
}

// raisedFailure is the failure of a child that gather raised again, or of a
// command, which nobody caught: what went wrong and where is the inner one's,
// and below its call stack is that of the call.
func (e *execution) raisedFailure(inner, gathered *diag.Failure) *diag.Failure {
	f := *inner
	own := gathered.Stack
	if len(own) == 0 {
		own = []diag.Frame{{Position: gathered.Span.Start}}
	}
	room := min(len(own), max(0, maxFrames-len(f.Stack)))
	f.Stack = slices.Concat(f.Stack, own[:room])
	f.StackOmitted += gathered.StackOmitted + len(own) - room
	return &f
}

// shorten cuts a message at a character's boundary.
func shorten(message []byte) []byte {
	if len(message) <= maxMessageBytes {
		return message
	}
	n := maxMessageBytes
	for n > 0 && !utf8.RuneStart(message[n]) {
		n--
	}
	return append(message[:n:n], "…"...)
}

// readStack walks the call stack outwards from the frame that a control cell
// names: where the error arose, or which one runs. The slot of each frame holds
// the site at which it called the next one.
func (e *execution) readStack(f *diag.Failure, site, cell uint32) {
	mem, base := e.slot.memory(), stackBase(&e.module.Manifest)
	frame, _ := mem.u32(cell)
	limit := e.stackEnd()
	if frame <= base || frame > limit || (frame-base)%4 != 0 {
		return
	}
	f.Stack = append(f.Stack, e.frame(site))
	for p := frame - 4; p >= base; p -= 4 {
		if len(f.Stack) == maxFrames {
			f.StackOmitted = int(p-base)/4 + 1
			return
		}
		caller, _ := mem.u32(p)
		f.Stack = append(f.Stack, e.frame(caller))
	}
}

func (e *execution) frame(site uint32) diag.Frame {
	return diag.Frame{Function: e.module.function(site), Position: e.module.position(site)}
}

// inputFailure explains why the inputs could not be written.
func (e *execution) inputFailure(err error) *diag.Failure {
	var bad *badInput
	switch {
	case errors.Is(err, errInputMemory):
		return e.memoryFailure(diag.NewFailure(diag.OutOfMemory, "out of memory: the request's inputs do not fit the limit of %s", pageText(e.limits.MemoryPages)))
	case errors.As(err, &bad) && errors.Is(err, errNotObject):
		return diag.NewFailure(diag.BadFieldType, "%s", bad.Error())
	case errors.As(err, &bad):
		return diag.NewFailure(diag.BadJSON, "%s", bad.Error())
	}
	return internalFailure(err)
}

// outputFailure explains why the answer could not be written.
func (e *execution) outputFailure(err error) *diag.Failure {
	switch {
	case errors.Is(err, errOutputLimit):
		// The answer is written when the script is through: its last line has
		// the place.
		f := e.at(e.site(), diag.OutputLimit, "output too large: the limit is %d bytes", e.limits.OutputBytes)
		if own := &e.own.allowance; own.above != nil {
			f.Message = fmt.Sprintf("output too large: the command %s is limited to %d bytes", own.command, own.limits.OutputBytes)
		}
		return f
	case errors.Is(err, errCycle):
		return diag.NewFailure(diag.BadValue, "a result contains itself")
	case errors.Is(err, errOutputDepth):
		return diag.NewFailure(diag.RecursionLimit, "a result is nested deeper than %d levels", maxOutputDepth)
	}
	return e.fault(err)
}

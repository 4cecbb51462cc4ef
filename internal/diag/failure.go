package diag

import "time"

// Failure is the end of a run that did not succeed: what went wrong and where,
// the way there, and what the run had used by then.
type Failure struct {
	Diagnostic
	// Stack is the call stack at the error, innermost first. It is empty when
	// the error arose at the top level or the run was stopped by a limit.
	Stack []Frame
	// StackOmitted counts outer frames that were left out of Stack.
	StackOmitted int
	Usage        Usage
	// Cause is set for defects of the product. It goes to the log and never to
	// the client.
	Cause error
}

// Frame is one function on the call stack and the place reached in it.
type Frame struct {
	Function string
	Position Position
}

// Usage is what a run consumed.
type Usage struct {
	FuelUsed    int64
	MemoryPages uint32
	RunTime     time.Duration
}

// Unwrap gives the cause and the diagnostic to errors.As.
func (f *Failure) Unwrap() []error {
	if f.Cause == nil {
		return []error{f.Diagnostic}
	}
	return []error{f.Diagnostic, f.Cause}
}

// NewFailure makes a failure without a place.
func NewFailure(code Code, format string, args ...any) *Failure {
	return &Failure{Diagnostic: New(code, Span{}, format, args...)}
}

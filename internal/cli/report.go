package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/avapd/avapd/internal/diag"
)

// report shows why a script gave no answer, and gives the error that ends the
// program with the right code.
func report(w io.Writer, err error, s script) error {
	if list, ok := errors.AsType[diag.List](err); ok {
		list = slices.Clone(list)
		for i := range list {
			s.claim(&list[i])
		}
		if err := diag.Render(w, list, s.text); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return &exitError{code: exitCode(firstError(list)), told: toldOf(firstOf(list))}
	}
	failure, ok := errors.AsType[*diag.Failure](err)
	if !ok {
		return fmt.Errorf("internal error: %w", err)
	}
	shown := failure.Diagnostic
	s.claim(&shown)
	if err := diag.Render(w, diag.List{shown}, s.text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	for _, f := range failure.Stack {
		function := f.Function
		if function == "" {
			function = "the top level"
		}
		fmt.Fprintf(w, "    in %s at %s\n", function, f.Position)
	}
	if failure.StackOmitted > 0 {
		fmt.Fprintf(w, "    and %d more calls\n", failure.StackOmitted)
	}
	if failure.Cause != nil {
		fmt.Fprintf(w, "    cause: %v\n", failure.Cause)
	}
	return &exitError{code: exitCode(failure.Code), told: toldOf(shown)}
}

func firstError(list diag.List) diag.Code { return firstOf(list).Code }

func firstOf(list diag.List) diag.Diagnostic {
	for _, d := range list {
		if d.Severity == diag.Error {
			return d
		}
	}
	return diag.New(diag.SyntaxError, diag.Span{}, "the script has errors")
}

// toldOf is a finding as --output json tells it.
func toldOf(d diag.Diagnostic) failureTold {
	entry, _ := diag.Lookup(d.Code)
	return failureTold{Code: string(d.Code), Message: d.Message, Suggestion: d.Suggestion, NextStep: entry.Next}
}

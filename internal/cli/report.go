package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// report shows why a script gave no answer, and gives the error that ends the
// program with the right code.
func report(w io.Writer, err error, source func(file string) []byte) error {
	if list, ok := errors.AsType[diag.List](err); ok {
		if err := diag.Render(w, list, source); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return &exitError{code: exitCode(firstError(list))}
	}
	failure, ok := errors.AsType[*diag.Failure](err)
	if !ok {
		return fmt.Errorf("internal error: %w", err)
	}
	if err := diag.Render(w, diag.List{failure.Diagnostic}, source); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	for _, f := range failure.Stack {
		fmt.Fprintf(w, "    in %s at %s\n", f.Function, f.Position)
	}
	if failure.StackOmitted > 0 {
		fmt.Fprintf(w, "    and %d more calls\n", failure.StackOmitted)
	}
	if failure.Cause != nil {
		fmt.Fprintf(w, "    cause: %v\n", failure.Cause)
	}
	return &exitError{code: exitCode(failure.Code)}
}

func firstError(list diag.List) diag.Code {
	for _, d := range list {
		if d.Severity == diag.Error {
			return d.Code
		}
	}
	return diag.SyntaxError
}

// exitCode follows the groups of codes: 4 are the limits, 9 is internal.
func exitCode(code diag.Code) int {
	switch {
	case strings.HasPrefix(string(code), "AVAP4"):
		return exitLimit
	case code == diag.Internal:
		return exitInternal
	default:
		return exitScript
	}
}

package cli

import (
	"cmp"
	"errors"

	"github.com/spf13/cobra"
)

// failureTold is a failure as --output json tells it.
type failureTold struct {
	Code       string `json:"code,omitempty"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
	NextStep   string `json:"next_step,omitempty"`
}

// text is the failure for a reader.
func (f failureTold) text() string {
	out := f.Message
	if f.Code != "" {
		out += " [" + f.Code + "]"
	}
	if f.Suggestion != "" {
		out += "\n    suggestion: " + f.Suggestion
	}
	if f.NextStep != "" {
		out += "\n    next step: " + f.NextStep
	}
	return out
}

// failed makes the error that ends the program with a code and tells a failure.
func failed(code int, told failureTold) error {
	return &exitError{code: code, text: told.text(), told: told}
}

// tellFailure writes a failure to standard output, for programs that asked for
// JSON and would find nothing there. A command that failed but has written its
// document tells no message.
func tellFailure(p *Process, cmd *cobra.Command, err error) {
	if cmd == nil {
		return
	}
	output := cmd.Flags().Lookup("output")
	if output == nil || !output.Changed || output.Value.String() != "json" {
		return
	}
	told := failureTold{Message: err.Error()}
	if e, ok := errors.AsType[*exitError](err); ok {
		told = e.told
		told.Message = cmp.Or(told.Message, e.text)
	}
	if told.Message != "" {
		// Where standard output cannot be written, the exit code still tells it.
		_ = printJSON(p, map[string]failureTold{"error": told})
	}
}

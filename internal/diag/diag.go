// Package diag holds what the product tells the author of a script when
// something is wrong: diagnostics as values, with a place and a stable code.
//
// The compiler, the sandbox, the engine and the server all speak in these
// values, so the package imports none of them. The table in codes.go is the
// only list of codes; the manual and `avap explain` are made from it.
//
// A message says what is wrong. A suggestion ("did you mean …") is a member of
// its own and never part of the message, because callers match on messages.
package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a source file. Line and Column start at 1, a column
// counts code points, Offset counts bytes from 0. The zero value is no place.
type Position struct {
	File   string
	Line   int
	Column int
	Offset int
}

// IsValid reports whether the position names a place.
func (p Position) IsValid() bool { return p.Line > 0 }

func (p Position) String() string {
	file := p.File
	if file == "" {
		file = "script"
	}
	if !p.IsValid() {
		return file
	}
	return fmt.Sprintf("%s:%d:%d", file, p.Line, p.Column)
}

// Span is a half-open range of source text.
type Span struct{ Start, End Position }

// Severity says how bad a diagnostic is.
type Severity uint8

// An Error keeps a script from running; a Warning does not.
const (
	Error Severity = iota
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one finding.
type Diagnostic struct {
	Code     Code
	Severity Severity
	// Message says what is wrong, in one sentence without a final stop.
	Message string
	// Suggestion says what to write instead, if that is known.
	Suggestion string
	Span       Span
	Notes      []Note
}

// Note points at another place that explains a diagnostic.
type Note struct {
	Span    Span
	Message string
}

// New makes an error with the given code.
func New(code Code, span Span, format string, args ...any) Diagnostic {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	return Diagnostic{Code: code, Span: span, Message: message}
}

// WithNote returns a copy of d with one more note.
func (d Diagnostic) WithNote(span Span, format string, args ...any) Diagnostic {
	d.Notes = append(slices.Clip(d.Notes), Note{Span: span, Message: fmt.Sprintf(format, args...)})
	return d
}

// Error makes a single diagnostic usable as an error.
func (d Diagnostic) Error() string {
	return d.Span.Start.String() + ": " + d.Message
}

// wireNote and wireDiagnostic are the JSON forms; their member names are part
// of the server's contract.
type wireNote struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

type wireDiagnostic struct {
	Code       Code       `json:"code"`
	Severity   string     `json:"severity"`
	File       string     `json:"file,omitempty"`
	Line       int        `json:"line,omitempty"`
	Column     int        `json:"column,omitempty"`
	EndLine    int        `json:"end_line,omitempty"`
	EndColumn  int        `json:"end_column,omitempty"`
	Message    string     `json:"message"`
	Suggestion string     `json:"suggestion,omitempty"`
	Notes      []wireNote `json:"notes,omitempty"`
}

// MarshalJSON writes the flat form clients read.
func (d Diagnostic) MarshalJSON() ([]byte, error) {
	w := wireDiagnostic{
		Code: d.Code, Severity: d.Severity.String(), File: d.Span.Start.File,
		Line: d.Span.Start.Line, Column: d.Span.Start.Column,
		EndLine: d.Span.End.Line, EndColumn: d.Span.End.Column,
		Message: d.Message, Suggestion: d.Suggestion,
	}
	for _, n := range d.Notes {
		p := n.Span.Start
		w.Notes = append(w.Notes, wireNote{File: p.File, Line: p.Line, Column: p.Column, Message: n.Message})
	}
	// Comparators are frequent in messages: they must stay readable.
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(w)
	return b.Bytes(), err
}

// MaxList is how many diagnostics a List keeps.
const MaxList = 50

// List is a set of diagnostics. Made with Sorted it is in source order.
type List []Diagnostic

// Sorted returns the diagnostics in source order, without repeats and capped
// at MaxList. The receiver is left as it is.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		if c := strings.Compare(a.Span.Start.File, b.Span.Start.File); c != 0 {
			return c
		}
		return a.Span.Start.Offset - b.Span.Start.Offset
	})
	out = slices.CompactFunc(out, func(a, b Diagnostic) bool {
		return a.Span == b.Span && a.Message == b.Message
	})
	if len(out) > MaxList && out.HasErrors() {
		// Warnings must not push out what keeps the script from running.
		out = slices.DeleteFunc(out, func(d Diagnostic) bool { return d.Severity == Warning })
	}
	if len(out) > MaxList {
		out = out[:MaxList]
	}
	return slices.Clip(out)
}

// HasErrors reports whether one of the diagnostics is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Err returns the list as an error, or nil if it holds no error.
func (l List) Err() error {
	if l.HasErrors() {
		return l
	}
	return nil
}

// Error is the first error's text, and how many more there are.
func (l List) Error() string {
	i := slices.IndexFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
	switch {
	case i < 0:
		return "no errors"
	case len(l) == 1:
		return l[i].Error()
	}
	return fmt.Sprintf("%s (and %d more)", l[i].Error(), len(l)-1)
}

// Unwrap lets errors.As find a single Diagnostic.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, d := range l {
		errs[i] = d
	}
	return errs
}

package datasource

import "fmt"

// ErrorKind says whose error it is.
type ErrorKind uint8

// The kinds of errors.
const (
	KindDatabase    ErrorKind = iota // the database refused the statement
	KindRefused                      // it never reached the database
	KindLimit                        // rows, bytes or time
	KindUnavailable                  // no connection
)

// Error is a statement that failed. Its message is for the script's author:
// the database's own text, never where or as whom it was reached.
type Error struct {
	Kind    ErrorKind
	Code    string // SQLSTATE, or SQLite's number
	Message string
	cause   error // for the log; may name hosts and users
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the error behind, which is not for scripts.
func (e *Error) Unwrap() error { return e.cause }

func refuse(format string, args ...any) *Error {
	return &Error{Kind: KindRefused, Message: fmt.Sprintf(format, args...)}
}

func limitError(format string, args ...any) *Error {
	return &Error{Kind: KindLimit, Message: fmt.Sprintf(format, args...)}
}

func unavailable(cause error) *Error {
	return &Error{Kind: KindUnavailable, Message: "the database cannot be reached", cause: cause}
}

package server

import (
	"context"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
)

// Engine is what the server needs of the engine.
type Engine interface {
	// Run executes a script. Its error is a diag.List for a script that does
	// not compile, a *diag.Failure for one that fails or is stopped, and
	// anything else for a defect.
	Run(ctx context.Context, r *Request) (*Answer, error)
	// Check finds what is wrong with a script without running it.
	Check(source string) diag.List
}

// Request is one execution. Its byte slices are valid until Run returns.
type Request struct {
	Source string
	// Variables and Body are the texts of JSON objects, or empty.
	Variables, Body []byte
	Query, Form     []Pair
	Limits          config.Limits
	Logs            bool
	EchoVariables   bool
}

// Answer is a successful execution.
type Answer struct {
	Status int
	// JSON is the whole document.
	JSON []byte
	// Script is the digest of the source.
	Script string
	Usage  diag.Usage
}

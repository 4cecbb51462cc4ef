// Package v8 runs compiled scripts in V8, by way of node and the host in testdata/node: an engine that shares no code with
// the sandbox.
package v8

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Module is a compiled script, with its source map or none.
type Module struct {
	Wasm []byte `json:"wasm"`
	Map  string `json:"map,omitempty"`
}

// Request is one execution of a module.
type Request struct {
	Module    int         `json:"module"` // its number in the list
	Variables string      `json:"variables"`
	Body      string      `json:"body"`
	Query     [][2]string `json:"query"`
	Fuel      int64       `json:"fuel"`
	CallDepth uint32      `json:"callDepth"`
	HashSeed  uint64      `json:"hashSeed"`
}

// Outcome is how an execution ended: with a result, or with a message.
type Outcome struct {
	Result, Message, Fuel string
	// Code is the code of the diagnostic; a trap that the script did not want has none.
	Code     string
	Position []int // line and column
	// Logs is the log as JSON, without times.
	Logs  string
	Stack []string
}

// Run executes requests one after the other in one process. root is the way to the repository's directory.
func Run(ctx context.Context, root string, modules []Module, requests []Request) ([]Outcome, error) {
	shim := filepath.Join(root, "testdata", "node")
	if err := watch(shim); err != nil {
		return nil, err
	}
	in, err := json.Marshal(map[string]any{"modules": modules, "requests": requests})
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, "node", filepath.Join(shim, "run.mjs"), filepath.Join(root, "runtime", "library", "rt.wasm"))
	command.Stdin = bytes.NewReader(in)
	out, err := command.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("node: %w\n%s", err, failed.Stderr)
	}
	if err != nil {
		return nil, err
	}
	var outcomes []Outcome
	if err := json.Unmarshal(out, &outcomes); err != nil {
		return nil, err
	}
	if len(outcomes) != len(requests) {
		return nil, fmt.Errorf("%d outcomes of %d requests", len(outcomes), len(requests))
	}
	return outcomes, nil
}

// Installed reports whether there is a node.
func Installed() bool {
	_, err := exec.LookPath("node")
	return err == nil
}

// watch opens the files of the shim, so that a cached result of a test does not outlive a change in them: what node reads,
// go test does not see.
func watch(shim string) error {
	files, err := filepath.Glob(filepath.Join(shim, "*.mjs"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no shim in %s: %w", shim, errors.Join(err, os.ErrNotExist))
	}
	for _, file := range files {
		if _, err := os.ReadFile(file); err != nil {
			return err
		}
	}
	return nil
}

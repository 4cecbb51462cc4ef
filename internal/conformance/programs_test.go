package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/avapd/avapd/internal/engine"
)

// exchange is a request to a program and the answer it must give.
type exchange struct {
	Query     map[string]string
	Body      json.RawMessage
	Variables json.RawMessage

	answer struct {
		Status int
		Result json.RawMessage
	}
}

// TestPrograms runs the programs of testdata/programs on both engines of the sandbox, and with trials that are enough or
// not. Each archive holds a script, and requests with the answers that an independent implementation in another language
// gave.
func TestPrograms(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/programs/*.txtar")
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d programs, %v", len(paths), err)
	}
	for way, config := range map[string]engine.Config{
		"machine code": {}, "interpreter": {Interpreter: true}, "trials": {TrialFuel: 10_000}, "short trials": {TrialFuel: 1},
	} {
		e := newEngine(t, config)
		for _, path := range paths {
			name := strings.TrimSuffix(filepath.Base(path), ".txtar")
			t.Run(name+"/"+way, func(t *testing.T) {
				script, exchanges := readProgram(t, path)
				for i, x := range exchanges {
					if problem := run(e, script, &x); problem != "" {
						t.Errorf("request %d: %s", i+1, problem)
					}
				}
			})
		}
	}
}

func readProgram(t *testing.T, path string) (script string, exchanges []exchange) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.Files {
		switch {
		case file.Name == "script.avap":
			script = string(file.Data)
		case strings.HasPrefix(file.Name, "request"):
			var x exchange
			if err := json.Unmarshal(file.Data, &x); err != nil {
				t.Fatalf("%s: %v", file.Name, err)
			}
			exchanges = append(exchanges, x)
		default:
			if err := json.Unmarshal(file.Data, &exchanges[len(exchanges)-1].answer); err != nil {
				t.Fatalf("%s: %v", file.Name, err)
			}
		}
	}
	return script, exchanges
}

func run(e *engine.Engine, script string, x *exchange) string {
	request := &engine.Request{Source: script, Variables: x.Variables, Body: x.Body, EchoVariables: true}
	for name, value := range x.Query {
		request.Query = append(request.Query, engine.Pair{Name: name, Value: value})
	}
	got, err := e.Run(context.Background(), request)
	switch {
	case err != nil:
		return err.Error()
	case got.Status != x.answer.Status || !SameValue(x.answer.Result, got.Result):
		return fmt.Sprintf("got %d %s\nexpected %d %s", got.Status, got.Result, x.answer.Status, x.answer.Result)
	}
	return ""
}

package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Answer is what came back for a case.
type Answer struct {
	Status int
	Body   []byte
}

type document struct {
	Result    json.RawMessage            `json:"result"`
	Variables map[string]json.RawMessage `json:"variables"`
	Logs      []map[string]any           `json:"logs"`
	Error     string                     `json:"error"`
}

// Check tells what is wrong with an answer; nil when it is as expected.
func (e *Expect) Check(got Answer) error {
	var problems []error
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if got.Status != e.Status {
		report("status %d, expected %d: %s", got.Status, e.Status, brief(got.Body))
	}
	var doc document
	if len(got.Body) > 0 {
		if err := json.Unmarshal(got.Body, &doc); err != nil {
			report("the answer is no JSON document: %w: %s", err, brief(got.Body))
			return errors.Join(problems...)
		}
	}
	if e.Result != nil && len(got.Body) > 0 && !SameValue(e.Result, doc.Result) {
		report("result %s, expected %s", brief(doc.Result), e.Result)
	}
	for name, want := range e.Variables {
		if value, ok := doc.Variables[name]; !ok {
			report("variable %s is absent, expected %s", name, want)
		} else if !SameValue(want, value) {
			report("variable %s is %s, expected %s", name, brief(value), want)
		}
	}
	for _, name := range e.Absent {
		if value, ok := doc.Variables[name]; ok {
			report("variable %s is %s, expected to be absent", name, brief(value))
		}
	}
	if !strings.Contains(strings.ToLower(doc.Error), strings.ToLower(e.ErrorContains)) {
		report("error %q, expected to contain %q", doc.Error, e.ErrorContains)
	}
	if e.ErrorIs != "" && doc.Error != e.ErrorIs {
		report("error %q, expected %q", doc.Error, e.ErrorIs)
	}
	return errors.Join(append(problems, e.checkText(got.Body), e.checkLogs(doc.Logs))...)
}

func (e *Expect) checkText(body []byte) error {
	rest := body
	for _, part := range e.AnswerContains {
		_, after, found := bytes.Cut(rest, []byte(part))
		if !found {
			return fmt.Errorf("the answer lacks %s in its place: %s", part, brief(body))
		}
		rest = after
	}
	for _, part := range e.AnswerLacks {
		if bytes.Contains(body, []byte(part)) {
			return fmt.Errorf("the answer contains %s: %s", part, brief(body))
		}
	}
	return nil
}

func (e *Expect) checkLogs(got []map[string]any) error {
	if e.Logs == nil {
		return nil
	}
	if len(got) != len(e.Logs) {
		return fmt.Errorf("%d log entries, expected %d: %v", len(got), len(e.Logs), got)
	}
	for i, want := range e.Logs {
		for name, value := range want {
			if fmt.Sprint(got[i][name]) != fmt.Sprint(value) {
				return fmt.Errorf("log entry %d: %s is %v, expected %v", i, name, got[i][name], value)
			}
		}
	}
	return nil
}

func brief(text []byte) string {
	const most = 400
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// SameValue compares two JSON texts: numbers by value, objects without regard to order.
func SameValue(a, b json.RawMessage) bool {
	x, errX := parse(a)
	y, errY := parse(b)
	return errX == nil && errY == nil && same(x, y)
}

func parse(text json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	return value, err
}

func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, okX := new(big.Rat).SetString(a.String())
		y, okY := new(big.Rat).SetString(b.String())
		return okX && okY && x.Cmp(y) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key, value := range a {
			other, there := b[key]
			if !there || !same(value, other) {
				return false
			}
		}
		return true
	default:
		return a == b
	}
}

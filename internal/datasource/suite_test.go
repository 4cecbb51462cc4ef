package datasource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// step is one call of the suite and what it must answer, on every database.
type step struct {
	Exec   json.RawMessage
	Select []json.RawMessage // fields, table, where
	Insert []json.RawMessage // fields, values, table
	Update []json.RawMessage // fields, values, table, where
	Delete []json.RawMessage // table, where
	Create []json.RawMessage // fields, types, table
	Exists string
	Only   string // the dialect that the step is for

	Is       bool
	Query    bool
	Columns  []string
	Rows     json.RawMessage
	Affected *int64
	Refused  string
	Error    string
}

func TestSuite(t *testing.T) {
	var cases []struct {
		Name  string
		Steps []step
	}
	readTests(t, "suite.json", &cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, source Source) {
				for i, s := range c.Steps {
					if s.Only == "" || strings.EqualFold(s.Only, source.Dialect().String()) {
						s.check(t, fmt.Sprintf("step %d", i+1), source)
					}
				}
			})
		})
	}
}

func (s step) check(t *testing.T, name string, source Source) {
	t.Helper()
	if s.Exists != "" {
		if is, err := source.TableExists(context.Background(), s.Exists, Limits{}); err != nil || is != s.Is {
			t.Errorf("%s: table %s exists: %v, %v", name, s.Exists, is, err)
		}
		return
	}
	result, err := s.run(source)
	if s.Refused != "" || s.Error != "" {
		s.checkError(t, name, err)
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if s.Columns != nil && !slices.Equal(result.Columns, s.Columns) {
		t.Errorf("%s: columns %q, want %q", name, result.Columns, s.Columns)
	}
	if result.IsQuery != (s.Rows != nil || s.Query) {
		t.Errorf("%s: is a query: %v", name, result.IsQuery)
	}
	if s.Rows != nil {
		var want bytes.Buffer
		if err := json.Compact(&want, s.Rows); err != nil {
			t.Fatal(err)
		}
		if got := rowsText(result); got != want.String() {
			t.Errorf("%s: rows\n%s\nwant\n%s", name, got, want.String())
		}
	}
	if s.Affected != nil && result.Affected != *s.Affected {
		t.Errorf("%s: affected %d, want %d", name, result.Affected, *s.Affected)
	}
}

func (s step) checkError(t *testing.T, name string, err error) {
	t.Helper()
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("%s: %v is no error of this package", name, err)
	}
	kind, text := KindDatabase, s.Error
	if s.Refused != "" {
		kind, text = KindRefused, s.Refused
	}
	if failure.Kind != kind || !strings.Contains(strings.ToLower(failure.Message), strings.ToLower(text)) {
		t.Errorf("%s: %+v, want %q", name, failure, text)
	}
}

func (s step) run(source Source) (*Result, error) {
	ctx, limits := context.Background(), Limits{}
	switch {
	case s.Select != nil:
		return source.Select(ctx, argumentOf(s.Select[0]), nameOf(s.Select[1]), statementOf(s.Select[2]), limits)
	case s.Insert != nil:
		return source.Insert(ctx, argumentOf(s.Insert[0]), argumentOf(s.Insert[1]), nameOf(s.Insert[2]), limits)
	case s.Update != nil:
		return source.Update(ctx, argumentOf(s.Update[0]), argumentOf(s.Update[1]), nameOf(s.Update[2]), statementOf(s.Update[3]), limits)
	case s.Delete != nil:
		return source.Delete(ctx, nameOf(s.Delete[0]), statementOf(s.Delete[1]), limits)
	case s.Create != nil:
		return source.CreateTable(ctx, argumentOf(s.Create[0]), argumentOf(s.Create[1]), nameOf(s.Create[2]), limits)
	}
	parts, err := testParts(s.Exec)
	if err != nil {
		return nil, err
	}
	return source.Exec(ctx, Template(parts...), limits)
}

func nameOf(raw json.RawMessage) string { return fmt.Sprint(testValue(raw)) }

// argumentOf is a list argument: a text, a list, or {"parts": …}.
func argumentOf(raw json.RawMessage) any {
	var template struct{ Parts json.RawMessage }
	if json.Unmarshal(raw, &template) == nil && template.Parts != nil {
		return statementOf(raw)
	}
	return testValue(raw)
}

func statementOf(raw json.RawMessage) Statement {
	var template struct{ Parts json.RawMessage }
	if json.Unmarshal(raw, &template) == nil && template.Parts != nil {
		raw = template.Parts
	}
	parts, err := testParts(raw)
	if err != nil {
		panic(err)
	}
	return Template(parts...)
}

func rowsText(result *Result) string {
	rows := make([]any, len(result.Rows))
	for i, row := range result.Rows {
		rows[i] = any(row)
	}
	return string(appendJSON(nil, rows))
}

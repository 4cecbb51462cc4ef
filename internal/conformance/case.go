package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Case is one request and its expected answer.
type Case struct {
	ID        string                     `json:"id"`
	Area      string                     `json:"area"`
	Why       string                     `json:"why,omitempty"` // the sentence of the definition that the case was derived from
	Script    string                     `json:"script"`
	Variables json.RawMessage            `json:"variables,omitempty"`
	Query     Query                      `json:"query,omitempty"`
	Body      map[string]json.RawMessage `json:"body,omitempty"` // members merged beside the script
	Expect    Expect                     `json:"expect"`

	File string `json:"-"` // where the case stands
}

// Expect says what an answer must look like. Members that are absent are not looked at.
type Expect struct {
	Status         int                        `json:"status"`
	Result         json.RawMessage            `json:"result,omitempty"`    // the complete map of results
	Variables      map[string]json.RawMessage `json:"variables,omitempty"` // only those to look at
	Absent         []string                   `json:"absent,omitempty"`    // variables that must not be there
	ErrorContains  string                     `json:"error_contains,omitempty"`
	ErrorIs        string                     `json:"error_is,omitempty"`        // the whole message
	AnswerContains []string                   `json:"answer_contains,omitempty"` // parts of the answer as text, in this order
	AnswerLacks    []string                   `json:"answer_lacks,omitempty"`
	Logs           []map[string]any           `json:"logs,omitempty"` // one per entry, the members to look at
}

// Query is an encoded query string. In a case it is that text itself, or an object whose values are a text or, for
// repeated names, a list of texts; the order of the object's members is kept.
type Query string

// UnmarshalJSON reads either form.
func (q *Query) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, (*string)(q))
	}
	var pairs []string
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		values, repeated := value.([]any)
		if !repeated {
			values = []any{value}
		}
		for _, v := range values {
			pairs = append(pairs, url.QueryEscape(fmt.Sprint(name))+"="+url.QueryEscape(fmt.Sprint(v)))
		}
	}
	*q = Query(strings.Join(pairs, "&"))
	return nil
}

// Load reads the cases of every *.json file in dir, in the order of the files' names.
func Load(dir fs.FS) ([]Case, error) {
	files, err := fs.Glob(dir, "*.json")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var cases []Case
	seen := make(map[string]string)
	for _, file := range files {
		data, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		var list []Case
		if err := decoder.Decode(&list); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, c := range list {
			if other, twice := seen[c.ID]; twice {
				return nil, fmt.Errorf("%s: case %s stands in %s too", file, c.ID, other)
			}
			seen[c.ID], c.File = file, path.Base(file)
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// Request is the body of the case's request. The port of the loopback server takes the place of {PORT}.
func (c *Case) Request(port string) ([]byte, error) {
	members := map[string]any{"script": strings.ReplaceAll(c.Script, "{PORT}", port)}
	for name, value := range c.Body {
		members[name] = value
	}
	if c.Variables != nil {
		members["variables"] = c.Variables
	}
	return json.Marshal(members)
}

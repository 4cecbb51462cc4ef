package manual

import (
	"fmt"
	"strings"
)

// Example is a script in a document, and what must come of it.
type Example struct {
	Name   string // the document, and the line of the fence
	Script string
	// Needs are the commands without which it cannot run.
	Needs []string
	// Files can be imported by their names.
	Files map[string]string
	// Request is a JSON object, or empty.
	Request string
	// Want are the expected parts of the answer.
	Want []Part
	// Lines are the first and the last line of the script's text in the
	// document, counted from 0.
	FirstLine, LastLine int
}

// Part is one part of an answer: result, variables, logs or answer.
type Part struct {
	Kind string
	JSON string
	// Status is expected beside a result.
	Status string
	// FirstLine and LastLine are those of its text in the document, counted
	// from 0; the last is before the first when there is no text.
	FirstLine, LastLine int
}

// block is a fenced block.
type block struct {
	info        []string
	text        string
	first, last int
}

// blocks finds the fenced blocks of a document.
func blocks(markdown string) []block {
	var found []block
	lines := strings.Split(markdown, "\n")
	for i := 0; i < len(lines); i++ {
		fence := lines[i][:len(lines[i])-len(strings.TrimLeft(lines[i], "`"))]
		if len(fence) < 3 {
			continue
		}
		end := i + 1
		for end < len(lines) && lines[end] != fence {
			end++
		}
		text := strings.Join(lines[i+1:min(end, len(lines))], "\n")
		found = append(found, block{info: strings.Fields(lines[i][len(fence):]), text: text, first: i + 1, last: end - 1})
		i = end
	}
	return found
}

// Examples finds the examples of a document.
func Examples(document, markdown string) ([]Example, error) {
	var found []Example
	files := make(map[string]string)
	for _, b := range blocks(markdown) {
		place := fmt.Sprintf("%s:%d", document, b.first)
		switch {
		case len(b.info) > 0 && b.info[0] == "avap":
			e := Example{Name: place, Script: b.text, FirstLine: b.first, LastLine: b.last, Files: files}
			file, err := readTags(&e, b.info[1:])
			if err != nil {
				return nil, err
			}
			if file != "" {
				files[file] = b.text
				continue
			}
			found, files = append(found, e), make(map[string]string)
		case len(b.info) > 1 && b.info[0] == "json":
			if len(found) == 0 {
				return nil, fmt.Errorf("%s: %s without an example", place, b.info[1])
			}
			if err := attach(&found[len(found)-1], b); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func readTags(e *Example, tags []string) (file string, err error) {
	for _, tag := range tags {
		name, value, _ := strings.Cut(tag, "=")
		switch name {
		case "needs":
			e.Needs = strings.Split(value, ",")
		case "file":
			file = value
		default:
			return "", fmt.Errorf("%s: unknown tag %s", e.Name, tag)
		}
	}
	return file, nil
}

// attach gives an example a block that belongs to it.
func attach(e *Example, b block) error {
	switch kind := b.info[1]; kind {
	case "request":
		e.Request = b.text
	case "result", "variables", "logs", "answer":
		part := Part{Kind: kind, JSON: b.text, Status: "200", FirstLine: b.first, LastLine: b.last}
		if len(b.info) > 2 {
			part.Status = strings.TrimPrefix(b.info[2], "status=")
		}
		e.Want = append(e.Want, part)
	default:
		return fmt.Errorf("%s: unknown block %s", e.Name, kind)
	}
	return nil
}

// errorMark stands in front of the message on a line that fails.
const errorMark = "// error:"

// Failure is an expected error.
type Failure struct {
	Line    int // in the script, from 1
	Message string
}

// Failures are the errors that an example announces.
func (e *Example) Failures() []Failure {
	var found []Failure
	for i, line := range strings.Split(e.Script, "\n") {
		if _, message, ok := strings.Cut(line, errorMark); ok {
			found = append(found, Failure{Line: i + 1, Message: strings.TrimSpace(message)})
		}
	}
	return found
}

package oracle

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
)

//go:embed python.py
var pythonSource string

// Answer is what a program or an expression comes to. Result is nil for an error, whose message is empty where the
// language leaves it open.
type Answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

type question struct {
	ID        string          `json:"id"`
	Source    string          `json:"source"`
	Variables json.RawMessage `json:"variables,omitempty"`
}

type reply struct {
	ID           string `json:"id"`
	Unanswerable bool   `json:"unanswerable"`
	Answer
}

// askPython answers questions in their order. A nil answer means that the program leaves the common ground.
func askPython(questions []question) ([]*Answer, error) {
	var input bytes.Buffer
	encoder := json.NewEncoder(&input)
	encoder.SetEscapeHTML(false)
	for _, q := range questions {
		if err := encoder.Encode(q); err != nil {
			return nil, err
		}
	}
	var output, complaints bytes.Buffer
	python := exec.Command("python3", "-c", pythonSource)
	python.Stdin, python.Stdout, python.Stderr = &input, &output, &complaints
	if err := python.Run(); err != nil {
		return nil, fmt.Errorf("python3: %w\n%s", err, complaints.String())
	}
	answers := make([]*Answer, 0, len(questions))
	scanner := bufio.NewScanner(&output)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var r reply
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			return nil, err
		}
		if want := questions[len(answers)].ID; r.ID != want {
			return nil, fmt.Errorf("python3 answered %s, asked %s", r.ID, want)
		}
		if r.Unanswerable {
			answers = append(answers, nil)
			continue
		}
		answers = append(answers, &r.Answer)
	}
	if len(answers) != len(questions) {
		return nil, fmt.Errorf("python3 gave %d answers to %d questions", len(answers), len(questions))
	}
	return answers, scanner.Err()
}

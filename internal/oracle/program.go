package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// Program is a generated program with its answer.
type Program struct {
	Seed   uint64 `json:"seed"`
	Script string `json:"script"`
	Answer
}

// ReadPrograms reads a file with one program per line.
func ReadPrograms(path string) ([]Program, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var programs []Program
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var p Program
		if err := json.Unmarshal(scanner.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, len(programs)+1, err)
		}
		programs = append(programs, p)
	}
	return programs, scanner.Err()
}

func writePrograms(path string, programs []Program) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	for _, p := range programs {
		if err := encoder.Encode(p); err != nil {
			return err
		}
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

// longestResult keeps the golden file small: long results are mostly one text or list that has been doubled often.
const longestResult = 2000

// answered generates programs from consecutive seeds and keeps those that Python answers.
func answered(firstSeed uint64, count int) ([]Program, error) {
	questions := make([]question, count)
	programs := make([]Program, count)
	for i := range count {
		seed := firstSeed + uint64(i)
		script, python := Generate(seed)
		programs[i] = Program{Seed: seed, Script: script}
		questions[i] = question{ID: fmt.Sprint(seed), Source: python}
	}
	answers, err := askPython(questions)
	if err != nil {
		return nil, err
	}
	kept := programs[:0]
	for i, answer := range answers {
		if answer != nil && len(answer.Result) <= longestResult {
			programs[i].Answer = *answer
			kept = append(kept, programs[i])
		}
	}
	return kept, nil
}

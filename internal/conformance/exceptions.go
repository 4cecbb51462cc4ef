package conformance

import (
	"bufio"
	"io"
	"strings"
)

// ReadExceptions reads the identifiers of the cases that do not pass yet, one per line; `#` starts a comment.
func ReadExceptions(r io.Reader) (map[string]bool, error) {
	listed := make(map[string]bool)
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		line, _, _ := strings.Cut(scanner.Text(), "#")
		for id := range strings.FieldsSeq(line) {
			listed[id] = true
		}
	}
	return listed, scanner.Err()
}

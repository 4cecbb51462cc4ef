package cli

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/signature"
)

// stdinName is the argument that stands for standard input.
const stdinName = "-"

// maxFileBytes bounds what is read of a file: as much as the largest source
// that a server can be set to take. Devices have no end.
const maxFileBytes = 64 << 20

// readScript reads a script from a file, or from standard input.
func readScript(p *Process, name string) ([]byte, error) {
	content, err := readProgram(p, name)
	if err == nil && isModule(content) {
		return nil, usageError("%s is a WebAssembly module, not a script", fileName(name))
	}
	return content, err
}

// readProgram reads a script or a module. A private key that was named by
// mistake is neither sent nor shown in findings.
func readProgram(p *Process, name string) ([]byte, error) {
	content, err := readInput(p, name)
	if err == nil && signature.IsPrivateKey(content) {
		return nil, usageError("%s is a private key, not a script", fileName(name))
	}
	return content, err
}

// readInput reads a file, or standard input.
func readInput(p *Process, name string) ([]byte, error) {
	if name == "" {
		return nil, usageError("the name of the file is empty")
	}
	if name == stdinName {
		content, err := readBounded(p.Stdin)
		if err != nil {
			return nil, usageError("standard input cannot be read: %v", err)
		}
		return content, nil
	}
	content, err := readFile(name)
	if err != nil {
		return nil, usageError("%s", fileProblem(name, err))
	}
	return content, nil
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name) //nolint:gosec // the path is the user's own
	if err != nil {
		return nil, err //nolint:wrapcheck // fileProblem words it
	}
	defer file.Close()
	content, err := readBounded(file)
	if err == errTooLarge { //nolint:errorlint // it is that very error
		err = &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return content, err
}

var errTooLarge = fmt.Errorf("there are more than %d bytes", maxFileBytes)

func readBounded(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err == nil && len(content) > maxFileBytes {
		return nil, errTooLarge
	}
	return content, err //nolint:wrapcheck // callers word it
}

// isModule reports whether the content is a WebAssembly module.
func isModule(content []byte) bool { return bytes.HasPrefix(content, []byte("\x00asm")) }

// readObject takes the value of a flag that holds a JSON object, or @ and the
// name of a file with one.
func readObject(p *Process, flag, value string) ([]byte, error) {
	if value == "" {
		return nil, nil
	}
	text := []byte(value)
	if name, isFile := strings.CutPrefix(value, "@"); isFile {
		var err error
		if text, err = readInput(p, name); err != nil {
			return nil, err
		}
	}
	object := jsontext.Value(bytes.TrimSpace(text))
	if !object.IsValid(jsontext.AllowDuplicateNames(true)) || object.Kind() != jsontext.KindBeginObject {
		return nil, usageError("--%s must be a JSON object, or @ and the name of a file with one", flag)
	}
	return object, nil
}

// mergeVariables adds the name=value texts of --var behind the members of
// --vars; of the same name, the last wins.
func mergeVariables(object []byte, vars []string) ([]byte, error) {
	if len(vars) == 0 {
		return object, nil
	}
	out := bytes.TrimSuffix(bytes.TrimSpace(object), []byte("}"))
	if len(out) == 0 {
		out = []byte("{")
	}
	out = bytes.Clone(out)
	for _, v := range vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usageError("--var is %q; it takes name=value", v)
		}
		if len(bytes.TrimSpace(out)) > 1 {
			out = append(out, ',')
		}
		var err error
		if out, err = jsontext.AppendQuote(out, name); err != nil {
			return nil, usageError("--var %s: the name is not UTF-8", v)
		}
		out = append(out, ':')
		if out, err = appendValue(out, value); err != nil {
			return nil, usageError("--var %s: the value is not UTF-8", v)
		}
	}
	return append(out, '}'), nil
}

// appendValue writes a value that is JSON as it is, and everything else as
// text.
func appendValue(out []byte, value string) ([]byte, error) {
	if json := jsontext.Value(strings.TrimSpace(value)); json.IsValid(jsontext.AllowDuplicateNames(true)) {
		return append(out, json...), nil
	}
	return jsontext.AppendQuote(out, value) //nolint:wrapcheck // the caller words it
}

func readParams(params []string) ([]engine.Pair, error) {
	pairs := make([]engine.Pair, 0, len(params))
	for _, v := range params {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usageError("--param is %q; it takes name=value", v)
		}
		pairs = append(pairs, engine.Pair{Name: name, Value: value})
	}
	return pairs, nil
}

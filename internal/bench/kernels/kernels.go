// Package kernels holds computations that are written in AVAP, in Go and in
// other languages for scripts: the same work in the idiom of each, with the
// same answer.
package kernels

import (
	"bufio"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Kernel is one computation.
type Kernel struct {
	Name, Title string
	Answer      int64
}

// All are the kernels.
var All = []Kernel{
	{"fib", "fib(30), recursive", 832040},
	{"ints", "a loop in a loop, 1e6 turns, integers", 2576574},
	{"floats", "a loop of 1e6 turns, floats", 429571},
	{"sieve", "primes below 200 000", 17984},
	{"nbody", "five bodies, 1000 steps", -169301063},
	{"text", "text of 1e5 parts", 1088895},
	{"dict", "1e5 counts in a dict of 1009 keys", 1009099},
	{"json", "2000 records from JSON to JSON", 7800},
}

//go:embed avap kernels.* node.js
var files embed.FS

// Script is a kernel in AVAP.
func (k Kernel) Script() string { return file(filepath.ToSlash("avap/" + k.Name + ".avap")) }

func file(name string) string {
	raw, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(raw)
}

// Input is the JSON that the last kernel reads.
func Input() []byte {
	type document struct {
		Rows []row `json:"rows"`
	}
	var d document
	for i := range int64(2000) {
		d.Rows = append(d.Rows, row{i, fmt.Sprintf("item %d", i), float64(i%100) + 0.25, i % 10, []string{fmt.Sprintf("a%d", i%7), "b"}})
	}
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err) // plain data
	}
	return raw
}

// Language is one in which the kernels are written.
type Language struct {
	Name string
	// Program runs the kernels: for each line of input, which names one, it
	// prints the answer and the nanoseconds it took. Rivals are those of this
	// repository.
	Program string
	Rival   bool
	// sources are the files of the text, put behind each other.
	sources []string
	before  string
	suffix  string
	// Without lists kernels that the language lacks something for.
	Without []string
}

// Languages are those besides AVAP and Go.
var Languages = []Language{
	{Name: "goja", Rival: true, sources: []string{"kernels.js"}, suffix: ".js"},
	{Name: "starlark-go", Rival: true, sources: []string{"kernels.star"}, suffix: ".star"},
	{Name: "python3", Program: "python3", sources: []string{"kernels.py"}, suffix: ".py"},
	{Name: "lua5.4", Program: "lua5.4", sources: []string{"kernels.lua"}, suffix: ".lua", Without: []string{"json"}},
	{Name: "luajit", Program: "luajit", sources: []string{"kernels.lua"}, suffix: ".lua", Without: []string{"json"}},
	{
		Name: "node", Program: "node", sources: []string{"kernels.js", "node.js"}, suffix: ".js",
		before: "const ROWS = require(\"node:fs\").readFileSync(process.argv[2], \"utf8\");\n",
	},
}

// Installed reports whether the language's program is on this machine.
func (l *Language) Installed() bool {
	_, err := exec.LookPath(l.Program)
	return l.Rival || err == nil
}

// Arguments writes what the language's program needs into a directory and
// gives its arguments.
func (l *Language) Arguments(dir string) ([]string, error) {
	var source strings.Builder
	source.WriteString(l.before)
	for _, name := range l.sources {
		source.WriteString(file(name))
	}
	program := filepath.Join(dir, l.Name+l.suffix)
	if err := os.WriteFile(program, []byte(source.String()), 0o600); err != nil {
		return nil, fmt.Errorf("kernels: %w", err)
	}
	rows := filepath.Join(dir, l.Name+"-rows.json")
	if err := os.WriteFile(rows, Input(), 0o600); err != nil {
		return nil, fmt.Errorf("kernels: %w", err)
	}
	return []string{program, rows}, nil
}

// ServeNative does for Go what the other languages' programs do.
func ServeNative(in io.Reader, out io.Writer) error {
	rows := Input()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f, ok := native[lines.Text()]
		if !ok {
			return fmt.Errorf("there is no kernel %q", lines.Text())
		}
		began := time.Now()
		answer := f(rows)
		fmt.Fprintln(out, answer, time.Since(began).Nanoseconds())
	}
	return lines.Err() //nolint:wrapcheck // of the program's own input
}

// Ask has one kernel run by a program that was started with Arguments.
func Ask(to io.Writer, from *bufio.Reader, k Kernel) (time.Duration, error) {
	if _, err := fmt.Fprintln(to, k.Name); err != nil {
		return 0, fmt.Errorf("kernels: %w", err)
	}
	line, err := from.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("kernels: %w", err)
	}
	var answer, took int64
	if _, err := fmt.Sscan(strings.TrimSpace(line), &answer, &took); err != nil {
		return 0, fmt.Errorf("kernels: %q: %w", line, err)
	}
	if answer != k.Answer {
		return 0, fmt.Errorf("kernels: %s gives %d, which is not %d", k.Name, answer, k.Answer)
	}
	return time.Duration(took), nil
}

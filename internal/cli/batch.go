package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/avapd/avapd/internal/diag"
)

// input is a file that a command was given, by name or as part of a directory.
type input struct {
	name string
	// below is its path from the directory that was given, or its name alone.
	below string
}

// inputs are the files of a command that takes many. It does the same with one
// as with several, but of several it tells how far it is and what came of
// them.
type inputs struct {
	files   []input
	several bool
}

// maxInputs bounds what a directory can hold for one command.
const maxInputs = 100_000

// readInputs finds the files that the arguments name. Of directories these are
// all files with the ending below them, but for what is hidden.
func readInputs(args []string, ending string) (inputs, error) {
	in := inputs{several: len(args) > 1}
	seen := map[string]bool{}
	add := func(name, below string) error {
		if len(in.files) >= maxInputs {
			return usageError("there are more than %d files; give them in several commands", maxInputs)
		}
		if path := filepath.Clean(name); !seen[path] {
			seen[path] = true
			in.files = append(in.files, input{name, below})
		}
		return nil
	}
	for _, arg := range args {
		info, err := os.Stat(arg)
		if arg == stdinName || err != nil || !info.IsDir() {
			if arg == stdinName && in.several {
				return inputs{}, usageError("standard input cannot be one of several files")
			}
			if err := add(arg, filepath.Base(arg)); err != nil {
				return inputs{}, err
			}
			continue
		}
		in.several = true
		before := len(in.files)
		if err := walk(arg, ending, add); err != nil {
			return inputs{}, err
		}
		if len(in.files) == before {
			return inputs{}, usageError("%s has no file that ends in %s", arg, ending)
		}
	}
	return in, nil
}

func walk(dir, ending string, add func(name, below string) error) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return usageError("%s", fileProblem(path, err))
		case path != dir && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !strings.HasSuffix(path, ending):
			return nil
		}
		below, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return add(path, below)
	})
	return err //nolint:wrapcheck // it is a usageError, or a defect
}

// outputs gives each input the file to write, which must not be one of another
// input. With a target that is a directory, or must be one as there are
// several inputs, this is the file's place below it.
func (in inputs) outputs(target string, rename func(name string) string) ([]string, error) {
	out := make([]string, len(in.files))
	taken := map[string]string{}
	for i, file := range in.files {
		switch {
		case target == "":
			out[i] = rename(file.name)
		case in.several:
			out[i] = filepath.Join(target, rename(file.below))
		default:
			out[i] = target
		}
		path := filepath.Clean(out[i])
		if other, ok := taken[path]; ok {
			return nil, usageError("%s and %s would both become %s", other, file.name, out[i])
		}
		taken[path] = file.name
	}
	if target == stdinName && in.several {
		return nil, usageError("standard output takes one file; there are several")
	}
	return out, nil
}

// outcome is what came of one file.
type outcome struct {
	File    string `json:"file"`
	Success bool   `json:"success"`
	// Output is the file that was written.
	Output  string        `json:"output,omitempty"`
	Signers []signerShown `json:"signers,omitempty"`
	// Command is what the file became on a server.
	Command *pushed `json:"command,omitempty"`
	// Error says why there was no success, if no diagnostic does.
	Error string `json:"error,omitempty"`
	// Code, Suggestion and NextStep are those of a server's refusal.
	Code        string    `json:"code,omitempty"`
	Suggestion  string    `json:"suggestion,omitempty"`
	NextStep    string    `json:"next_step,omitempty"`
	Diagnostics diag.List `json:"diagnostics,omitempty"`

	// line is what is shown of a success, unless it is empty.
	line string
	// complaint is what is shown of an error.
	complaint string
	code      int
	text      func(file string) []byte // for excerpts; may be missing
}

// fail makes the outcome one of failure.
func (o outcome) fail(err error) outcome {
	o.Success, o.Output = false, ""
	list, isList := errors.AsType[diag.List](err)
	one, isOne := errors.AsType[diag.Diagnostic](err)
	exit, isExit := errors.AsType[*exitError](err)
	switch {
	case isList:
		o.Diagnostics, o.code = list, exitCode(firstError(list))
	case isOne:
		one.Span.Start.File = o.File
		o.Diagnostics, o.code = diag.List{one}, exitCode(one.Code)
	case isExit:
		told := exit.told
		o.Error, o.Code, o.Suggestion, o.NextStep = cmp.Or(told.Message, exit.text), told.Code, told.Suggestion, told.NextStep
		o.complaint, o.code = exit.text, exit.code
	default:
		o.Error, o.complaint, o.code = err.Error(), err.Error(), exitInternal
	}
	return o
}

// batchResult is the JSON form of what came of all files.
type batchResult struct {
	Success bool      `json:"success"`
	Files   []outcome `json:"files"`
}

// batch does the same with several files and shows what came of each.
type batch struct {
	p      *Process
	output string // text or json
	verb   string // what is done with a file, in the past tense
}

func (b *batch) run(ctx context.Context, in inputs, do func(i int, file input) outcome) error {
	bar := b.bar(in)
	result := batchResult{Success: true, Files: []outcome{}}
	code, failed := exitOK, 0
	for i, file := range in.files {
		if err := ctx.Err(); err != nil {
			return usageError("interrupted after %d of %d files", i, len(in.files))
		}
		o := do(i, file)
		result.Files = append(result.Files, o)
		if !o.Success {
			result.Success = false
			code = max(code, o.code)
			failed++
		}
		if b.output == "json" {
			bar.advance()
			continue
		}
		bar.hide()
		if err := b.show(o); err != nil {
			return err
		}
		bar.advance()
	}
	bar.hide()
	if b.output == "json" {
		if err := printJSON(b.p, result); err != nil {
			return err
		}
	} else if in.several {
		fmt.Fprintln(b.p.Stderr, summary(len(in.files), failed, b.verb))
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

func summary(files, failed int, verb string) string {
	noun := "files"
	if files == 1 {
		noun = "file"
	}
	if failed == 0 {
		return fmt.Sprintf("%d %s %s", files, noun, verb)
	}
	return fmt.Sprintf("%d %s: %d %s, %d failed", files, noun, files-failed, verb, failed)
}

func (b *batch) show(o outcome) error {
	if o.complaint != "" {
		fmt.Fprintf(b.p.Stderr, "avap: %s\n", o.complaint)
	}
	text := o.text
	if text == nil {
		text = func(string) []byte { return nil }
	}
	if err := diag.Render(b.p.Stderr, o.Diagnostics, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if o.line == "" || !o.Success {
		return nil
	}
	_, err := fmt.Fprintln(b.p.Stdout, o.line)
	return written(err)
}

// progress is a bar on a terminal, or nothing.
type progress struct{ bar *progressbar.ProgressBar }

// bar makes the bar: for several files, where somebody is looking.
func (b *batch) bar(in inputs) progress {
	if !in.several || !isTerminal(b.p.Stderr) {
		return progress{}
	}
	return progress{progressbar.NewOptions(len(in.files),
		progressbar.OptionSetWriter(b.p.Stderr),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

// A bar that cannot be drawn is no reason to stop.
func (g progress) advance() {
	if g.bar != nil {
		_ = g.bar.Add(1)
	}
}

func (g progress) hide() {
	if g.bar != nil {
		_ = g.bar.Clear()
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

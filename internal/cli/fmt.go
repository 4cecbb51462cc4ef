package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
)

// fmtFlags are the flags of fmt.
type fmtFlags struct {
	write, list, diff, check bool
	form                     string // of the output
}

// layout is what came of one script, in JSON.
type layout struct {
	File    string `json:"file"`
	Success bool   `json:"success"`
	// Changed tells that the layout is another one than the script's, Written that
	// the script has it now.
	Changed bool `json:"changed"`
	Written bool `json:"written"`
	// Text is the layout, Diff what would change, where the flags ask for them.
	Text        *string   `json:"text,omitempty"`
	Diff        *string   `json:"diff,omitempty"`
	Diagnostics diag.List `json:"diagnostics,omitempty"`
}

// layouts are what came of all scripts.
type layouts struct {
	Success bool     `json:"success"`
	Files   []layout `json:"files"`
}

func fmtCommand(p *Process) *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:   "fmt [FILE…]",
		Short: "Lay out scripts in the one canonical way",
		Long: `Lay out scripts in the one canonical way: a statement per line, blocks indented
by four blanks, blanks around operators and behind commas. Comments, groups of
lines, line breaks inside brackets and the text of all literals stay. Arguments
of commands stay as they are where their text may be their value.

Without flags the layout goes to standard output. Without a file, and for a file
named -, standard input is read. A script with errors is not touched.

The exit code is 1 if a script has errors, and with --list or --check if the
layout of a script is another one than this.`,
		Example: `  avap fmt -w order.avap tax.avap
  avap fmt --diff order.avap
  avap fmt --list *.avap
  avap fmt --check --output json order.avap
  avap fmt < order.avap`,
		RunE: func(_ *cobra.Command, files []string) error {
			if len(files) == 0 {
				files = []string{stdinName}
			}
			return f.run(p, files)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.write, "write", "w", false, "write the layout to the file instead of standard output")
	flags.BoolVarP(&f.list, "list", "l", false, "list the files with another layout")
	flags.BoolVarP(&f.diff, "diff", "d", false, "show what would change")
	flags.BoolVar(&f.check, "check", false, "write nothing; only the exit code tells")
	outputFlag(cmd, &f.form)
	return cmd
}

func (f *fmtFlags) run(p *Process, files []string) error {
	if err := chosen("output", f.form, "text", "json"); err != nil {
		return err
	}
	code := exitOK
	all := layouts{Success: true, Files: []layout{}}
	for _, name := range files {
		if name == stdinName && f.write {
			return usageError("--write needs files; standard input cannot be written")
		}
		content, err := readScript(p, name)
		if err != nil {
			return err
		}
		s := script{name: name, content: content}
		l, err := f.layOut(s)
		if err != nil {
			return err
		}
		switch {
		case !l.Success:
			code = max(code, exitCode(firstError(l.Diagnostics)))
		case l.Changed && (f.list || f.check):
			code = max(code, exitScript)
		}
		all.Success = all.Success && l.Success
		all.Files = append(all.Files, l)
		if f.form == "text" {
			if err := f.show(p, s, &l); err != nil {
				return err
			}
		}
	}
	if f.form == "json" {
		if err := printJSON(p, all); err != nil {
			return err
		}
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

// layOut does with a script what the flags ask for.
func (f *fmtFlags) layOut(s script) (layout, error) {
	name := fileName(s.name)
	out, findings := compiler.Format(s.source(), s.options(false))
	if findings.HasErrors() {
		return layout{File: name, Diagnostics: findings}, nil
	}
	l := layout{File: name, Success: true, Changed: !bytes.Equal(s.content, out)}
	if f.diff {
		text := string(diff.Diff(name+".orig", s.content, name, out))
		l.Diff = &text
	}
	if !f.list && !f.diff && !f.check && !f.write {
		text := string(out)
		l.Text = &text
	}
	if f.write && l.Changed {
		if err := replaceFile(s.name, out); err != nil {
			return layout{}, err
		}
		l.Written = true
	}
	return l, nil
}

// show prints what came of a script.
func (f *fmtFlags) show(p *Process, s script, l *layout) error {
	if err := diag.Render(p.Stderr, l.Diagnostics, s.text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	var shown strings.Builder
	if f.list && l.Changed {
		shown.WriteString(l.File + "\n")
	}
	for _, text := range []*string{l.Diff, l.Text} {
		if text != nil {
			shown.WriteString(*text)
		}
	}
	_, err := io.WriteString(p.Stdout, shown.String())
	return written(err)
}

package cli

import (
	"bytes"
	"fmt"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
)

// fmtFlags are the flags of fmt.
type fmtFlags struct {
	write, list, diff, check bool
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
	return cmd
}

func (f *fmtFlags) run(p *Process, files []string) error {
	code := exitOK
	for _, name := range files {
		if name == stdinName && f.write {
			return usageError("--write needs files; standard input cannot be written")
		}
		content, err := readScript(p, name)
		if err != nil {
			return err
		}
		s := script{name, content}
		out, findings := compiler.Format(s.source(), s.options(false))
		if findings.HasErrors() {
			if err := diag.Render(p.Stderr, findings, s.text); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			code = max(code, exitCode(firstError(findings)))
			continue
		}
		changed := !bytes.Equal(content, out)
		if changed && (f.list || f.check) {
			code = max(code, exitScript)
		}
		if err := f.output(p, s, out, changed); err != nil {
			return err
		}
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

// output does with a layout what the flags ask for.
func (f *fmtFlags) output(p *Process, s script, out []byte, changed bool) error {
	var shown []byte
	if f.list && changed {
		shown = append(shown, fileName(s.name)+"\n"...)
	}
	if f.diff {
		name := fileName(s.name)
		shown = append(shown, diff.Diff(name+".orig", s.content, name, out)...)
	}
	if !f.list && !f.diff && !f.check && !f.write {
		shown = out
	}
	if f.write && changed {
		if err := replaceFile(s.name, out); err != nil {
			return err
		}
	}
	_, err := p.Stdout.Write(shown)
	return written(err)
}

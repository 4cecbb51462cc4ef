package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// Exit codes.
const (
	exitOK       = 0
	exitScript   = 1
	exitUsage    = 2
	exitLimit    = 3
	exitInternal = 4
)

// Process is what a command may touch of the process it runs in.
type Process struct {
	Args    []string // without the program's name
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	// onServe lets a test look at the engine of a server.
	onServe func(*engine.Engine)
}

// exitError ends the program with a code. Its message was printed already if
// it has no text.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// usageError is a mistake on the command line, in a file or in the settings.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Sprintf(format, args...)}
}

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, p Process) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(p.Stderr, "avap: internal error: %v\n%s", r, debug.Stack())
			code = exitInternal
		}
	}()
	root := rootCommand(&p)
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code = exitInternal
	if e, ok := errors.AsType[*exitError](err); ok {
		code = e.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(p.Stderr, "avap: %s\n", text)
	}
	return code
}

func rootCommand(p *Process) *cobra.Command {
	root := &cobra.Command{
		Use:   "avap",
		Short: "Compile and run AVAP scripts in a sandbox",
		Long: `avap compiles AVAP scripts to WebAssembly and runs them in a sandbox, from the
command line or as an HTTP server.

Exit codes: 0 success, 1 script error, 2 wrong usage, 3 stopped by a limit,
4 internal error.`,
		Example: `  echo 'addVar(x, 41 + 1)
  addResult(x)' | avap run -
  avap serve`,
		SilenceErrors: true,
		SilenceUsage:  true,
		// A first word that is no command ends up here.
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(runCommand(p), checkCommand(p), fmtCommand(p), explainCommand(p), buildCommand(p), serveCommand(p), versionCommand(p))
	completion(root)
	return root
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return usageError("there is no command %q%s; `avap --help` lists the commands", name, didYouMean(name, "", names))
}

// flagError words what pflag found wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return usageError("%s; `%s --help` lists the flags", err, cmd.CommandPath())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	name := unknown.GetSpecifiedName()
	dashes := "--"
	if unknown.GetSpecifiedShortnames() != "" {
		dashes = "-"
	}
	return usageError("there is no flag %s%s%s; `%s --help` lists the flags", dashes, name, didYouMean(name, "--", names), cmd.CommandPath())
}

func didYouMean(name, prefix string, candidates []string) string {
	if s := diag.Suggest(name, candidates); s != "" {
		return ", did you mean " + prefix + s + "?"
	}
	return ""
}

// arguments checks the number of arguments; most < 0 means any number.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usageError("%s takes %s, not %d arguments; see `%s --help`", cmd.CommandPath(), what, len(args), cmd.CommandPath())
		}
		return nil
	}
}

// chosen checks a flag that takes one of a few words.
func chosen(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return usageError("--%s is %q; it takes %s", flag, value, strings.Join(allowed, ", "))
}

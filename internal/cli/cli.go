package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// Process is what a command may touch of the process it runs in.
type Process struct {
	Args    []string // without the program's name
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	// Alone says that the process is there for the command only, so that a server
	// may take from it, for good, what it does not need.
	Alone bool

	// onServe lets a test look at the engine of a server.
	onServe func(*engine.Engine)
}

// exitError ends the program with a code. Its message was printed already if
// it has no text.
type exitError struct {
	code int
	text string
	// told is what --output json says of it, beside what the text gives.
	told failureTold
}

func (e *exitError) Error() string { return e.text }

// usageError is a mistake on the command line, in a file or in the settings.
func usageError(format string, args ...any) error {
	return &exitError{code: exitUsage, text: fmt.Sprintf(format, args...)}
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
	cmd, err := root.ExecuteContextC(ctx)
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
	tellFailure(&p, cmd, err)
	return code
}

func rootCommand(p *Process) *cobra.Command {
	root := &cobra.Command{
		Use:   "avap",
		Short: "Compile and run AVAP scripts in a sandbox",
		Long: `avap compiles AVAP scripts to WebAssembly and runs them in a sandbox, from the
command line or as an HTTP server.

` + strings.TrimSuffix(wrap(exitTable()), "\n"),
		Example: `  echo 'addVar(x, 41 + 1)
  addResult(x)' | avap run -
  avap serve`,
		SilenceErrors: true,
		SilenceUsage:  true,
		// A first word that is no command ends up here.
		Args: cobra.ArbitraryArgs,
	}
	showVersion := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return unknownCommand(cmd, args[0])
		case *showVersion:
			return printVersion(p, "text")
		}
		return cmd.Help()
	}
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand(root))
	root.AddCommand(
		runCommand(p), checkCommand(p), fmtCommand(p), explainCommand(p), serveCommand(p), readyCommand(p), configCommand(p), migrateCommand(p), auditCommand(p), importCatalogCommand(p), versionCommand(p),
		buildCommand(p), keygenCommand(p), signCommand(p), verifyCommand(p), inspectCommand(p), diffCommand(p),
	)
	root.AddCommand(serverCommands(p)...)
	completion(root)
	return root
}

// helpCommand is another way to write --help.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show what avap or one of its commands does",
		Example: "  avap help\n  avap help run",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var words []string
			for _, c := range root.Commands() {
				words = append(words, c.Name()+"\t"+c.Short)
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				if cmd == nil {
					cmd = root
				}
				return unknownCommand(cmd, append(rest, args...)[0])
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	meant := ""
	if s := meantCommand(cmd, name); s != "" {
		meant = "did you mean " + s + "? "
	}
	return usageError("there is no command %q; %s`%s --help` lists the commands", name, meant, cmd.CommandPath())
}

// otherWords are what other programs call what commands of this one do.
var otherWords = map[string][]string{
	"run": {"exec", "execute", "start"}, "check": {"lint", "validate"}, "fmt": {"format"}, "build": {"compile"}, "serve": {"server", "daemon"},
	"inspect": {"show", "info"}, "diff": {"compare"}, "push": {"upload", "publish", "deploy"}, "pull": {"download", "get", "fetch"},
	"list": {"ls"}, "delete": {"rm", "remove"}, "remove": {"rm", "delete"}, "rollback": {"undo"}, "call": {"invoke"}, "signer": {"trust", "signers"},
	"import-catalog": {"import"},
}

// meantCommand is the command that a word was probably meant to be, or empty.
// Half of a short word may be wrong if the first letter is right: there are few
// commands.
func meantCommand(cmd *cobra.Command, word string) string {
	var names, alike []string
	for _, c := range cmd.Commands() {
		if slices.Contains(otherWords[c.Name()], strings.ToLower(word)) {
			return c.Name()
		}
		names = append(names, c.Name())
		if word != "" && c.Name()[0] == word[0] {
			alike = append(alike, c.Name())
		}
	}
	return cmp.Or(diag.Suggest(word, names), diag.Nearest(word, alike, min(2, len(word)/2)))
}

// flagError words what pflag found wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usageError("--%s is %q; it takes %s; `%s --help` lists the flags",
			invalid.GetFlag().Name, invalid.GetValue(), taken(invalid), cmd.CommandPath())
	}
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
	return usageError("there is no flag %s%s; %s`%s --help` lists the flags", dashes, name, didYouMean(name, "--", names), cmd.CommandPath())
}

// taken says what a flag takes whose value cannot be read.
func taken(invalid *pflag.InvalidValueError) string {
	switch {
	case invalid.GetFlag().Value.Type() == "bool":
		return "true or false"
	case errors.Is(invalid, strconv.ErrRange):
		return "a whole number of at most 18 digits"
	}
	return "a whole number"
}

// didYouMean is a part of a sentence, or empty.
func didYouMean(name, prefix string, candidates []string) string {
	if s := diag.Suggest(name, candidates); s != "" {
		return "did you mean " + prefix + s + "? "
	}
	return ""
}

// arguments checks the number of arguments; most < 0 means any number.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageError("%s takes %s; see `%s --help`", cmd.Name(), what, cmd.CommandPath())
		case most >= 0 && len(args) > most:
			return usageError("%s takes %s; %q is too many; see `%s --help`", cmd.Name(), what, args[most], cmd.CommandPath())
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

// outputFlag is --output of the commands that print text or JSON.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVar(output, "output", "text", "form of the output: text or json")
}

// getenv gives a variable of the environment, or nothing.
func (p *Process) getenv(name string) string {
	for _, entry := range p.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/client"
)

// serverCommands are the commands about what a server has registered.
func serverCommands(p *Process) []*cobra.Command {
	signer := groupCommand("signer", "Say whose signatures a server trusts, and for what",
		"  avap signer add team --key team.pub --prefix price_ --token-file token\n  avap signer list")
	signer.AddCommand(questionCommands(p, signerQuestions)...)
	commands := []*cobra.Command{pushCommand(p), pullCommand(p), callCommand(p), topCommand(p), keyCommand(p), signer}
	return append(commands, questionCommands(p, commandQuestions)...)
}

// question is a command that asks a server one thing and shows what it answers.
type question struct {
	use, short, long string
	examples         []string
	// args are as many arguments as it takes, and what they are.
	args int
	what string
	// ask gives the command its own flags, and gives what asks and words the answer.
	ask func(p *Process, cmd *cobra.Command) asking
}

type asking func(ctx context.Context, c *client.Client, args []string) (shown, error)

// commandQuestions are about the registered commands, and what is revoked.
var commandQuestions = []question{
	{
		use: "list", short: "List the commands that a server has registered",
		examples: []string{"avap list", "avap list --prefix price_ --disabled false", "avap list --output json"},
		what:     "no argument", ask: askList,
	},
	{
		use: "versions NAME", short: "List the versions of a command, the newest first",
		examples: []string{"avap versions price", "avap versions price --output json"},
		args:     1, what: "the name of a command", ask: plain(versions),
	},
	{
		use: "activate NAME VERSION", short: "Make a version of a command the one that runs",
		examples: []string{"avap activate price 3 --token-file token"},
		args:     2, what: "the name of a command and a version", ask: plain(activate),
	},
	{
		use: "rollback NAME", short: "Make the version of a command run that was active before",
		examples: []string{"avap rollback price --token-file token"},
		args:     1, what: "the name of a command", ask: plain(rollback),
	},
	{
		use: "disable NAME", short: "Keep a command from running, until it is enabled",
		examples: []string{"avap disable price --token-file token"},
		args:     1, what: "the name of a command", ask: plain(disable),
	},
	{
		use: "enable NAME", short: "Let a command run again",
		examples: []string{"avap enable price --token-file token"},
		args:     1, what: "the name of a command", ask: plain(enable),
	},
	{
		use: "delete NAME", short: "Remove a command with all its versions",
		examples: []string{"avap delete price --token-file token"},
		args:     1, what: "the name of a command", ask: plain(deleteNamed),
	},
	{
		use: "revoke key|digest VALUE", short: "Make a key or a module count for nothing on every server, for good",
		long: `Make a key or a module count for nothing on every server, for good. A key is named
by its identifier, as avap signer list shows it, a module by its digest, the 64
hexadecimal digits that avap versions shows.`,
		examples: []string{
			"avap revoke key 0123456789abcdef01234567 --reason 'laptop lost' --token-file token",
			`avap revoke digest "$(sha256sum price.wasm | cut -d' ' -f1)" --reason 'wrong VAT' --token-file token`,
		},
		args: 2, what: "key or digest, and its value", ask: askRevoke,
	},
	{
		use: "revocations", short: "List the keys and modules that are revoked",
		examples: []string{"avap revocations --token-file token"},
		what:     "no argument", ask: plain(revocations),
	},
}

// signerQuestions are about those whose signatures count.
var signerQuestions = []question{
	{
		use: "add NAME --key FILE", short: "Trust the signatures of a key, or change what they are good for",
		long: `Trust the signatures of a key, or change what they are good for. What the flags do
not allow is not allowed, whatever was allowed before: without --capability the
signer may sign no command that needs the host.`,
		examples: []string{
			"avap signer add team --key team.pub --prefix price_ --token-file token",
			"avap signer add ci --key ci.pub --prefix '*' --capability http --capability sql --trusted-compiler --token-file token",
		},
		args: 1, what: "a name for the signer", ask: askSignerAdd,
	},
	{
		use: "list", short: "List those whose signatures a server trusts",
		examples: []string{"avap signer list --token-file token"},
		what:     "no argument", ask: plain(signers),
	},
	{
		use: "remove NAME", short: "Trust the signatures of a signer no longer",
		examples: []string{"avap signer remove team --token-file token"},
		args:     1, what: "the name of a signer", ask: plain(removeSigner),
	},
}

// plain is what a question without flags of its own asks.
func plain(ask asking) func(*Process, *cobra.Command) asking {
	return func(*Process, *cobra.Command) asking { return ask }
}

func questionCommands(p *Process, questions []question) []*cobra.Command {
	commands := make([]*cobra.Command, len(questions))
	for i := range questions {
		commands[i] = questions[i].command(p)
	}
	return commands
}

func (q *question) command(p *Process) *cobra.Command {
	r := new(remote)
	var ask asking
	cmd := r.command(p, &cobra.Command{
		Use: q.use, Short: q.short, Long: q.long, Example: "  " + strings.Join(q.examples, "\n  "), Args: arguments(q.args, q.args, q.what),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		answer, err := ask(ctx, c, args)
		switch {
		case err != nil:
			return err
		case r.output == "json":
			return printJSON(p, answer.document)
		}
		return answer.print(p)
	})
	ask = q.ask(p, cmd)
	return cmd
}

// shown is an answer: a document for programs, lines for readers. Lines with a
// head are the rows of a table, with tabs between their cells.
type shown struct {
	document any
	head     string
	lines    []string
}

// line is an answer of one line.
func line(document any, format string, args ...any) shown {
	return shown{document: document, lines: []string{fmt.Sprintf(format, args...)}}
}

// done tells what was done to something that is gone now.
func done(name, what string, err error) (shown, error) {
	return line(map[string]any{"name": name, what: true}, "%s: %s", name, what), err
}

// tabled is an answer with a row for each of a list.
func tabled[T any](list []T, err error, head string, row func(T) string) (shown, error) {
	s := shown{document: append([]T{}, list...), head: head}
	for _, element := range list {
		s.lines = append(s.lines, row(element))
	}
	return s, err
}

func (s *shown) print(p *Process) error {
	if s.head != "" {
		return table(p, s.head, s.lines)
	}
	_, err := fmt.Fprintln(p.Stdout, strings.Join(s.lines, "\n"))
	return written(err)
}

// groupCommand is a command that has others and does nothing itself.
func groupCommand(name, short, example string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Example: example, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
}

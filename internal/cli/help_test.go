package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// visitCommands calls f for every command, and what is below it.
func visitCommands(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, sub := range cmd.Commands() {
		visitCommands(sub, f)
	}
}

// TestHelp checks that every command says what it does, shows how it is used,
// and explains its flags.
func TestHelp(t *testing.T) {
	visitCommands(rootCommand(&Process{}), func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Example == "" || !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s: help or example is missing", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s says nothing", cmd.CommandPath(), f.Name)
			}
		})
	})
}

// TestHelpExamples types the examples of the help, as far as flags and arguments are
// read.
func TestHelpExamples(t *testing.T) {
	visitCommands(rootCommand(&Process{}), func(cmd *cobra.Command) {
		for _, words := range commandLines(cmd.Example) {
			called, rest, err := rootCommand(&Process{}).Find(words)
			if err == nil {
				err = called.ParseFlags(rest)
			}
			if err == nil {
				err = called.ValidateArgs(called.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: the example avap %s: %v", cmd.CommandPath(), strings.Join(words, " "), err)
			}
		}
	})
}

// commandLines gives the words behind avap of each call of it in a text that is
// for a shell.
func commandLines(text string) [][]string {
	var lines [][]string
	var words []string
	var word strings.Builder
	var quote rune
	inWord := false
	endWord := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for _, r := range text + "\n" {
		switch {
		case r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, inWord = r, true
		case quote != 0 || !strings.ContainsRune(" \n|<>()", r):
			word.WriteRune(r)
			inWord = true
		case r == ' ':
			endWord()
		default:
			endWord()
			if i := slices.Index(words, "avap"); i >= 0 {
				lines = append(lines, words[i+1:])
			}
			words = nil
		}
	}
	return lines
}

func TestCommandLines(t *testing.T) {
	got := commandLines("  A=1 avap run a.avap --var 'x=\"|\"'\n  echo 'avap\n no' | avap run -\n  source <(avap completion bash)\n  avap\n")
	want := [][]string{{"run", "a.avap", "--var", `x="|"`}, {"run", "-"}, {"completion", "bash"}, {}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

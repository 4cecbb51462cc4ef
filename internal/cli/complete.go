package cli

import (
	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/signature"
)

// completion sets up what shells complete: words of commands and flags by
// themselves, files by their ending, and the words some flags take.
func completion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "run":
			cmd.ValidArgsFunction = filesEndingIn("avap", "wasm")
			completeFlag(cmd, "output", "json", "text", "answer")
			completeFile(cmd, "key", "pub", "pem")
		case "build":
			cmd.ValidArgsFunction = filesEndingIn("avap")
			completeFlag(cmd, "emit", emitWasm, emitWAT, emitIR)
			completeFlag(cmd, "output", "text", "json")
		case "sign", "verify":
			cmd.ValidArgsFunction = filesEndingIn("wasm")
			completeFlag(cmd, "output", "text", "json")
			completeFile(cmd, "detached", "sig")
		case "inspect", "diff":
			cmd.ValidArgsFunction = filesEndingIn("wasm", "avap")
			completeFlag(cmd, "output", "text", "json")
		case "keygen":
			completeFlag(cmd, "format", signature.Formats()...)
			completeFlag(cmd, "output", "text", "json")
		case "check":
			cmd.ValidArgsFunction = filesEndingIn("avap")
			completeFlag(cmd, "output", "text", "json")
		case "fmt":
			cmd.ValidArgsFunction = filesEndingIn("avap")
			completeFlag(cmd, "output", "text", "json")
		case "serve":
			completeFile(cmd, "app", "avap")
		case "push":
			cmd.ValidArgsFunction = filesEndingIn("wasm", "avap")
		case "version":
			completeFlag(cmd, "output", "text", "json")
		case "migrate":
			for _, step := range cmd.Commands() {
				completeFlag(step, "output", "text", "json")
			}
		case "completion":
			describeCompletion(cmd)
		}
	}
}

func filesEndingIn(endings ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return endings, cobra.ShellCompDirectiveFilterFileExt
	}
}

// completeFlag names the words that a flag takes. A flag that is not there is
// a mistake in this file.
func completeFlag(cmd *cobra.Command, flag string, words ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}

// completeFile names the endings of the files that a flag takes.
func completeFile(cmd *cobra.Command, flag string, endings ...string) {
	if err := cmd.MarkFlagFilename(flag, endings...); err != nil {
		panic(err)
	}
}

// describeCompletion replaces the words of the library that makes the scripts.
func describeCompletion(cmd *cobra.Command) {
	cmd.Short = "Print a script that makes a shell complete avap's commands, flags and files"
	cmd.Long = cmd.Short + `.
Load it in the shell's start file, or put it where the shell looks for such
scripts; avap completion SHELL --help says where that is.`
	cmd.Example = `  source <(avap completion bash)
  avap completion zsh > "${fpath[1]}/_avap"
  avap completion fish > ~/.config/fish/completions/avap.fish
  avap completion powershell | Out-String | Invoke-Expression`
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0])
	}
	for _, shell := range cmd.Commands() {
		shell.Example = "  avap completion " + shell.Name()
		shell.Args = arguments(0, 0, "no argument")
		shell.Short = "Print the completion script for " + shell.Name()
	}
}

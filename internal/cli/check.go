package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/diag"
)

func checkCommand(p *Process) *cobra.Command {
	var output string
	var may callable
	cmd := &cobra.Command{
		Use:   "check FILE…",
		Short: "Report what is wrong with scripts, without running them",
		Long: `Report what is wrong with scripts, without running them. A file named - is
standard input; of a directory, all files that end in .avap are looked at. The exit
code is 1 if any script has an error.

A name that is no command of the language may be that of a registered command, so
it gets a warning only. With --commands it is known which there are: these get no
warning, and others a suggestion of the one that may be meant. A server's own
/api/v1/check knows its commands.`,
		Example: `  avap check order.avap tax.avap
  avap check scripts --commands price,tax
  avap list --output json >commands.json && avap check order.avap --commands @commands.json
  avap check --output json order.avap`,
		Args: arguments(1, -1, "at least one file"),
		RunE: func(_ *cobra.Command, files []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			registered, err := may.names(p)
			if err != nil {
				return err
			}
			in, err := readInputs(files, scriptSuffix)
			if err != nil {
				return err
			}
			return check(p, in, registered, output)
		},
	}
	may.flag(cmd.Flags())
	outputFlag(cmd, &output)
	return cmd
}

// checkResult is the JSON form of what check found in all files.
type checkResult struct {
	Success     bool      `json:"success"`
	Diagnostics diag.List `json:"diagnostics"`
}

func check(p *Process, in inputs, registered []string, output string) error {
	result := checkResult{Success: true, Diagnostics: diag.List{}}
	for _, file := range in.files {
		content, err := readScript(p, file.name)
		if err != nil {
			return err
		}
		script := script{name: file.name, content: content, registered: registered}
		found := script.check()
		if found.HasErrors() {
			result.Success = false
		}
		result.Diagnostics = append(result.Diagnostics, found...)
		if output == "text" {
			if err := diag.Render(p.Stderr, found, script.text); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
	}
	if output == "json" {
		if err := printJSON(p, result); err != nil {
			return err
		}
	}
	if !result.Success {
		return &exitError{code: exitScript}
	}
	return nil
}

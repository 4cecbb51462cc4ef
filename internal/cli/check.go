package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/diag"
)

func checkCommand(p *Process) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "check FILE…",
		Short: "Report what is wrong with scripts, without running them",
		Long: `Report what is wrong with scripts, without running them. A file named - is
standard input. The exit code is 1 if any script has an error.`,
		Example: `  avap check order.avap tax.avap
  avap check --output json order.avap`,
		Args: arguments(1, -1, "at least one file"),
		RunE: func(_ *cobra.Command, files []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			return check(p, files, output)
		},
	}
	cmd.Flags().StringVar(&output, "output", "text", "form of the output: text or json")
	return cmd
}

// checkResult is the JSON form of what check found in all files.
type checkResult struct {
	Success     bool      `json:"success"`
	Diagnostics diag.List `json:"diagnostics"`
}

func check(p *Process, files []string, output string) error {
	result := checkResult{Success: true, Diagnostics: diag.List{}}
	for _, name := range files {
		content, err := readScript(p, name)
		if err != nil {
			return err
		}
		script := script{name, content}
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

package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/config"
)

func configCommand(p *Process) *cobra.Command {
	cmd := groupCommand("config", "Look at the settings of the server", "  avap config print --origin\n  avap config check avap.yaml")
	cmd.Long = "Look at the settings of the server: what holds, what is wrong with a file, and\nwhat there is."
	cmd.AddCommand(configPrintCommand(p), configCheckCommand(p), configSchemaCommand(p))
	return cmd
}

func configPrintCommand(p *Process) *cobra.Command {
	var origin bool
	var output string
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Show every setting as serve would take it",
		Long: `Show every setting as serve would take it from flags, environment and files,
which it reads as serve does. Secrets are not shown.`,
		Example: `  avap config print --origin
  avap config print --config avap.yaml --output json`,
		Args: arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			settings, err := config.Read(cmd.Flags(), p.Environ)
			if err != nil {
				return configError(err)
			}
			if output == "json" {
				return settings.PrintJSON(p.Stdout, origin) //nolint:wrapcheck // says what it did
			}
			return settings.Print(p.Stdout, origin) //nolint:wrapcheck // as above
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&origin, "origin", false, "show where each value was written")
	outputFlag(cmd, &output)
	config.AddFlags(cmd.Flags())
	return cmd
}

// configError words what is wrong with the settings.
func configError(err error) error { return usageError("the configuration has faults\n%v", err) }

// checkReport is what check says in JSON.
type checkReport struct {
	Success bool          `json:"success"`
	Faults  config.Faults `json:"faults"`
}

func configCheckCommand(p *Process) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Tell what is wrong with files of settings",
		Long: `Tell what is wrong with files of settings, merged in their order. Neither flags
nor the environment count. Files of secrets that they name must be there.`,
		Example: "  avap config check avap.yaml\n  avap config check base.yaml site.toml --output json",
		Args:    arguments(1, -1, "files of settings"),
		RunE: func(_ *cobra.Command, files []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			_, err := config.ReadFiles(files)
			faults, _ := errors.AsType[config.Faults](err)
			switch {
			case output == "json":
				content, err := json.MarshalIndent(checkReport{len(faults) == 0, append(config.Faults{}, faults...)}, "", "  ")
				if err != nil {
					return fmt.Errorf("report: %w", err)
				}
				fmt.Fprintf(p.Stdout, "%s\n", content)
				if len(faults) > 0 {
					return &exitError{code: exitUsage}
				}
			case err != nil:
				return configError(err)
			default:
				fmt.Fprintln(p.Stdout, "no faults")
			}
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func configSchemaCommand(p *Process) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON schema of files of settings",
		Example: "  avap config schema > avap.schema.json",
		Args:    arguments(0, 0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			schema, err := config.Schema()
			if err != nil {
				return fmt.Errorf("internal error: %w", err)
			}
			if _, err := p.Stdout.Write(schema); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			return nil
		},
	}
}

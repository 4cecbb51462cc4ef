package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/store"
)

func migrateCommand(p *Process) *cobra.Command {
	cmd := groupCommand("migrate", "Bring the schema of the server's own data up to date, or back",
		"  avap migrate status\n  avap migrate up --postgres-url-file /run/secrets/avap-postgres")
	cmd.Long = `Bring the schema of the server's own data up to date, or back: of the PostgreSQL
database that postgres.url names, or else of the file avapd.db in the data
directory. A server does by itself what "migrate up" does, when it starts and
may change the schema. Whoever migrates keeps others from it meanwhile.`
	status := func(ctx context.Context, m *store.Migrator) ([]store.Migration, error) { return m.Status(ctx) }
	up := func(ctx context.Context, m *store.Migrator) ([]store.Migration, error) { return m.Up(ctx) }
	down := func(ctx context.Context, m *store.Migrator) ([]store.Migration, error) { return m.Down(ctx) }
	var yes bool
	undo := migrateStep(p, "down", "Take back the last migration, with what is stored in it", "undone", down)
	undo.Flags().BoolVar(&yes, "yes", false, "really do it")
	undo.PreRunE = func(*cobra.Command, []string) error {
		if !yes {
			return usageError("this takes back the last migration and erases what is stored in it; make a backup, stop the servers, and say --yes")
		}
		return nil
	}
	cmd.AddCommand(
		migrateStep(p, "status", "List the migrations and when they were applied", "", status),
		migrateStep(p, "up", "Apply the migrations that are missing", "applied", up),
		undo,
	)
	return cmd
}

// migrationStep is a migration as it is printed.
type migrationStep struct {
	Number    int64      `json:"number"`
	Name      string     `json:"name"`
	AppliedAt *time.Time `json:"applied_at,omitempty"`
}

// migrateStep makes a command; did says what it did to the migrations that it
// lists, if anything.
func migrateStep(p *Process, name, short, did string, run func(context.Context, *store.Migrator) ([]store.Migration, error)) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  avap migrate " + name + " --output json",
		Args:    arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			c, err := config.Load(cmd.Flags(), p.Environ)
			if err != nil {
				return configError(err)
			}
			migrator, err := migratorOf(c)
			if err != nil {
				return err
			}
			steps, err := run(cmd.Context(), migrator)
			if err := errors.Join(err, migrator.Close()); err != nil {
				return migrateError(c, fmt.Errorf("migrate %s: %w", name, err))
			}
			return printMigrations(p, output, did, steps)
		},
	}
	if name == "down" {
		cmd.Example += " --yes"
	}
	outputFlag(cmd, &output)
	config.AddFlags(cmd.Flags(), "data_dir", "postgres.url", "postgres.url_file")
	return cmd
}

// migrateError tells a database that is not there from what went wrong in one.
func migrateError(c *config.Config, err error) error {
	if c.Postgres.URL == "" || !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return failed(exitUnavailable, failureTold{Message: err.Error(), NextStep: "Check postgres.url, and whether the database runs."})
}

func migratorOf(c *config.Config) (*store.Migrator, error) {
	if c.Postgres.URL == "" {
		return store.MigrateSQLite(filepath.Join(c.DataDir, store.FileName))
	}
	m, err := store.MigratePostgres(c.Postgres.URL)
	if err != nil {
		return nil, usageError("the configuration has faults\npostgres.url: %v", err)
	}
	return m, nil
}

func printMigrations(p *Process, output, did string, steps []store.Migration) error {
	if output == "json" {
		list := make([]migrationStep, 0, len(steps))
		for _, step := range steps {
			s := migrationStep{Number: step.Number, Name: step.Name}
			if !step.Applied.IsZero() {
				at := step.Applied.UTC()
				s.AppliedAt = &at
			}
			list = append(list, s)
		}
		return printJSON(p, map[string]any{"migrations": list})
	}
	if len(steps) == 0 {
		_, err := fmt.Fprintln(p.Stdout, "nothing to do")
		return written(err)
	}
	for _, step := range steps {
		state := did
		switch {
		case did != "":
		case step.Applied.IsZero():
			state = "pending"
		default:
			state = "applied " + step.Applied.UTC().Format(time.RFC3339)
		}
		if _, err := fmt.Fprintf(p.Stdout, "%d %s: %s\n", step.Number, step.Name, state); err != nil {
			return written(err)
		}
	}
	return nil
}

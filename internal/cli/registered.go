package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
)

func askList(_ *Process, cmd *cobra.Command) asking {
	var q client.ListQuery
	cmd.Flags().StringVar(&q.Prefix, "prefix", "", "only commands whose names begin with this `text`")
	cmd.Flags().StringVar(&q.Active, "active", "", "only commands that have (true) or do not have (false) an active version")
	cmd.Flags().StringVar(&q.Disabled, "disabled", "", "only commands that are (true) or are not (false) disabled")
	completeFlag(cmd, "active", "true", "false")
	completeFlag(cmd, "disabled", "true", "false")
	return func(ctx context.Context, c *client.Client, _ []string) (shown, error) {
		for flag, value := range map[string]string{"active": q.Active, "disabled": q.Disabled} {
			if value != "" {
				if err := chosen(flag, value, "true", "false"); err != nil {
					return shown{}, err
				}
			}
		}
		var list []api.Command
		for command, err := range c.Commands(ctx, q) {
			if err != nil {
				return shown{}, err //nolint:wrapcheck // refused words it
			}
			list = append(list, command)
		}
		return tabled(list, nil, "COMMAND\tACTIVE\tVERSIONS\tDIGEST\tCAPABILITIES\tREFUSED", func(c api.Command) string {
			refused := "-"
			if !c.Disabled && c.Active != 0 { // else its state says so
				refused = refusedCell(c.Reason, c.ReasonCode)
			}
			return fmt.Sprintf("%s\t%s\t%d\t%s\t%s\t%s", parameters(c.Name, c.Interface), state(c), c.Versions, shortDigest(c.Digest),
				listed(c.Capabilities), refused)
		})
	}
}

// refusedCell says why something does not run, with the code that executions are
// refused with.
func refusedCell(reason, code string) string {
	if reason == "" {
		return "-"
	}
	return fmt.Sprintf("%s [%s]", printable(reason), code)
}

// state is the version that runs, or why none does.
func state(c api.Command) string {
	switch {
	case c.Disabled:
		return "disabled"
	case c.Active == 0:
		return "none"
	}
	return strconv.Itoa(c.Active)
}

func versions(ctx context.Context, c *client.Client, args []string) (shown, error) {
	list, err := c.Versions(ctx, args[0])
	return tabled(list, err, "VERSION\tSTATE\tCREATED (UTC)\tDIGEST\tBYTES\tSIGNERS\tCAPABILITIES\tREFUSED\tNOTE", func(v api.Version) string {
		active := ""
		if v.Active {
			active = "active"
		}
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s", v.Version, active, v.Created.UTC().Format(time.DateTime), v.Digest, v.SizeBytes,
			listed(v.Signers), listed(v.Capabilities), refusedCell(v.Reason, v.ReasonCode), printable(v.Note))
	})
}

func versionArgument(text string) (int, error) {
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		return 0, usageError("%q is no version; versions are numbers from 1", text)
	}
	return version, nil
}

func activate(ctx context.Context, c *client.Client, args []string) (shown, error) {
	version, err := versionArgument(args[1])
	if err != nil {
		return shown{}, err
	}
	return changed(c.Activate(ctx, args[0], version))
}

func rollback(ctx context.Context, c *client.Client, args []string) (shown, error) {
	return changed(c.Rollback(ctx, args[0]))
}

func disable(ctx context.Context, c *client.Client, args []string) (shown, error) {
	command, err := c.SetDisabled(ctx, args[0], true)
	return line(command, "%s: disabled", command.Name), err //nolint:wrapcheck // refused words it
}

func enable(ctx context.Context, c *client.Client, args []string) (shown, error) {
	return changed(c.SetDisabled(ctx, args[0], false))
}

// changed shows which version of a command is active after a change, and why it
// does not run all the same.
func changed(c api.Command, err error) (shown, error) {
	if c.Active == 0 {
		return line(c, "%s: no version is active", c.Name), err
	}
	s := line(c, "%s: version %d is active, digest %s", c.Name, c.Active, shortDigest(c.Digest))
	if c.Reason != "" {
		s.lines = append(s.lines, fmt.Sprintf("%s: executions are refused: %s", c.Name, refusedCell(c.Reason, c.ReasonCode)))
	}
	return s, err
}

func deleteNamed(ctx context.Context, c *client.Client, args []string) (shown, error) {
	return done(args[0], "deleted", c.Delete(ctx, args[0]))
}

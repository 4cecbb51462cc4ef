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

// serverCommands are the commands about what a server has registered.
func serverCommands(p *Process) []*cobra.Command {
	return []*cobra.Command{
		pushCommand(p), pullCommand(p), listCommand(p), versionsCommand(p), activateCommand(p), rollbackCommand(p),
		disableCommand(p, true), disableCommand(p, false), deleteCommand(p), callCommand(p), signerCommand(p), revokeCommand(p), revocationsCommand(p),
	}
}

func listCommand(p *Process) *cobra.Command {
	r := new(remote)
	var q client.ListQuery
	cmd := r.command(p, &cobra.Command{
		Use:     "list",
		Short:   "List the commands that a server has registered",
		Example: "  avap list\n  avap list --prefix price_ --disabled false\n  avap list --output json",
		Args:    arguments(0, 0, "no argument"),
	}, func(ctx context.Context, c *client.Client, _ []string) error {
		list := []api.Command{}
		for command, err := range c.Commands(ctx, q) {
			if err != nil {
				return err //nolint:wrapcheck // refused words it
			}
			list = append(list, command)
		}
		if r.output == "json" {
			return printJSON(p, list)
		}
		rows := make([]string, len(list))
		for i, command := range list {
			rows[i] = fmt.Sprintf("%s\t%s\t%d\t%s\t%s", parameters(command.Name, command.Interface), state(command), command.Versions,
				shortDigest(command.Digest), listed(command.Capabilities))
		}
		return table(p, "COMMAND\tACTIVE\tVERSIONS\tDIGEST\tCAPABILITIES", rows)
	})
	cmd.Flags().StringVar(&q.Prefix, "prefix", "", "only commands whose names begin with this `text`")
	cmd.Flags().StringVar(&q.Active, "active", "", "only commands that have (true) or do not have (false) an active version")
	cmd.Flags().StringVar(&q.Disabled, "disabled", "", "only commands that are (true) or are not (false) disabled")
	completeFlag(cmd, "active", "true", "false")
	completeFlag(cmd, "disabled", "true", "false")
	return cmd
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

func versionsCommand(p *Process) *cobra.Command {
	r := new(remote)
	return r.command(p, &cobra.Command{
		Use:     "versions NAME",
		Short:   "List the versions of a command, the newest first",
		Example: "  avap versions price\n  avap versions price --output json",
		Args:    arguments(1, 1, "the name of a command"),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		list, err := c.Versions(ctx, args[0])
		if err != nil {
			return err //nolint:wrapcheck // refused words it
		}
		if r.output == "json" {
			return printJSON(p, list)
		}
		rows := make([]string, len(list))
		for i, v := range list {
			active := ""
			if v.Active {
				active = "active"
			}
			rows[i] = fmt.Sprintf("%d\t%s\t%s\t%s\t%d\t%s\t%s\t%s", v.Version, active, v.Created.UTC().Format(time.DateTime), v.Digest, v.SizeBytes,
				listed(v.Signers), listed(v.Capabilities), v.Note)
		}
		return table(p, "VERSION\tSTATE\tCREATED (UTC)\tDIGEST\tBYTES\tSIGNERS\tCAPABILITIES\tNOTE", rows)
	})
}

func versionArgument(text string) (int, error) {
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		return 0, usageError("%q is no version; versions are numbers from 1", text)
	}
	return version, nil
}

func activateCommand(p *Process) *cobra.Command {
	r := new(remote)
	return r.command(p, &cobra.Command{
		Use:     "activate NAME VERSION",
		Short:   "Make a version of a command the one that runs",
		Example: "  avap activate price 3 --token-file token",
		Args:    arguments(2, 2, "the name of a command and a version"),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		version, err := versionArgument(args[1])
		if err != nil {
			return err
		}
		command, err := c.Activate(ctx, args[0], version)
		return r.changed(p, command, err)
	})
}

func rollbackCommand(p *Process) *cobra.Command {
	r := new(remote)
	return r.command(p, &cobra.Command{
		Use:     "rollback NAME",
		Short:   "Make the version of a command run that was active before",
		Example: "  avap rollback price --token-file token",
		Args:    arguments(1, 1, "the name of a command"),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		command, err := c.Rollback(ctx, args[0])
		return r.changed(p, command, err)
	})
}

func disableCommand(p *Process, disable bool) *cobra.Command {
	r := new(remote)
	word, does := "enable", "Let a command run again"
	if disable {
		word, does = "disable", "Keep a command from running, until it is enabled"
	}
	return r.command(p, &cobra.Command{
		Use:     word + " NAME",
		Short:   does,
		Example: "  avap " + word + " price --token-file token",
		Args:    arguments(1, 1, "the name of a command"),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		command, err := c.SetDisabled(ctx, args[0], disable)
		return r.changed(p, command, err)
	})
}

// changed shows a command as it is after a change.
func (r *remote) changed(p *Process, c api.Command, err error) error {
	switch {
	case err != nil:
		return err
	case r.output == "json":
		return printJSON(p, c)
	}
	text := fmt.Sprintf("%s: version %d is active, digest %s", c.Name, c.Active, shortDigest(c.Digest))
	switch {
	case c.Disabled:
		text = c.Name + ": disabled"
	case c.Active == 0:
		text = c.Name + ": no version is active"
	}
	_, err = fmt.Fprintln(p.Stdout, text)
	return written(err)
}

func deleteCommand(p *Process) *cobra.Command {
	r := new(remote)
	return r.command(p, &cobra.Command{
		Use:     "delete NAME",
		Short:   "Remove a command with all its versions",
		Example: "  avap delete price --token-file token",
		Args:    arguments(1, 1, "the name of a command"),
	}, func(ctx context.Context, c *client.Client, args []string) error {
		if err := c.Delete(ctx, args[0]); err != nil {
			return err //nolint:wrapcheck // refused words it
		}
		return r.said(p, args[0], "deleted")
	})
}

// said tells what was done to something that is gone now.
func (r *remote) said(p *Process, name, what string) error {
	if r.output == "json" {
		return printJSON(p, map[string]any{"name": name, what: true})
	}
	_, err := fmt.Fprintf(p.Stdout, "%s: %s\n", name, what)
	return written(err)
}

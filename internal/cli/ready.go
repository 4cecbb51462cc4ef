package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/client"
	"github.com/avapd/avapd/internal/config"
)

// readyTime is how long a server has to say whether it is ready.
const readyTime = 3 * time.Second

func readyCommand(p *Process) *cobra.Command {
	var caFile string
	cmd := &cobra.Command{
		Use:   "ready [URL]",
		Short: "Ask a server whether it takes requests",
		Long: `Ask a server whether it takes requests, and exit with 0 only if it does. This is
the health check of a container, whose image has no other program. The URL may be
that of admin.listen; by default it is ` + defaultServer + `. No key is needed.`,
		Example: "  avap ready\n  avap ready http://127.0.0.1:8889\n  avap ready https://node1:8888 --ca-file ca.pem",
		Args:    arguments(0, 1, "at most one URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := client.Options{Server: defaultServer, Timeout: readyTime}
			if len(args) == 1 {
				o.Server = args[0]
			}
			var err error
			if o.CAs, err = pemOf(p, "ca-file", caFile, config.CAFileVariable); err != nil {
				return err
			}
			return askReady(cmd.Context(), p, o)
		},
	}
	caFlag(cmd.Flags(), &caFile)
	return cmd
}

func askReady(ctx context.Context, p *Process, o client.Options) error {
	c, err := client.New(o)
	if err != nil {
		return usageError("%v", err)
	}
	defer c.Close()
	ready, why, err := c.Ready(ctx)
	switch {
	case err != nil:
		text := fmt.Sprintf("%v; is the server running?", err)
		if step := certificateStep(err); step != "" {
			text = fmt.Sprintf("%v\n    next step: %s", err, step)
		}
		return &exitError{code: exitScript, text: text}
	case !ready:
		return &exitError{code: exitScript, text: "not ready: " + printable(why)}
	}
	_, err = fmt.Fprintln(p.Stdout, "ready")
	return written(err)
}

package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// readyTime is how long a server has to say whether it is ready.
const readyTime = 3 * time.Second

// maxReadyBytes bounds what is shown of the answer.
const maxReadyBytes = 4096

func readyCommand(p *Process) *cobra.Command {
	return &cobra.Command{
		Use:   "ready [URL]",
		Short: "Ask a server whether it takes requests",
		Long: `Ask a server whether it takes requests, and exit with 0 only if it does. This is
the health check of a container, whose image has no other program. The URL may be
that of admin.listen; by default it is ` + defaultServer + `. No key is needed.`,
		Example: "  avap ready\n  avap ready http://127.0.0.1:8889",
		Args:    arguments(0, 1, "at most one URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			url := defaultServer
			if len(args) == 1 {
				url = args[0]
			}
			return askReady(cmd.Context(), p.Stdout, url)
		},
	}
}

func askReady(ctx context.Context, w io.Writer, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
	if err != nil || request.URL.Host == "" {
		return usageError("%q is no URL of a server, such as %s", url, defaultServer)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return &exitError{code: exitScript, text: fmt.Sprintf("no answer: %v; is the server running?", err)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReadyBytes))
	if err != nil {
		return &exitError{code: exitScript, text: fmt.Sprintf("the answer ends early: %v", err)}
	}
	if response.StatusCode != http.StatusOK {
		return &exitError{code: exitScript, text: fmt.Sprintf("not ready: %s %s", response.Status, strings.TrimSpace(string(body)))}
	}
	_, err = fmt.Fprintln(w, "ready")
	return written(err)
}

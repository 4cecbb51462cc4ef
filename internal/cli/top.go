package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
	"github.com/avapd/avapd/internal/config"
)

const (
	defaultIntervalMS = 2000
	minIntervalMS     = 50
	maxIntervalMS     = 60 * 60 * 1000
	// shownExecutions is how many executions are asked for and shown.
	shownExecutions = 20
	// sizePeriod is between two looks at the size of the terminal.
	sizePeriod = 200 * time.Millisecond
)

func topCommand(p *Process) *cobra.Command {
	t := &top{process: p}
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what a server is doing, as long as you look",
		Long: `Show what a server is doing: requests and executions per second, latency, caches,
queue and memory, and the executions that have run for longest, for which it needs
a key that may see them. It reads the metrics twice an interval apart, shows the
difference, and goes on until q or Ctrl-C is pressed; with --once it ends after that.`,
		Example: `  avap top
  avap top --server https://avap.example.com --token-file token
  avap top --once --output json | jq .requests_per_second`,
		Args: arguments(0, 0, "no argument"),
	}
	remote := new(remote)
	cmd = remote.command(p, cmd, func(ctx context.Context, c *client.Client, _ []string) error {
		t.client, t.server, t.asJSON = c, orVariable(p, remote.server, config.ServerVariable, defaultServer), remote.output == "json"
		return t.run(ctx)
	})
	cmd.Flags().BoolVar(&t.once, "once", false, "show one interval and end")
	cmd.Flags().Int64Var(&t.intervalMS, "interval-ms", defaultIntervalMS, "time between two looks at the server")
	return cmd
}

// top is one run of the command.
type top struct {
	process    *Process
	client     *client.Client
	server     string
	once       bool
	asJSON     bool
	intervalMS int64
}

func (t *top) run(ctx context.Context) error {
	if t.intervalMS < minIntervalMS || t.intervalMS > maxIntervalMS {
		return usageError("--interval-ms is %d; it takes a whole number from %d to %d", t.intervalMS, minIntervalMS, maxIntervalMS)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := t.screen(stop)
	if err != nil {
		return err
	}
	defer s.close()
	before, err := t.look(ctx)
	for err == nil {
		if !s.wait(ctx, time.Duration(t.intervalMS)*time.Millisecond) {
			return nil
		}
		var now *look
		if now, err = t.look(ctx); err != nil {
			break
		}
		if err = t.show(s, activityOf(t.server, before, now)); err != nil || t.once {
			return err
		}
		before = now
	}
	if ctx.Err() != nil { // the user has seen enough
		return nil
	}
	return err
}

func (t *top) show(s *screen, a *activity) error {
	if t.asJSON {
		return written(json.NewEncoder(t.process.Stdout).Encode(a))
	}
	return s.draw(a)
}

// look is what a server told at a moment.
type look struct {
	at         time.Time
	metrics    client.Metrics
	executions []api.ExecutionState
	// closed tells that the list of executions is not for who asks.
	closed bool
}

func (t *top) look(ctx context.Context) (*look, error) {
	metrics, err := t.client.Metrics(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // refused words it
	}
	l := &look{at: time.Now(), metrics: metrics}
	l.executions, err = t.client.Executions(ctx, shownExecutions)
	if refusal, ok := errors.AsType[*client.Error](err); ok && (refusal.Status == http.StatusUnauthorized || refusal.Status == http.StatusForbidden) {
		l.closed, err = true, nil
	}
	return l, err //nolint:wrapcheck // as above
}

// screen is where frames are drawn: a terminal, or anything else, which gets one
// after the other.
type screen struct {
	process  *Process
	terminal *os.File
	// keys is where keys are read, and state what it was before.
	keys   *os.File
	state  *term.State
	last   *activity
	width  int
	height int
}

// Sequences of ECMA-48: another page of the terminal without a cursor, back to the
// first, and what a frame is drawn with.
const (
	ansiEnter     = "\x1b[?1049h\x1b[?25l"
	ansiLeave     = "\x1b[?25h\x1b[?1049l"
	ansiHome      = "\x1b[H"
	ansiClearLine = "\x1b[K"
	ansiClearRest = "\x1b[J"
)

// screen finds out where to draw. On a terminal it reads keys, and calls quit for
// those that end the command.
func (t *top) screen(quit func()) (*screen, error) {
	s := &screen{process: t.process}
	if t.once || t.asJSON {
		return s, nil
	}
	if s.terminal = terminal(t.process.Stdout); s.terminal == nil {
		return s, nil
	}
	if keys := terminal(t.process.Stdin); keys != nil {
		state, err := term.MakeRaw(int(keys.Fd()))
		if err != nil {
			return nil, fmt.Errorf("the keys of the terminal: %w", err)
		}
		s.keys, s.state = keys, state
		go readKeys(keys, quit)
	}
	fmt.Fprint(s.terminal, ansiEnter)
	return s, nil
}

// terminal is the terminal that something is, or nil.
func terminal(stream any) *os.File {
	if file, ok := stream.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}

// readKeys calls quit for q and Ctrl-C, which is no signal while a terminal is raw.
func readKeys(keys io.Reader, quit func()) {
	const interrupt = 3
	key := make([]byte, 1)
	for {
		if _, err := keys.Read(key); err != nil {
			return
		}
		if key[0] == 'q' || key[0] == 'Q' || key[0] == interrupt {
			quit()
			return
		}
	}
}

// close leaves the terminal as it was.
func (s *screen) close() {
	if s.terminal != nil {
		fmt.Fprint(s.terminal, ansiLeave)
	}
	if s.keys != nil {
		_ = term.Restore(int(s.keys.Fd()), s.state) // there is nobody to tell
		_ = s.keys.SetReadDeadline(time.Now())      // ends who reads, where that can be; else the end of the program does
	}
}

// wait lets time pass, and draws anew when the terminal has another size. It is
// false when the context ends first.
func (s *screen) wait(ctx context.Context, d time.Duration) bool {
	timer, ticker := time.NewTimer(d), time.NewTicker(sizePeriod)
	defer timer.Stop()
	defer ticker.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		case <-ticker.C:
			if s.terminal == nil || s.last == nil {
				continue
			}
			if w, h, err := term.GetSize(int(s.terminal.Fd())); err == nil && (w != s.width || h != s.height) {
				_ = s.draw(s.last) // what is wrong with the terminal shows with the next frame
			}
		}
	}
}

func (s *screen) draw(a *activity) error {
	s.last = a
	if s.terminal == nil {
		_, err := fmt.Fprint(s.process.Stdout, frame(a, 0, 0, "\n"))
		return written(err)
	}
	width, height, err := term.GetSize(int(s.terminal.Fd()))
	if err != nil {
		return fmt.Errorf("the size of the terminal: %w", err)
	}
	s.width, s.height = width, height
	_, err = fmt.Fprint(s.terminal, ansiHome+frame(a, width, height, ansiClearLine+"\r\n")+ansiClearRest)
	return written(err)
}

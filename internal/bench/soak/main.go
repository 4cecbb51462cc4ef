// Command soak has the program serve twice as much as it can, for a long time,
// among clients that are slow, send garbage or go, and scripts that mean harm,
// while its settings are reloaded. Then it looks whether anything is left of
// that, and whether the metrics and the audit log tell the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

var errBroken = errors.New("promises are broken")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, arguments []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	duration := flags.Duration("duration", 10*time.Minute, "`time` for which the load lasts")
	product := flags.String("avap", "bin/avap", "`file` of the program to run")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *duration < time.Second {
		return fmt.Errorf("--duration %s: a second is the least", *duration)
	}
	binary, err := filepath.Abs(*product)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "avap-soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := soak(ctx, options{
		duration: *duration, dir: dir, patience: 3 * time.Minute,
		avap:     func(arguments ...string) *exec.Cmd { return exec.Command(binary, arguments...) },
		progress: func(what string) { fmt.Fprintln(os.Stderr, what) },
	})
	if err != nil {
		return err
	}
	if err := r.write(out); err != nil {
		return err
	}
	if r.broken() {
		return errBroken
	}
	return nil
}

// options say how long is soaked, and what.
type options struct {
	duration time.Duration
	// dir is for files of this run.
	dir string
	// patience is how long is waited for what the load left.
	patience time.Duration
	// avap makes a command of the program.
	avap     func(arguments ...string) *exec.Cmd
	progress func(string)
}

// soak does it. The error is what kept it from going on; what the program did
// wrong is in the report.
func soak(ctx context.Context, o options) (r *report, err error) {
	t, err := startTarget(ctx, o)
	if err != nil {
		return nil, err
	}
	defer t.kill()
	if err := t.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare: %w\n%s", err, t.log.tail())
	}
	r = &report{duration: o.duration}
	o.progress("measuring the capacity")
	if r.capacity = t.capacity(ctx); r.capacity == 0 {
		return nil, fmt.Errorf("nothing is served\n%s", t.log.tail())
	}
	// Caches, pools and the heap have their size when the load has been there once.
	o.progress("a first load, for the baseline")
	t.load(ctx, within(o.duration/10, 2*time.Second, time.Minute), 2*r.capacity)
	if r.before, err = t.settled(ctx); err != nil {
		return nil, err
	}
	o.progress("the load")
	r.traffic = t.load(ctx, o.duration, 2*r.capacity)
	o.progress("the load has gone")
	if r.after, err = t.returned(ctx, r.before, o.patience); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, t.log.tail())
	}
	if r.metrics, err = t.metrics(ctx); err != nil {
		return nil, err
	}
	r.exit, r.log = t.stop(), t.log
	if r.audit, err = t.readAudit(ctx); err != nil {
		return nil, err
	}
	return r, ctx.Err()
}

// within is d, but not outside of bounds.
func within(d, least, most time.Duration) time.Duration { return min(max(d, least), most) }

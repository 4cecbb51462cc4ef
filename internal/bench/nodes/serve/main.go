// Command serve starts several servers with a PostgreSQL and a Redis on this
// machine, says where they are, and ends them when it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/avapd/avapd/internal/bench/nodes"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) (err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	program := flags.String("avap", "bin/avap", "`file` of the program to run")
	count := flags.Int("nodes", 3, "how many `servers` to start")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	binary, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "avap-nodes-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := nodes.Start(ctx, nodes.Options{
		Nodes: *count, Dir: dir, Log: os.Stderr,
		Serve: func(arguments ...string) *exec.Cmd {
			return exec.CommandContext(context.WithoutCancel(ctx), binary, arguments...)
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, n := range c.Nodes {
		fmt.Printf("%s  %s  kill -9 %d\n", n.Name, n.URL, n.Pid())
	}
	fmt.Printf("token   %s\nPostgreSQL %s\nRedis   %s\n", c.TokenFile, c.Postgres.URL(), c.Redis.URL(""))
	fmt.Println("Everything ends, and is forgotten, with Ctrl-C.")
	<-ctx.Done()
	return nil
}

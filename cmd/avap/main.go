// Command avap compiles and runs AVAP scripts, from the command line or as an
// HTTP server. All of it is in internal/cli.
package main

import (
	"context"
	"os"

	"github.com/avapd/avapd/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), cli.Process{
		Args: os.Args[1:], Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Alone: true,
	}))
}

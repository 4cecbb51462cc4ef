// Package program has a test binary be the program, so that tests of several
// processes need nothing that was built before.
package program

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/avapd/avapd/internal/cli"
)

// variable is set where the test binary is the program.
const variable = "TEST_AS_SERVER"

// Main is what TestMain does: it runs the tests or, in a process that Command has
// started, the program.
func Main(m *testing.M) {
	if os.Getenv(variable) == "" {
		os.Exit(m.Run())
	}
	os.Exit(cli.Main(context.Background(), cli.Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}

// Command is the program with arguments, in a process of its own.
func Command(arguments ...string) *exec.Cmd {
	command := exec.Command(os.Args[0], arguments...)
	command.Env = append(os.Environ(), variable+"=1")
	return command
}

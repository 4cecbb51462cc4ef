// Command rivals runs the benchmark's kernels in script engines that are
// written in Go. It is a module of its own, so that nobody else needs them.
//
// Its arguments are the engine, the file of kernels and the file with their
// JSON input. For each line of input, which names a kernel, it prints the
// answer and the nanoseconds it took.
package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

// engine runs kernels by name.
type engine interface {
	run(kernel string) (answer int64, err error)
}

var engines = map[string]func(program, rows string) (engine, error){
	"goja":        newGoja,
	"starlark-go": newStarlark,
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rivals:", err)
		os.Exit(1)
	}
}

func serve(arguments []string) error {
	if len(arguments) != 3 || engines[arguments[0]] == nil {
		return fmt.Errorf("%q are not an engine, a program and its input", arguments)
	}
	program, err := os.ReadFile(arguments[1])
	if err != nil {
		return err
	}
	rows, err := os.ReadFile(arguments[2])
	if err != nil {
		return err
	}
	e, err := engines[arguments[0]](string(program), string(rows))
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		began := time.Now()
		answer, err := e.run(lines.Text())
		took := time.Since(began)
		if err != nil {
			return err
		}
		fmt.Println(answer, took.Nanoseconds())
	}
	return lines.Err()
}

// Command bench measures what the project promises about speed and size, each
// figure beside a baseline of the same run, and fails when a promise is broken.
//
// What is measured runs in processes of its own with the settings of
// production, on cores of its own; what makes load has the other cores. Things
// to compare take turns in rounds, so that a busy machine slows them alike, and
// medians are printed. Rounds in which others used the machine are repeated and
// counted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// section is a group of measurements under one heading.
type section struct {
	name, title string
	run         func(*bench) error
}

var sections = []section{
	{"sandbox", "The sandbox", (*bench).sandbox},
	{"http", "Requests over HTTP", (*bench).http},
	{"audit", "The audit log", (*bench).audit},
	{"neighbour", "Beside a noisy neighbour", (*bench).neighbour},
	{"first", "First answers", (*bench).first},
	{"kernels", "Computations", (*bench).kernels},
	{"metering", "Metering", (*bench).metering},
	{"memory", "Memory", (*bench).memory},
	{"registry", "Stored commands", (*bench).registry},
	{"cluster", "Three nodes", (*bench).cluster},
	{"capacity", "The highest rate", (*bench).capacity},
	{"curves", "How cost grows", (*bench).curves},
}

func main() {
	played, err := playRole()
	if !played {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = command(ctx, os.Args[1:])
		stop()
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	only     []string
	rounds   int
	runs     int
	quick    bool
	output   string
	document string
	pictures string
	product  string
}

func parse(arguments []string) (options, error) {
	var o options
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "comma list of `sections`: "+strings.Join(names, ", "))
	flags.IntVar(&o.rounds, "rounds", 7, "undisturbed `rounds` per measurement")
	flags.IntVar(&o.runs, "runs", 1, "how often to measure everything; a budget has to be met in each of the `runs`")
	flags.BoolVar(&o.quick, "quick", false, "measure next to nothing, to see whether everything works; no budget counts")
	flags.StringVar(&o.output, "output", "text", "`form` of what is printed: text or json")
	flags.StringVar(&o.document, "document", "", "Markdown `file` whose tables to renew, if all sections were measured")
	flags.StringVar(&o.pictures, "pictures", "", "`directory` to draw the curves in")
	flags.StringVar(&o.product, "avap", "", "`file` of a program to measure instead of building one")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	if o.output != "text" && o.output != "json" {
		return o, fmt.Errorf("--output %s: text and json are known", o.output)
	}
	if o.rounds < 1 {
		return o, fmt.Errorf("--rounds %d: one is the least", o.rounds)
	}
	if o.runs < 1 {
		return o, fmt.Errorf("--runs %d: one is the least", o.runs)
	}
	o.only = names
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("--only %s: there is %s", name, strings.Join(names, ", "))
		}
	}
	return o, nil
}

func command(ctx context.Context, arguments []string) error {
	o, err := parse(arguments)
	if err != nil {
		return err
	}
	all, failure := measureAll(ctx, o)
	if err := show(o, all, failure != nil); err != nil || failure != nil {
		return errors.Join(failure, err)
	}
	return conclude(o, all)
}

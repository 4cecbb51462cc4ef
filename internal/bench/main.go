// Command bench prints what the project promises about speed, each figure
// beside a baseline measured in the same run: native Go for computations, a
// plain Fiber handler for requests. Rounds are interleaved, so that a busy
// machine slows both sides, and medians are printed.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/avapd/avapd/internal/engine"
)

// section is a group of measurements under one heading.
type section struct {
	name string
	run  func(*bench) error
}

var sections = []section{
	{"sandbox", (*bench).sandbox},
	{"kernels", (*bench).kernels},
	{"compile", (*bench).compile},
	{"http", (*bench).http},
}

func main() {
	rounds := flag.Int("rounds", 9, "rounds per measurement; the median is printed")
	only := flag.String("only", "", "comma list of sections: sandbox, kernels, compile, http")
	flag.Parse()
	if err := run(*rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, only string) error {
	e, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	b := &bench{engine: e, rounds: rounds, out: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	fmt.Printf("%s %s/%s, %d CPUs, %d rounds\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), rounds)
	for _, s := range sections {
		if only != "" && !slices.Contains(strings.Split(only, ","), s.name) {
			continue
		}
		if err := s.run(b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := b.out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

type bench struct {
	engine *engine.Engine
	rounds int
	out    *tabwriter.Writer
}

// heading starts a table.
func (b *bench) heading(columns ...string) {
	fmt.Fprintf(b.out, "\n%s\n", strings.Join(columns, "\t"))
}

func (b *bench) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(b.out, "\t")
		}
		switch c := c.(type) {
		case time.Duration:
			fmt.Fprint(b.out, short(c))
		case float64:
			fmt.Fprintf(b.out, "%.2f ×", c)
		default:
			fmt.Fprint(b.out, c)
		}
	}
	fmt.Fprintln(b.out)
}

// short prints three significant digits.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.2f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	default:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	}
}

// interleave times each function once per round, in turn, and gives the
// medians.
func (b *bench) interleave(fns ...func() error) ([]time.Duration, error) {
	times := make([][]time.Duration, len(fns))
	for range b.rounds {
		for i, fn := range fns {
			began := time.Now()
			if err := fn(); err != nil {
				return nil, err
			}
			times[i] = append(times[i], time.Since(began))
		}
	}
	medians := make([]time.Duration, len(fns))
	for i := range times {
		medians[i] = quantile(times[i], 0.5)
	}
	return medians, nil
}

// quantile sorts the times.
func quantile(times []time.Duration, q float64) time.Duration {
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

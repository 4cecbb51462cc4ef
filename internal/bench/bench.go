package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/avapd/avapd/internal/bench/machine"
)

// bench is a run of this program.
type bench struct {
	options

	ctx context.Context
	pid int
	// root is the directory of the repository, dir one for files of this run.
	root, dir string
	// generator and subject are the cores for load and for what is measured.
	generator, subject []int
	processes          []*process
	// ended is what processes that were stopped had computed.
	ended time.Duration
	// built tells that the product is there.
	built bool
	// terminal tells that somebody sees the progress on one.
	terminal bool
	// section is what is running.
	section   *sectionReport
	fulfilled map[string]figure
}

// measure runs the sections that are asked for. When one fails, the report of
// those before it comes with the error, as they took long.
func measure(ctx context.Context, o options) (*report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &bench{options: o, ctx: ctx, pid: os.Getpid(), fulfilled: map[string]figure{}, terminal: term.IsTerminal(int(os.Stderr.Fd()))}
	b.generator, b.subject = machine.Cores()
	r := &report{Began: time.Now(), Machine: b.machine(), Quick: o.quick}
	var err error
	if b.root, err = repository(ctx); err != nil {
		return r, err
	}
	r.Commit = b.commit()
	if b.dir, err = os.MkdirTemp("", "avap-bench"); err != nil {
		return r, err
	}
	defer os.RemoveAll(b.dir)
	defer b.stopAll()
	if o.quick {
		b.rounds = 1
	}
	for _, s := range sections {
		if !slices.Contains(o.only, s.name) {
			continue
		}
		began := time.Now()
		b.section = &sectionReport{Name: s.name, Title: s.title}
		if err := s.run(b); err != nil {
			return r, fmt.Errorf("%s: %w", s.name, err)
		}
		b.section.Seconds = time.Since(began).Seconds()
		r.Sections = append(r.Sections, b.section)
	}
	b.clearLine()
	r.Budgets, err = b.judge()
	return r, err
}

// repository finds the directory that holds the module.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	file := strings.TrimSpace(string(out))
	if err != nil || filepath.Base(file) != "go.mod" {
		return "", fmt.Errorf("bench runs in the repository: go env GOMOD says %q, %w", file, err)
	}
	return filepath.Dir(file), nil
}

// commit names what is measured, as far as git knows.
func (b *bench) commit() string {
	cmd := exec.CommandContext(b.ctx, "git", "describe", "--always", "--dirty")
	cmd.Dir = b.root
	out, err := cmd.Output()
	if err != nil {
		return "an unknown commit"
	}
	return strings.TrimSpace(string(out))
}

func (b *bench) stopAll() {
	for len(b.processes) > 0 {
		b.stop(b.processes[0])
	}
}

// machine says in a line what figures belong to.
func (b *bench) machine() string {
	text := fmt.Sprintf("%s, %s/%s, %d CPUs", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if b.subject == nil {
		return text + ", nothing pinned"
	}
	return fmt.Sprintf("%s; load comes from %s, everything measured runs on %s", text, coreNames(b.generator), coreNames(b.subject))
}

func coreNames(cores []int) string {
	if len(cores) == 1 {
		return fmt.Sprintf("core %d", cores[0])
	}
	return fmt.Sprintf("cores %d–%d", cores[0], cores[len(cores)-1])
}

// clearLine goes back to the beginning of the terminal's line, if it is one, and
// empties it.
func (b *bench) clearLine() {
	if b.terminal && !b.quick {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

// progress says what is going on: on one line of a terminal that is written over, or
// else on a line of its own.
func (b *bench) progress(format string, arguments ...any) {
	if b.quick {
		return
	}
	b.clearLine()
	if !b.terminal {
		format += "\n"
	}
	fmt.Fprintf(os.Stderr, format, arguments...)
}

// some is n, or next to nothing in a quick run.
func (b *bench) some(n int) int {
	if b.quick {
		return min(n, 3)
	}
	return n
}

// window is how long a load lasts.
func (b *bench) window(d time.Duration) time.Duration {
	if b.quick {
		return 20 * time.Millisecond
	}
	return d
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/avapd/avapd/internal/bench/kernels"
)

// contestant is a program that runs kernels.
type contestant struct {
	name    string
	without []string
	run     func(kernels.Kernel) (time.Duration, error)
}

// kernels compares computations with native Go and with other languages for
// scripts. The script's time includes its sandbox, since nobody runs one
// without; the others' do not include their start.
func (b *bench) kernels() error {
	defer b.stopAll()
	contestants, err := b.contestants()
	if err != nil {
		return err
	}
	all := map[string]measured{}
	for _, k := range kernels.All {
		m, err := b.repeat(comparison{what: k.Title, rounds: b.rounds, steady: "avap", once: func(r round) error {
			for _, c := range contestants {
				if slices.Contains(c.without, k.Name) {
					continue
				}
				took, err := best(func() (time.Duration, error) { return c.run(k) })
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				r[c.name] = float64(took)
			}
			return nil
		}})
		if err != nil {
			return err
		}
		all[k.Name] = m
	}
	b.kernelTables(contestants, all)
	b.fulfil("kernels.goja", all["fib"].ratio("goja", "avap"))
	b.fulfil("kernels.starlark", all["fib"].ratio("starlark-go", "avap"))
	b.fulfil("kernels.ints", all["ints"].ratio("avap", "go"))
	b.fulfil("kernels.floats", all["floats"].ratio("avap", "go"))
	return nil
}

// best is the shortest of up to five runs within a tenth of a second: a short
// run is disturbed as a whole or not at all.
func best(run func() (time.Duration, error)) (time.Duration, error) {
	least, total := time.Duration(math.MaxInt64), time.Duration(0)
	for n := 0; n < 5 && total < 100*time.Millisecond; n++ {
		took, err := run()
		if err != nil {
			return 0, err
		}
		least, total = min(least, took), total+took
	}
	return least, nil
}

func (b *bench) kernelTables(contestants []contestant, all map[string]measured) {
	columns := []string{"computation"}
	for _, c := range contestants {
		columns = append(columns, c.name)
	}
	absolute := b.table(columns...)
	relative := b.table(append([]string{"time of the others, in times of avap"}, columns[2:]...)...)
	means := map[string][]float64{}
	for _, k := range kernels.All {
		cells, ratios := []any{k.Title}, []any{k.Title}
		for i, c := range contestants {
			if slices.Contains(c.without, k.Name) {
				cells, ratios = append(cells, "–"), append(ratios, "–")
				continue
			}
			cells = append(cells, all[k.Name].of(c.name, nanoseconds).short())
			if i > 0 {
				ratio := all[k.Name].ratio(c.name, "avap")
				ratios = append(ratios, ratio)
				means[c.name] = append(means[c.name], ratio.Value)
			}
		}
		absolute.row(cells...)
		relative.row(ratios...)
	}
	cells := []any{"geometric mean"}
	for _, c := range contestants[1:] {
		cells = append(cells, exactly(geometricMean(means[c.name]), times))
	}
	relative.row(cells...)
}

func geometricMean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(values)))
}

// contestants starts all programs, ours and Go first.
func (b *bench) contestants() ([]contestant, error) {
	e, err := b.startRole("engine", b.subject)
	if err != nil {
		return nil, err
	}
	list := []contestant{{name: "avap", run: func(k kernels.Kernel) (time.Duration, error) { return runScript(e, k) }}}
	native, err := b.startRole("native", b.subject)
	if err != nil {
		return nil, err
	}
	list = append(list, speaker("go", native, nil))
	for i := range kernels.Languages {
		l := &kernels.Languages[i]
		if !l.Installed() {
			b.note("%s is not installed.", l.Name)
			continue
		}
		p, err := b.startLanguage(l)
		if err != nil {
			return nil, err
		}
		list = append(list, speaker(l.Name, p, l.Without))
	}
	return list, nil
}

// speaker is a program that understands kernels.Ask.
func speaker(name string, p *process, without []string) contestant {
	from := bufio.NewReader(p.out)
	return contestant{name, without, func(k kernels.Kernel) (time.Duration, error) { return kernels.Ask(p.stdin, from, k) }}
}

func (b *bench) startLanguage(l *kernels.Language) (*process, error) {
	arguments, err := l.Arguments(b.dir)
	if err != nil {
		return nil, err
	}
	program := l.Program
	if l.Rival {
		if program, err = b.buildRivals(); err != nil {
			return nil, err
		}
		arguments = append([]string{l.Name}, arguments...)
	}
	return b.start(b.subject, exec.CommandContext(b.ctx, program, arguments...))
}

// buildRivals compiles the program of the nested module.
func (b *bench) buildRivals() (string, error) {
	b.progress("building the rivals")
	path := filepath.Join(b.dir, "rivals")
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", path, ".")
	cmd.Dir = filepath.Join(b.root, "internal", "bench", "rivals")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the rivals: %w\n%s", err, out)
	}
	return path, nil
}

func runScript(e *process, k kernels.Kernel) (time.Duration, error) {
	var a reply
	if err := e.ask(question{Run: k.Script(), Body: kernels.Input(), Count: 1}, &a); err != nil {
		return 0, err
	}
	var result struct{ Answer int64 }
	if err := json.Unmarshal(a.Result, &result); err != nil {
		return 0, fmt.Errorf("the result %s: %w", a.Result, err)
	}
	if result.Answer != k.Answer {
		return 0, fmt.Errorf("the script says %d, which is not %d", result.Answer, k.Answer)
	}
	return a.P50, nil
}

package main

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/bench/kernels"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/guestgo"
)

// unmeteredCompiler leaves out the charges for fuel.
type unmeteredCompiler struct{}

func (unmeteredCompiler) Compile(s *engine.Source) (*engine.Artifact, diag.List) {
	artifact, findings := compiler.Compile(compiler.Source{Name: s.File, Text: s.Text}, compiler.Options{Unmetered: true})
	if artifact == nil {
		return nil, findings
	}
	return &engine.Artifact{Wasm: artifact.Wasm, Manifest: artifact.Manifest}, findings
}

func (unmeteredCompiler) Check(s *engine.Source) diag.List {
	return compiler.Check(compiler.Source{Name: s.File, Text: s.Text}, compiler.Options{})
}

// serveUnmetered is serveEngine without charges, in scripts and in the library.
func serveUnmetered(in io.Reader, out io.Writer) error {
	root, err := repository(context.Background())
	if err != nil {
		return err
	}
	library, err := guestgo.CompileDirUnmetered(filepath.Join(root, "runtime", "guest"), filepath.Join(root, "runtime", "abi"))
	if err != nil {
		return err
	}
	return answerWith(in, out, func(c *engine.Config) {
		c.Compiler, c.Library = unmeteredCompiler{}, library.Module.Encode()
	})
}

// metering compares the kernels with themselves, compiled without charges.
func (b *bench) metering() error {
	defer b.stopAll()
	with, err := b.startRole("engine", b.subject)
	if err != nil {
		return err
	}
	without, err := b.startRole("unmetered", b.subject)
	if err != nil {
		return err
	}
	t := b.table("computation", "metered", "not metered", "cost of metering")
	var ratios, lows, highs []float64
	for _, k := range kernels.All {
		m, err := b.repeat(comparison{what: k.Title + ", metered or not", rounds: b.rounds, steady: "with", once: func(r round) error {
			for name, e := range map[string]*process{"with": with, "without": without} {
				took, err := best(func() (time.Duration, error) { return runScript(e, k) })
				if err != nil {
					return err
				}
				r[name] = float64(took)
			}
			return nil
		}})
		if err != nil {
			return err
		}
		ratio := m.ratio("with", "without")
		t.row(k.Title, m.of("with", nanoseconds), m.of("without", nanoseconds), ratio.overhead())
		ratios, lows, highs = append(ratios, ratio.Value), append(lows, ratio.Low), append(highs, ratio.High)
	}
	mean := figure{geometricMean(ratios), geometricMean(lows), geometricMean(highs), times}.overhead()
	t.row("geometric mean", "", "", mean)
	b.fulfil("metering.mean", mean)
	return nil
}

// overhead turns a ratio into what it is above one, in percent.
func (f figure) overhead() figure {
	return figure{100 * (f.Value - 1), 100 * (f.Low - 1), 100 * (f.High - 1), percent}
}

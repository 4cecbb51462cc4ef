package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/avapd/avapd/internal/bench/kernels"
	"github.com/avapd/avapd/internal/bench/load"
	"github.com/avapd/avapd/internal/bench/plot"
)

// picture is a curve over powers of ten.
type picture struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Label  string  `json:"label"` // of the horizontal axis
	XUnit  unit    `json:"x_unit"`
	YLabel string  `json:"y_label"`
	YUnit  unit    `json:"y_unit"`
	Curves []curve `json:"curves"`
}

type curve struct {
	Name   string       `json:"name"`
	Points []plot.Point `json:"points"`
}

// dimension is something that grows by powers of ten while everything else
// stays as it is.
type dimension struct {
	name, label string
	unit        unit
	sizes       []int
	columns     []column
	// measure notes the figures of the columns for one size.
	measure func(b *bench, generator *process, size int, r round) error
}

// column is a figure that is measured for each size; figures of one picture are
// drawn together.
type column struct {
	name, title string
	unit        unit
	picture     string
}

const oneExecution = "Time of a request"

var dimensions = []dimension{
	{
		name: "script", label: "lines of the script", unit: count, sizes: []int{10, 100, 1000, 10000},
		columns: []column{
			{"first", "first answer, compiled on the way", nanoseconds, oneExecution},
			{"again", "answer from the cache", nanoseconds, oneExecution},
		},
		measure: (*bench).scriptLength,
	},
	{
		name: "input", label: "JSON in the request", unit: bytesUnit, sizes: []int{100, 1000, 10_000, 100_000, 1_000_000},
		columns: []column{
			{"unused", "the script does not look at it", nanoseconds, oneExecution},
			{"read", "the script takes it and counts", nanoseconds, oneExecution},
			{"transformed", "the script makes other JSON of it", nanoseconds, oneExecution},
		},
		measure: (*bench).inputSize,
	},
	{
		name: "connections", label: "connections", unit: count, sizes: []int{1, 10, 100, 1000},
		columns: []column{
			{"p50", "p50", nanoseconds, oneExecution},
			{"p99", "p99", nanoseconds, oneExecution},
			{"rate", "requests", perSecond, ""},
		},
		measure: (*bench).concurrency,
	},
	{
		name: "cached", label: "commands in the cache", unit: count, sizes: []int{1, 10, 100, 1000, 10_000},
		columns: []column{
			{"p50", "p50", nanoseconds, oneExecution},
			{"p99", "p99", nanoseconds, oneExecution},
			{"memory", "resident memory of the server", bytesUnit, "Memory"},
		},
		measure: (*bench).cachedCommands,
	},
}

// curves measures how cost grows.
func (b *bench) curves() error {
	defer b.stopAll()
	generator, err := b.startRole("load", b.generator)
	if err != nil {
		return err
	}
	for i := range dimensions {
		if err := b.grow(&dimensions[i], generator); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) grow(d *dimension, generator *process) error {
	titles := []string{d.label}
	for _, c := range d.columns {
		titles = append(titles, c.title)
	}
	t := b.table(titles...)
	curves := make([]curve, len(d.columns))
	sizes := d.sizes
	if b.quick {
		sizes = sizes[:2]
	}
	for _, size := range sizes {
		m, err := b.repeat(comparison{what: fmt.Sprintf("%d %s", size, d.label), rounds: min(3, b.rounds), once: func(r round) error {
			return d.measure(b, generator, size, r)
		}})
		if err != nil {
			return err
		}
		row := []any{exactly(float64(size), d.unit)}
		for i, c := range d.columns {
			f := m.of(c.name, c.unit)
			row = append(row, f)
			curves[i].Name = c.title
			curves[i].Points = append(curves[i].Points, plot.Point{X: float64(size), Y: f.Value})
		}
		t.row(row...)
	}
	b.paint(d, curves)
	return nil
}

// paint puts the curves into pictures.
func (b *bench) paint(d *dimension, curves []curve) {
	byName := map[string]int{}
	for i, c := range d.columns {
		if c.picture == "" {
			continue
		}
		n, ok := byName[c.picture]
		if !ok {
			n = len(b.section.Pictures)
			byName[c.picture] = n
			name := d.name
			if len(byName) > 1 {
				name += "-" + c.name
			}
			b.section.Pictures = append(b.section.Pictures, picture{
				Name: name, Title: c.picture + " by " + d.label, Label: d.label, XUnit: d.unit, YLabel: c.picture, YUnit: c.unit,
			})
		}
		p := &b.section.Pictures[n]
		p.Curves = append(p.Curves, curves[i])
	}
}

func (b *bench) scriptLength(generator *process, size int, r round) error {
	s, err := b.serve()
	if err != nil {
		return err
	}
	defer b.stop(s.process)
	// The server is warm, but has not seen the script.
	if _, err := b.ask(generator, s, executeRequests(5, 1000, 20), 20); err != nil {
		return err
	}
	n := max(1, 100/size)
	requests := executeRequests(size, 1, n)
	first, err := b.ask(generator, s, requests, n)
	if err != nil {
		return err
	}
	again, err := b.ask(generator, s, requests, max(n, 200))
	r["first"], r["again"] = float64(first.P50), float64(again.P50)
	return err
}

// ask sends requests in turn over one connection, a number in all.
func (b *bench) ask(generator *process, s *site, requests [][]byte, number int) (load.Outcome, error) {
	var o load.Outcome
	plan := load.Plan{Address: s.address, Connections: 1, Once: true, Expect: `"success":true`}
	for i := range number {
		plan.Requests = append(plan.Requests, requests[i%len(requests)])
	}
	err := generator.ask(plan, &o)
	return o, err
}

func executeRequests(lines, from, n int) [][]byte {
	var list [][]byte
	for i := from; i < from+n; i++ {
		list = append(list, executeRequest(scriptOfLines(lines, i)))
	}
	return list
}

func (b *bench) inputSize(generator *process, size int, r round) error {
	s, err := b.serve()
	if err != nil {
		return err
	}
	defer b.stop(s.process)
	transform := kernels.All[len(kernels.All)-1].Script()
	for name, script := range map[string]string{
		"unused": "addResult(answer)", "read": "addParam(\"rows\", rows)\nanswer = len(rows)\naddResult(answer)", "transformed": transform,
	} {
		request := [][]byte{inputRequest(script, size)}
		if _, err := b.ask(generator, s, request, b.some(20)); err != nil {
			return err
		}
		o, err := b.ask(generator, s, request, b.some(min(500, 20_000_000/size)))
		if err != nil {
			return err
		}
		r[name] = float64(o.P50)
	}
	return nil
}

// inputRequest brings about as many bytes of JSON with the script, in rows.
func inputRequest(script string, size int) []byte {
	var in struct {
		Rows []json.RawMessage `json:"rows"`
	}
	if err := json.Unmarshal(kernels.Input(), &in); err != nil {
		panic(err) // it is a constant
	}
	rows, sum := []json.RawMessage{}, 0
	for i := 0; sum < size; i++ {
		rows = append(rows, in.Rows[i%len(in.Rows)])
		sum += len(rows[i]) + 1
	}
	body, err := json.Marshal(map[string]any{"script": script, "rows": rows})
	if err != nil {
		panic(err) // plain data
	}
	return load.Post("/api/v1/execute", body)
}

func (b *bench) concurrency(generator *process, size int, r round) error {
	// All connections are one client's, which may not fill a queue alone. How long
	// they wait is what is measured.
	s, err := b.serve("--compute-client-queue-length", "1024", "--admission-client-queue-length", "1024", "--admission-wait-ms", "10000")
	if err != nil {
		return err
	}
	defer b.stop(s.process)
	plan := load.Plan{
		Address: s.address, Requests: [][]byte{smallRequest("/api/v1/execute")}, Expect: greeting,
		Connections: size, Duration: b.window(500 * time.Millisecond),
	}
	var o load.Outcome
	for range 2 { // the first one warms up
		if err := generator.ask(plan, &o); err != nil {
			return err
		}
	}
	r["rate"], r["p50"], r["p99"] = o.Rate, float64(o.P50), float64(o.P99)
	return nil
}

// cachedCommands calls registered commands, and then all of them again and again.
func (b *bench) cachedCommands(generator *process, size int, r round) error {
	dir, err := b.commands(size)
	if err != nil {
		return err
	}
	s, err := b.serveFrom(dir, "--cache-bytes", "2147483648")
	if err != nil {
		return err
	}
	defer b.stop(s.process)
	var requests [][]byte
	for i := range size {
		requests = append(requests, load.Post(commandPath(storedName(i)), storedInput))
	}
	if _, err := b.ask(generator, s, requests, size); err != nil {
		return err
	}
	plan := load.Plan{
		Address: s.address, Requests: requests, Expect: `"success":true`,
		Connections: 16, Duration: b.window(500 * time.Millisecond),
	}
	var o load.Outcome
	if err := generator.ask(plan, &o); err != nil {
		return err
	}
	resident, err := s.memory()
	r["p50"], r["p99"], r["memory"] = float64(o.P50), float64(o.P99), float64(resident)
	return err
}

// commands gives a directory in which so many commands are stored.
func (b *bench) commands(count int) (dir string, err error) {
	dir = filepath.Join(b.dir, fmt.Sprintf("commands-%d", count))
	switch err := os.Mkdir(dir, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return dir, nil
	case err != nil:
		return "", err
	}
	b.progress("storing %d commands", count)
	return dir, storeLocally(b.ctx, dir, storedScripts(count, 5))
}

// draw writes the pictures of the report into a directory.
func (r *report) draw(dir string) error {
	if r.Quick {
		return fmt.Errorf("a quick run has no figures for %s", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, s := range r.Sections {
		for i := range s.Pictures {
			p := &s.Pictures[i]
			if err := os.WriteFile(filepath.Join(dir, p.Name+".svg"), p.chart().SVG(), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *picture) chart() *plot.Chart {
	c := &plot.Chart{Title: p.Title, X: plot.Axis{Label: p.Label, Number: power(p.XUnit)}, Y: plot.Axis{Label: p.YLabel, Number: power(p.YUnit)}}
	for _, l := range p.Curves {
		c.Lines = append(c.Lines, plot.Line(l))
	}
	return c
}

// power writes powers of ten of a unit.
func power(u unit) func(float64) string {
	return func(value float64) string {
		if u == count && value >= 1e4 {
			return grouped(fmt.Sprintf("%.0f", math.Round(value)))
		}
		return exactly(math.Round(value*1e3)/1e3, u).short()
	}
}

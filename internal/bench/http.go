package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/avapd/avapd/internal/bench/load"
	"github.com/avapd/avapd/internal/bench/machine"
)

// smallScript is a greeting, as an ad-hoc script, as a command and as an
// endpoint.
const (
	smallScript = `addParam(name, who)
addVar(greeting, "Hello")
text = greeting + ", " + str(who) + "!"
addVar(count, 3)
addResult(text)`
	smallApp = `function greet(){
    addParam(name, who)
    addVar(greeting, "Hello")
    text = greeting + ", " + str(who) + "!"
    addVar(count, 3)
    addResult(text)
}
registerEndpoint("/greet", "POST", [], "greets", greet, text)`
	smallCommand = "greet"
	greeting     = "Hello, Ana!"
)

func commandPath(name string) string { return "/api/v1/commands/" + name + "/execute" }

// competitor is one way to answer a greeting.
type competitor struct {
	name string
	site *site
	path string
}

// competitors starts the servers of a comparison.
func (b *bench) competitors() ([]competitor, error) {
	app := filepath.Join(b.dir, "greet.avap")
	if err := os.WriteFile(app, []byte(smallApp), 0o644); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "data")
	if err != nil {
		return nil, err
	}
	if err := storeLocally(b.ctx, dir, []script{{smallCommand, smallScript}}); err != nil {
		return nil, err
	}
	product, err := b.serveFrom(dir, "--app", app)
	if err != nil {
		return nil, err
	}
	plain, err := b.serveEcho()
	if err != nil {
		return nil, err
	}
	return []competitor{
		{"echo", plain, "/echo"},
		{"adhoc", product, "/api/v1/execute"},
		{"registered", product, commandPath(smallCommand)},
		{"app", product, "/greet"},
	}, nil
}

// smallRequest is the same for all of them.
func smallRequest(path string) []byte {
	body, err := json.Marshal(map[string]any{"script": smallScript, "name": "Ana", "variables": map[string]any{"level": 3}})
	if err != nil {
		panic(err) // plain data
	}
	return load.Post(path, body)
}

// connectionCounts are the sizes of crowd that requests come from. The budget
// counts at the middle one: a single connection measures waiting, the largest
// mostly the queue.
var connectionCounts = []int{1, 16, 64}

const budgetConnections = 16

// http compares the whole way of a request with what Fiber alone needs to read
// the same JSON and answer as much.
func (b *bench) http() error {
	sides, err := b.competitors()
	if err != nil {
		return err
	}
	generator, err := b.startRole("load", b.generator)
	if err != nil {
		return err
	}
	defer b.stopAll()
	t := b.table("connections", "server", "requests", "rate / echo", "p50", "p99", "CPU per request")
	for _, connections := range connectionCounts {
		m, err := b.repeat(comparison{
			what: fmt.Sprintf("%d connections", connections), rounds: b.rounds, steady: "adhoc.rate",
			once: func(r round) error { return b.compete(r, sides, generator, connections) },
		})
		if err != nil {
			return err
		}
		for _, s := range sides {
			ratio := m.ratio(s.name+".rate", "echo.rate")
			t.row(connections, titles[s.name], m.of(s.name+".rate", perSecond), ratio,
				m.of(s.name+".p50", nanoseconds), m.of(s.name+".p99", nanoseconds), m.of(s.name+".cpu", nanoseconds))
			if connections == budgetConnections && s.name != "echo" {
				b.fulfil("http."+s.name, ratio)
			}
		}
		b.note("%d connections: the echo computed for %.0f %% of its time, the rest it waited for requests.", connections, m.of("echo.busy", percent).Value)
	}
	b.note("The budgets count at %d connections.", budgetConnections)
	return nil
}

var titles = map[string]string{
	"echo": "Fiber echo", "adhoc": "ad-hoc script", "registered": "registered command", "app": "endpoint of an app",
}

// compete loads each of the servers once.
func (b *bench) compete(r round, sides []competitor, generator *process, connections int) error {
	for _, s := range sides {
		plan := load.Plan{
			Address: s.site.address, Requests: [][]byte{smallRequest(s.path)}, Expect: greeting,
			Connections: connections, Duration: b.window(400 * time.Millisecond), Poll: true,
		}
		before := machine.CPU(s.site.cmd.Process.Pid)
		var o load.Outcome
		if err := generator.ask(plan, &o); err != nil {
			return fmt.Errorf("%s: %w", titles[s.name], err)
		}
		r.add(s.name, o)
		cpu := float64(machine.CPU(s.site.cmd.Process.Pid) - before)
		r[s.name+".cpu"], r[s.name+".busy"] = cpu/float64(o.Requests), 100*cpu/float64(plan.Duration)
	}
	return nil
}

// add notes what a load showed under a name.
func (r round) add(name string, o load.Outcome) {
	r[name+".rate"] = o.Rate
	r[name+".p50"], r[name+".p95"], r[name+".p99"] = float64(o.P50), float64(o.P95), float64(o.P99)
}

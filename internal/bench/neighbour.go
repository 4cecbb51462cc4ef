package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/bench/load"
)

// codeTrials is how often a text that needs little fuel is sent when its machine
// code is made, which is then never used.
const codeTrials = 6

// aggressor is a client that takes what it can. Its connections send the requests in turn.
type aggressor struct {
	does     string
	requests [][]byte
	// compiles tells that it has the server make code, which cannot be left off, most
	// of the time.
	compiles bool
}

// aggressors are what a client can do to its neighbours. Each script ends at
// its limits, or soon. The texts are new with each call.
func aggressors(slow string) []aggressor {
	limits := map[string]any{"time_ms": 300}
	post := func(script string) []byte {
		body, err := json.Marshal(map[string]any{"script": script, "limits": limits})
		if err != nil {
			panic(err) // plain data
		}
		return load.Post("/api/v1/execute", body)
	}
	unique := time.Now().UnixNano()
	// texts are scripts with a line of their own each, sent a number of times: by all
	// connections in a row.
	texts := func(count, times int, rest string) (requests [][]byte) {
		var fresh [][]byte
		for range count {
			unique++
			fresh = append(fresh, post(fmt.Sprintf("x = %d\n%s", unique, rest)))
		}
		for batch := range slices.Chunk(fresh, aggressorConnections) {
			for range times {
				requests = append(requests, batch...)
			}
		}
		return requests
	}
	const (
		short = "if(x, 3, \">\")\ny = x * 2\nend()\naddResult(y)"
		loop  = "i = 0\nwhile(i < 100000)\n    i = i + 1\nend()\naddResult(i)"
	)
	endless := post("i = 0\nwhile(True)\n    i = (i + 1) % 1000\nend()")
	hungry := post("s = \"x\" * 50000000\nwhile(len(s) > 0)\n    i = 1\nend()")
	waiting := post("r = RequestGet(\"" + slow + "\")\naddResult(r)")
	var everything [][]byte
	for _, text := range texts(2_500, 1, short) {
		everything = append(everything, endless, hungry, waiting, text)
	}
	long := strings.Repeat("if(x, 3, \">\")\n    y = str(x) + \"text\"\nend()\n", 100)
	return []aggressor{
		{does: "computes without end", requests: [][]byte{endless}},
		{does: "takes all memory", requests: [][]byte{hungry}},
		{does: "waits for others", requests: [][]byte{waiting}},
		{does: "does all of it at once", requests: everything},
		{does: "sends never-seen texts", requests: texts(10_000, 1, short), compiles: true},
		{does: "sends each text twice", requests: texts(5_000, 2, short), compiles: true},
		{does: "sends each text six times", requests: texts(2_000, codeTrials, short), compiles: true},
		{does: "sends never-seen loops", requests: texts(5_000, 1, loop), compiles: true},
		{does: "sends never-seen long texts", requests: texts(2_000, 1, long), compiles: true},
		{does: "sends long texts six times", requests: texts(500, codeTrials, long), compiles: true},
	}
}

// aggressorConnections are more than there are slots for anything.
const (
	aggressorConnections = 64
	victimConnections    = 4
	aggressorAddress     = "127.0.0.2"
)

// serveSlowly answers each request after a tenth of a second.
func serveSlowly() (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(100 * time.Millisecond)
		_, _ = w.Write([]byte("ok"))
	})}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

// neighbour measures what a client notices of another that takes all it can:
// its own 99th percentile, alone and beside, and that of /livez. The samples of
// all rounds are put together, since a round has too few slow requests. Linux has the
// second address that makes the other another client.
func (b *bench) neighbour() error {
	slow, stop, err := serveSlowly()
	if err != nil {
		return err
	}
	defer stop()
	product, err := b.serve("--egress-allow", "127.0.0.0/8")
	if err != nil {
		return err
	}
	defer b.stopAll()
	var roles [3]*process // victim, aggressor, probe
	for i := range roles {
		if roles[i], err = b.startRole("load", b.generator); err != nil {
			return err
		}
	}
	// What is new to the server is slower, which would make every neighbour look better.
	if err := b.suffer(samples{}, "warm-up", product, roles, nil); err != nil {
		return err
	}
	var passes []samples
	m, err := b.repeat(comparison{what: "neighbour", rounds: 2 * b.rounds, steady: "alone.p50", once: func(r round) error {
		s := samples{}
		passes = append(passes, s)
		for _, a := range aggressors(slow) {
			// What a busy machine does to a client alone is in every ratio.
			if err := b.suffer(s, alone, product, roles, nil); err != nil {
				return err
			}
			if err := b.suffer(s, a.does, product, roles, a.requests); err != nil {
				return fmt.Errorf("%s: %w", a.does, err)
			}
		}
		s.note(r)
		return nil
	}})
	if err != nil {
		return err
	}
	b.neighbourTable(m, m.pool(passes), aggressors(slow))
	return nil
}

// alone is when there is no other client.
const alone = "alone"

// samples are the times of all requests of a round, by what was done to the server;
// those of /livez are under names of their own.
type samples map[string]load.Histogram

func live(name string) string { return name + ".live" }

func (s samples) add(name string, times load.Histogram) {
	if s[name] == nil {
		s[name] = load.Histogram{}
	}
	s[name].Add(times)
}

// note makes figures of the samples of one round.
func (s samples) note(r round) {
	for name, times := range s {
		r[name+".p50"], r[name+".p99"] = float64(times.Quantile(0.5)), float64(times.Quantile(0.99))
	}
}

// pool puts the samples of the rounds together, of all that were made. Each round
// weighs the same.
func (m measured) pool(passes []samples) round {
	all, r := samples{}, round{}
	for _, kept := range m {
		for name, times := range passes[int(kept[passNumber])] {
			all.add(name, times)
		}
	}
	all.note(r)
	return r
}

// pooled gives a figure: of all samples together, with the quartiles of the rounds.
func (m measured) pooled(pool round, u unit, of func(round) float64) figure {
	f := m.derive(u, of)
	f.Value = of(pool)
	return f
}

func (b *bench) neighbourTable(m measured, pool round, others []aggressor) {
	took := func(name string) figure {
		return m.pooled(pool, nanoseconds, func(r round) float64 { return r[name] })
	}
	t := b.table("the other client", "p50", "p99", "p99 / alone", "/livez p99")
	t.row("is not there", took(alone+".p50"), took(alone+".p99"), "", took(live(alone)+".p99"))
	// worst are the highest figures for the budgets.
	worst := map[string]figure{}
	count := func(budget string, f figure) {
		if f.Value >= worst[budget].Value {
			worst[budget] = f
		}
	}
	for _, a := range others {
		p99, probe := took(a.does+".p99"), took(live(a.does)+".p99")
		ratio := m.pooled(pool, times, func(r round) float64 { return r[a.does+".p99"] / r[alone+".p99"] })
		t.row(a.does, took(a.does+".p50"), p99, ratio, probe)
		count("neighbour.live", probe)
		if a.compiles {
			count("neighbour.compiles", p99)
		} else {
			count("neighbour.p99", ratio)
		}
	}
	for budget, f := range worst {
		b.fulfil(budget, f)
	}
}

// suffer loads the server for the victim and asks /livez, while the aggressor
// does its worst.
func (b *bench) suffer(to samples, name string, s *site, roles [3]*process, attack [][]byte) error {
	window := b.window(600 * time.Millisecond)
	ended := make(chan error, 2)
	pending := 1
	if attack != nil {
		pending++
		plan := load.Plan{Address: s.address, Requests: attack, Any: true, From: aggressorAddress, Connections: aggressorConnections, Duration: 2 * window}
		go func() { ended <- roles[1].ask(plan, new(load.Outcome)) }()
		time.Sleep(window / 2) // the aggressor takes what it can get
	}
	var probe, victim load.Outcome
	go func() {
		plan := load.Plan{Address: s.address, Requests: [][]byte{load.Get("/livez")}, Expect: "alive", Connections: 1, Duration: window, Rate: 100}
		ended <- roles[2].ask(plan, &probe)
	}()
	plan := load.Plan{Address: s.address, Requests: [][]byte{smallRequest("/api/v1/execute")}, Expect: greeting, Connections: victimConnections, Duration: window}
	err := roles[0].ask(plan, &victim)
	for range pending {
		if other := <-ended; err == nil {
			err = other
		}
	}
	to.add(name, victim.Times)
	to.add(live(name), probe.Times)
	return err
}

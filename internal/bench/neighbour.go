package main

import (
	"encoding/json"
	"fmt"
	"maps"
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

// aggressors are what a client can do to its neighbours. Each script ends at
// its limits, or soon. The texts are new with each call.
func aggressors(slow string) map[string][][]byte {
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
	long := strings.Repeat("if(x, 3, \">\")\n    y = str(x) + \"text\"\nend()\n", 100)
	return map[string][][]byte{
		"computes without end":        {post("i = 0\nwhile(True)\n    i = (i + 1) % 1000\nend()")},
		"takes all memory":            {post("s = \"x\" * 50000000\nwhile(len(s) > 0)\n    i = 1\nend()")},
		"waits for others":            {post("r = RequestGet(\"" + slow + "\")\naddResult(r)")},
		"sends never-seen texts":      texts(10_000, 1, short),
		"sends each text twice":       texts(5_000, 2, short),
		"sends each text six times":   texts(2_000, codeTrials, short),
		"sends never-seen loops":      texts(5_000, 1, loop),
		"sends never-seen long texts": texts(2_000, 1, long),
		"sends long texts six times":  texts(500, codeTrials, long),
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
// its own 99th percentile, alone and beside, and that of /livez. Linux has the
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
	names := slices.Sorted(maps.Keys(aggressors(slow)))
	// What is new to the server is slower, which would make every neighbour look better.
	if err := b.suffer(round{}, "warm-up", product, roles, nil); err != nil {
		return err
	}
	m, err := b.repeat(comparison{what: "neighbour", rounds: b.rounds, steady: "alone.p50", once: func(r round) error {
		if err := b.suffer(r, "alone", product, roles, nil); err != nil {
			return err
		}
		attacks := aggressors(slow)
		for _, name := range names {
			requests := attacks[name]
			if err := b.suffer(r, name, product, roles, requests); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	t := b.table("the other client", "p50", "p99", "p99 / alone", "/livez p99")
	t.row("is not there", m.of("alone.p50", nanoseconds), m.of("alone.p99", nanoseconds), "", m.of("alone.live", nanoseconds))
	var worst, live figure
	for _, name := range names {
		ratio, probe := m.ratio(name+".p99", "alone.p99"), m.of(name+".live", nanoseconds)
		t.row(name, m.of(name+".p50", nanoseconds), m.of(name+".p99", nanoseconds), ratio, probe)
		if ratio.Value >= worst.Value {
			worst = ratio
		}
		if probe.Value >= live.Value {
			live = probe
		}
	}
	b.fulfil("neighbour.p99", worst)
	b.fulfil("neighbour.live", live)
	return nil
}

// suffer loads the server for the victim and asks /livez, while the aggressor
// does its worst.
func (b *bench) suffer(r round, name string, s *site, roles [3]*process, attack [][]byte) error {
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
	r.add(name, victim)
	r[name+".live"] = float64(probe.P99)
	return err
}

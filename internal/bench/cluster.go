package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/avapd/avapd/internal/bench/nodes"
)

const (
	clusterNodes  = 3
	clusterRounds = 30
)

// startCluster starts servers with the services that they share. They and what
// measures them have the whole machine together.
func (b *bench) startCluster(count int) (*nodes.Cluster, error) {
	if err := b.build(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "nodes")
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(b.dir, "log")
	if err != nil {
		return nil, err
	}
	var flags []string
	if b.quick {
		flags = nodes.PatientFlags
	}
	return nodes.Start(b.ctx, nodes.Options{
		Nodes: count, Dir: dir, Log: log, Flags: flags,
		Serve: func(arguments ...string) *exec.Cmd { return exec.CommandContext(b.ctx, b.product, arguments...) },
	})
}

// cluster measures how long changes take to be live on three servers under
// load, and whether anything is lost when they, or what they share, are killed.
func (b *bench) cluster() (err error) {
	b.progress("three nodes, PostgreSQL and Redis")
	c, err := b.startCluster(clusterNodes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	r, err := c.Run(b.ctx, b.some(clusterRounds))
	if err != nil {
		return err
	}
	columns := []string{"change, asked for until live: p50, slowest"}
	for _, n := range c.Nodes[:clusterNodes] {
		columns = append(columns, n.Name)
	}
	t := b.table(columns...)
	for _, kind := range nodes.Kinds {
		row := []any{kind}
		for i := range clusterNodes {
			row = append(row, middleAndMost(liveAt(r.Changes, kind, i)))
		}
		t.row(row...)
	}
	t = b.table("what happens", "took")
	for _, e := range r.Events {
		took := ""
		if e.Took > 0 {
			took = exactly(float64(e.Took), nanoseconds).String()
		}
		t.row(e.What, took)
	}
	b.note("The nodes, both services and the clients share all cores. %d rounds of changes; %d executions on the way, of which %d failed; %d were cut off by the end of their server and sent to another.",
		b.some(clusterRounds), r.Requests, r.Failed, r.Cut)
	a := r.Acknowledged
	b.note("%d uploads were acknowledged, of which %d are missing on a node; %d had no answer, because their node was down. Versions without their module: %d.", a.Versions, a.Missing, a.Unanswered, a.Halves)
	var refusals []float64
	for _, refusal := range r.Refusals {
		refusals = append(refusals, float64(refusal.Took))
	}
	b.note("%d writes were refused while PostgreSQL was away, after %s (p50, slowest). One that was under way when it went is answered when its fate is known, or after 10 s.", len(refusals), middleAndMost(refusals))
	b.fulfil("cluster.live", exactly(float64(r.Slowest()), nanoseconds))
	b.fulfil("cluster.failed", exactly(float64(r.Failed), count))
	b.fulfil("cluster.lost", exactly(float64(a.Missing+a.Halves), count))
	b.fulfil("cluster.cold", exactly(float64(r.Cold), nanoseconds))
	return nil
}

// liveAt is how long the changes of a kind took to be live on a server.
func liveAt(changes []nodes.Change, kind string, node int) []float64 {
	var all []float64
	for _, c := range changes {
		if c.Kind == kind {
			all = append(all, float64(c.Live[node]/time.Nanosecond))
		}
	}
	return all
}

// middleAndMost prints the median and the most of times.
func middleAndMost(all []float64) string {
	return fmt.Sprintf("%s, %s", exactly(quantile(all, 0.5), nanoseconds), exactly(quantile(all, 1), nanoseconds))
}

package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/bench/machine"
	"github.com/avapd/avapd/internal/bench/nodes"
	"github.com/avapd/avapd/internal/store"
)

// storedCommands is how many commands a node starts with.
const storedCommands = 10_000

// tierCalls are the commands of a round whose modules come from one tier.
const tierCalls = 100

// registry measures what stored commands cost: the start of a node with many of
// them, and the first call of one by where its module comes from.
func (b *bench) registry() (err error) {
	c, err := b.startCluster(0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	count := b.some(storedCommands)
	b.progress("storing %d commands", count)
	if err := storeShared(b.ctx, c.Postgres.URL(), storedScripts(count, storedLines)); err != nil {
		return err
	}
	bare, err := b.bareNode(c)
	if err != nil {
		return err
	}
	full, err := b.fillNode(c, count)
	if err != nil {
		return err
	}
	if err := b.starts(c, bare, full, count); err != nil {
		return err
	}
	return b.tiers(c, full, count)
}

// bareNode starts a node without commands, on a database of its own.
func (b *bench) bareNode(c *nodes.Cluster) (*nodes.Node, error) {
	if err := c.Postgres.Exec(b.ctx, "", "CREATE DATABASE bare"); err != nil {
		return nil, err
	}
	address, err := url.Parse(c.Postgres.URL())
	if err != nil {
		return nil, err
	}
	address.Path = "/bare"
	file := filepath.Join(b.dir, "bare-url")
	if err := os.WriteFile(file, []byte(address.String()), 0o600); err != nil {
		return nil, err
	}
	return c.Add(b.ctx, "--postgres-url-file", file)
}

// fillNode starts a node that knows nothing, and waits until it has everything.
func (b *bench) fillNode(c *nodes.Cluster, count int) (*nodes.Node, error) {
	b.progress("a new node with %d commands", count)
	began := time.Now()
	n, err := c.Add(b.ctx)
	if err != nil {
		return nil, err
	}
	if err := n.Await(b.ctx, "knows all commands", func(h api.Health) bool { return h.Commands == count }); err != nil {
		return nil, err
	}
	known := time.Since(began)
	if err := n.Await(b.ctx, "has all modules", func(h api.Health) bool { return h.Missing == 0 && h.CopyGood }); err != nil {
		return nil, err
	}
	b.note("A node with an empty directory knows %d commands of PostgreSQL %s after its start, and has the modules of all in its copy after %s.",
		count, exactly(float64(known), nanoseconds), exactly(float64(time.Since(began)), nanoseconds))
	return n, nil
}

// starts measures nodes that are started again, with what they share and then
// without.
func (b *bench) starts(c *nodes.Cluster, bare, full *nodes.Node, count int) error {
	next := 0
	once := func(kind string) func(round) error {
		return func(r round) error {
			if err := b.restart(r, kind+".bare", bare, 0); err != nil {
				return err
			}
			if err := b.restart(r, kind+".full", full, count); err != nil {
				return err
			}
			next++
			return b.firstCalls(r, kind, full, 2*next%count, (2*next+1)%count)
		}
	}
	up, err := b.each("start", once("up"))
	if err != nil {
		return err
	}
	if err := errors.Join(c.Postgres.Kill(), c.Redis.Kill()); err != nil {
		return err
	}
	down, err := b.each("start without services", once("down"))
	if err != nil {
		return err
	}
	if err := errors.Join(c.Postgres.Restart(), c.Redis.Restart()); err != nil {
		return err
	}
	t := b.table("start of a node", "ready after", "against no commands", "resident memory", "first call after the start", "first call of another command", "later calls")
	for _, s := range []struct {
		title, kind string
		m           measured
	}{{"PostgreSQL and Redis are there", "up", up}, {"both are gone", "down", down}} {
		t.row("no commands, "+s.title, s.m.of(s.kind+".bare.ready", nanoseconds), "", s.m.of(s.kind+".bare.memory", bytesUnit), "", "", "")
		t.row(fmt.Sprintf("%d commands, %s", count, s.title), s.m.of(s.kind+".full.ready", nanoseconds), s.m.ratio(s.kind+".full.ready", s.kind+".bare.ready"),
			s.m.of(s.kind+".full.memory", bytesUnit), s.m.of(s.kind+".first", nanoseconds), s.m.of(s.kind+".other", nanoseconds), s.m.of(s.kind+".later", nanoseconds))
	}
	b.fulfil("registry.start", down.of("down.full.ready", nanoseconds))
	return nil
}

// each makes rounds. Which of them are disturbed is not told: the services and
// the nodes that come and go would count as others.
func (b *bench) each(what string, once func(round) error) (measured, error) {
	var m measured
	for i := range b.rounds {
		b.progress("%s: round %d of %d", what, i+1, b.rounds)
		figures := round{}
		if err := once(figures); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		m = append(m, figures)
	}
	return m, nil
}

// restart notes how long a node takes to be ready, and its memory.
func (b *bench) restart(r round, name string, n *nodes.Node, count int) error {
	if err := n.Stop(); err != nil {
		return err
	}
	began := time.Now()
	if err := n.Start(b.ctx); err != nil {
		return err
	}
	r[name+".ready"] = float64(time.Since(began))
	h, err := n.Health(b.ctx)
	if err != nil || h.Commands != count {
		return errors.Join(err, fmt.Errorf("%s is ready with %d of %d commands", n.Name, h.Commands, count))
	}
	memory, err := machine.Resident(n.Pid())
	r[name+".memory"] = float64(memory)
	return err
}

// firstCalls calls two commands for the first time, and the second one again.
func (b *bench) firstCalls(r round, kind string, n *nodes.Node, one, other int) error {
	for _, call := range []struct {
		name   string
		number int
	}{{"first", one}, {"other", other}, {"later", other}, {"later", other}} {
		took, err := n.Call(b.ctx, storedName(call.number), storedInput)
		if err != nil {
			return err
		}
		r[kind+"."+call.name] = float64(took)
	}
	return nil
}

// tiers measures the first call of commands by where their modules come from.
func (b *bench) tiers(c *nodes.Cluster, full *nodes.Node, count int) error {
	if err := full.Stop(); err != nil {
		return err
	}
	role, err := b.startRole("tiers", b.subject)
	if err != nil {
		return err
	}
	defer b.stopAll()
	q := tierQuestion{Postgres: c.Postgres.URL(), Redis: c.Redis.URL(""), Copy: filepath.Join(full.Dir, store.FileName), Count: min(tierCalls, count)}
	all := []string{tierRedis, tierCopy, tierPostgres}
	m, err := b.each("tiers", func(r round) error {
		for _, q.Tier = range all {
			var a tierAnswer
			if err := role.ask(q, &a); err != nil {
				return fmt.Errorf("%s: %w", q.Tier, err)
			}
			r[q.Tier+".first"], r[q.Tier+".bytes"], r[q.Tier+".later"] = float64(a.First), float64(a.Bytes), float64(a.Later)
		}
		q.From = (q.From + q.Count) % (count - q.Count + 1)
		return nil
	})
	if err != nil {
		return err
	}
	t := b.table("the module of a command is in", "first call, p50", "against compiled", "of which getting the module")
	t.row("memory, compiled", m.of(tierRedis+".later", nanoseconds), "", "")
	for _, tier := range all {
		t.row(tier, m.of(tier+".first", nanoseconds), m.ratio(tier+".first", tier+".later"), m.of(tier+".bytes", nanoseconds))
	}
	b.note("%d rounds. The second table is without HTTP: %d commands a round, of scripts of %d lines, that are in no faster tier; its first line is the calls after the first.", b.rounds, q.Count, storedLines)
	return nil
}

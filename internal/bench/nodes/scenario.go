package nodes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/avapd/avapd/internal/testservices"
)

// Event is something that was done or seen, in its order. What says it without
// times.
type Event struct {
	What string
	// Took is how long it took, where that means something.
	Took time.Duration
	// Live tells that it is a change, which was live everywhere after that.
	Live bool
}

// Slowest is the longest that a change took to be live on all servers.
func (r *Report) Slowest() time.Duration {
	var slowest time.Duration
	for i := range r.Changes {
		slowest = max(slowest, r.Changes[i].Slowest())
	}
	for _, e := range r.Events {
		if e.Live {
			slowest = max(slowest, e.Took)
		}
	}
	return slowest
}

// Report is what a run showed.
type Report struct {
	Changes []Change
	Events  []Event
	// Requests of the load were answered, Failed ones wrongly or not at all. Cut
	// ones were under way to a server when that was killed.
	Requests, Failed, Cut int64
	Acknowledged          Acknowledged
	// Refusals are the writes while PostgreSQL was away.
	Refusals []Refusal
	// Cold is how long a server took from its start to being ready with neither
	// PostgreSQL nor Redis.
	Cold time.Duration
}

// exercise is a run on its way.
type exercise struct {
	*Cluster

	signer *signer
	// writers are all there were, writing those at work.
	writers, writing []*writer
	report           Report
}

// Run does everything: rounds of changes under load, and then what can go
// wrong. The error is what kept it from going on; what the product did wrong is
// in the report.
func (c *Cluster) Run(ctx context.Context, rounds int) (*Report, error) {
	e := &exercise{Cluster: c}
	if err := e.prepare(ctx); err != nil {
		return nil, err
	}
	l := startLoad(c.Nodes, loadConnections, rightly)
	err := errors.Join(e.run(ctx, rounds), e.stopWriting())
	failure := l.stop()
	e.report.Requests, e.report.Failed, e.report.Cut = l.requests.Load(), l.failed.Load(), l.cut.Load()
	if err = errors.Join(err, failure); err != nil {
		return &e.report, err
	}
	if err := e.join(ctx); err != nil {
		return &e.report, err
	}
	return &e.report, e.reckon(ctx)
}

// join starts one more server, which has nothing, and executes on it as soon as
// it is ready.
func (e *exercise) join(ctx context.Context) error {
	if err := e.timed("a new node is started and ready", func() error { _, err := e.Add(ctx); return err }); err != nil {
		return err
	}
	n := e.Nodes[len(e.Nodes)-1]
	return e.timed("the new node executes", func() error { return rightly(ctx, n) })
}

// prepare makes the command that the load executes, known everywhere.
func (e *exercise) prepare(ctx context.Context) (err error) {
	if e.signer, err = e.newSigner(ctx, "pipeline"); err != nil {
		return err
	}
	module, err := e.signer.module(1)
	if err != nil {
		return err
	}
	_, err = e.follow(ctx, Upload, 0, loadCommand, isNumber(1), func(ctx context.Context) error {
		return e.Nodes[0].upload(ctx, loadCommand, module)
	})
	return err
}

func (e *exercise) run(ctx context.Context, rounds int) (err error) {
	if e.report.Changes, err = e.changes(ctx, e.signer, rounds); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{e.outlive, e.killNode, e.stopNode, e.loseRedis, e.losePostgres, e.loseBoth} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// write begins to upload by all servers. A server that writes looks at the
// primary all the time: what is announced is not seen to be, meanwhile.
func (e *exercise) write() {
	for i, n := range e.Nodes {
		w := n.startWriter(fmt.Sprintf("written_%d_%d", i+1, len(e.writers)), e.signer)
		e.writers, e.writing = append(e.writers, w), append(e.writing, w)
	}
}

func (e *exercise) stopWriting() error {
	var err error
	for _, w := range e.writing {
		err = errors.Join(err, w.stop())
	}
	e.writing = nil
	return err
}

// reckon compares what the servers have with what they said.
func (e *exercise) reckon(ctx context.Context) (err error) {
	e.report.Acknowledged, err = e.check(ctx, e.writers)
	for _, w := range e.writers {
		e.report.Refusals = append(e.report.Refusals, w.refused...)
	}
	return err
}

// happened notes an event whose time means nothing.
func (e *exercise) happened(what string) {
	e.report.Events = append(e.report.Events, Event{What: what})
}

// timed does something and notes it.
func (e *exercise) timed(what string, do func() error) error {
	began := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	e.report.Events = append(e.report.Events, Event{What: what, Took: time.Since(began)})
	return nil
}

// converged waits until all servers are at the same state as the primary, and
// have all modules.
func (e *exercise) converged(ctx context.Context) error {
	return e.Nodes[0].await(ctx, "has the state of the others", e.same)
}

// step uploads a new version of the load's command, and notes how long the last
// server took to show it.
func (e *exercise) step(ctx context.Context, at int, what string) error {
	newest, err := e.newest(ctx)
	if err != nil {
		return err
	}
	module, err := e.signer.module(newest + 1)
	if err != nil {
		return err
	}
	change, err := e.follow(ctx, Upload, at, loadCommand, isNumber(newest+1), func(ctx context.Context) error {
		return e.Nodes[at].upload(ctx, loadCommand, module)
	})
	if err == nil {
		e.report.Events = append(e.report.Events, Event{What: what, Took: change.Slowest(), Live: true})
	}
	return err
}

// newest is the last version of the load's command.
func (e *exercise) newest(ctx context.Context) (int, error) {
	versions, err := e.Nodes[0].api.Versions(ctx, loadCommand)
	if err != nil || len(versions) == 0 {
		return 0, errors.Join(err, fmt.Errorf("%s has %d versions", loadCommand, len(versions)))
	}
	return versions[0].Version, nil
}

// killNode kills a server in the middle of uploads, and starts it again.
func (e *exercise) killNode(ctx context.Context) error {
	e.write()
	if err := e.accepts(ctx); err != nil {
		return err
	}
	n := e.Nodes[1]
	if err := e.timed("kill -9 of node 2, in the middle of uploads", n.Kill); err != nil {
		return err
	}
	if err := e.step(ctx, 0, "a change meanwhile is live on the others"); err != nil {
		return err
	}
	if err := e.stopWriting(); err != nil {
		return err
	}
	return e.comeBack(ctx, n)
}

// comeBack starts a server again.
func (e *exercise) comeBack(ctx context.Context, n *Node) error {
	if err := e.timed(n.Name+" is started again and ready", func() error { return n.Start(ctx) }); err != nil {
		return err
	}
	return e.timed("all nodes have the same state", func() error { return e.converged(ctx) })
}

// stopNode stops a server as an operator does, under load.
func (e *exercise) stopNode(ctx context.Context) error {
	n := e.Nodes[1]
	if err := e.timed("node 2 is stopped by SIGTERM under load", n.Stop); err != nil {
		return err
	}
	return e.comeBack(ctx, n)
}

// loseRedis takes Redis away, then the announcements of PostgreSQL as well, and
// gives back both.
func (e *exercise) loseRedis(ctx context.Context) error {
	if err := e.timed("kill -9 of Redis", e.Redis.Kill); err != nil {
		return err
	}
	if err := e.step(ctx, 0, "a change without Redis is live on all nodes"); err != nil {
		return err
	}
	listeners, err := e.Postgres.Pids(ctx, "avap changes")
	if err != nil {
		return err
	}
	if len(listeners) != len(e.Nodes) {
		return fmt.Errorf("%d sessions listen to PostgreSQL; there are %d nodes", len(listeners), len(e.Nodes))
	}
	for _, pid := range listeners {
		if err := testservices.Freeze(pid); err != nil {
			return err
		}
	}
	err = e.step(ctx, 1, "a change that nobody is told of is live on all nodes")
	for _, pid := range listeners {
		err = errors.Join(err, testservices.Thaw(pid))
	}
	if err != nil {
		return err
	}
	if err := e.timed("Redis is started again, empty", e.Redis.Restart); err != nil {
		return err
	}
	return e.step(ctx, 2, "a change afterwards is live on all nodes")
}

// losePostgres takes PostgreSQL away in the middle of uploads.
func (e *exercise) losePostgres(ctx context.Context) error {
	e.write()
	if err := e.accepts(ctx); err != nil {
		return err
	}
	if err := e.timed("kill -9 of PostgreSQL, in the middle of uploads", e.Postgres.Kill); err != nil {
		return err
	}
	if err := e.timed("every node refuses a write, and executes", func() error { return e.refuses(ctx) }); err != nil {
		return err
	}
	if err := e.timed("PostgreSQL is started again", e.Postgres.Restart); err != nil {
		return err
	}
	if err := e.timed("every node takes writes again", func() error { return e.accepts(ctx) }); err != nil {
		return err
	}
	if err := e.stopWriting(); err != nil {
		return err
	}
	return e.step(ctx, 0, "a change afterwards is live on all nodes")
}

// refuses waits until the writer of each server was refused.
func (e *exercise) refuses(ctx context.Context) error {
	for i, w := range e.writing {
		_, before := w.counts()
		err := e.Nodes[i].await(ctx, "refuses a write", func(context.Context) bool {
			_, now := w.counts()
			return now > before+1
		})
		if err != nil {
			return err
		}
		if err := rightly(ctx, e.Nodes[i]); err != nil {
			return err
		}
	}
	return nil
}

// acceptedEach is how many uploads by each server show that it takes them.
const acceptedEach = 20

// accepts waits until so many uploads of each writer are acknowledged.
func (e *exercise) accepts(ctx context.Context) error {
	for i, w := range e.writing {
		before, _ := w.counts()
		err := e.Nodes[i].await(ctx, "takes writes", func(context.Context) bool {
			now, _ := w.counts()
			return now >= before+acceptedEach
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// loseBoth takes everything away, starts a server that has nothing but its
// copy, and gives everything back.
func (e *exercise) loseBoth(ctx context.Context) error {
	if err := e.converged(ctx); err != nil {
		return err
	}
	if err := e.timed("kill -9 of PostgreSQL and Redis", func() error { return errors.Join(e.Postgres.Kill(), e.Redis.Kill()) }); err != nil {
		return err
	}
	n := e.Nodes[2]
	if err := n.Kill(); err != nil {
		return err
	}
	err := e.timed("node 3 is started again and ready, from its copy", func() error { return n.Start(ctx) })
	if err != nil {
		return err
	}
	e.report.Cold = e.report.Events[len(e.report.Events)-1].Took
	h, err := n.Health(ctx)
	if err == nil && (h.Primary || h.Origin != "offline copy") {
		err = fmt.Errorf("node 3 has nothing but its copy and says %+v", h)
	}
	if err == nil {
		err = e.timed("node 3 executes, from its copy", func() error { return rightly(ctx, n) })
	}
	if err != nil {
		return err
	}
	if err := e.timed("PostgreSQL and Redis are started again", func() error { return errors.Join(e.Postgres.Restart(), e.Redis.Restart()) }); err != nil {
		return err
	}
	if err := e.step(ctx, 1, "a change afterwards is live on all nodes"); err != nil {
		return err
	}
	return e.timed("all nodes have the same state", func() error { return e.converged(ctx) })
}

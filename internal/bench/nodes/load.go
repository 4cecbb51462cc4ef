package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// loadCommand is executed all the time. Its version number is its result.
	loadCommand = "steady"
	// loadConnections and loadPause make the load of each server: so many
	// requests one after the other, with so much time between.
	loadConnections = 4
	loadPause       = 5 * time.Millisecond
	// cutTries bounds how often a request is repeated elsewhere.
	cutTries = 3
)

// load is clients that execute a command all the time.
type load struct {
	// targets are the servers, or what stands before them.
	targets []*Node
	execute func(context.Context, *Node) error
	cancel  context.CancelFunc
	clients sync.WaitGroup

	// requests were answered rightly, failed ones were not. Those that were cut
	// off, because their server was killed, were sent to another one, as a load
	// balancer does.
	requests, failed, cut atomic.Int64

	mu       sync.Mutex
	failures error
}

// startLoad begins to execute something, with some clients for each target.
func startLoad(targets []*Node, connections int, execute func(context.Context, *Node) error) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{targets: slices.Clone(targets), execute: execute, cancel: cancel}
	for i := range targets {
		for range connections {
			l.clients.Go(func() { l.run(ctx, i) })
		}
	}
	return l
}

// stop ends the load and gives what failed.
func (l *load) stop() error {
	l.cancel()
	l.clients.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures
}

func (l *load) run(ctx context.Context, home int) {
	tick := time.NewTicker(loadPause)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := l.request(home); err != nil {
			l.fail(err)
			return // one is one too many
		}
		l.requests.Add(1)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (l *load) fail(err error) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = errors.Join(l.failures, err)
}

// request executes the command on a server, or on the next one when that is
// down or goes down meanwhile.
func (l *load) request(home int) error {
	var err error
	for try := range cutTries {
		n := upFrom(l.targets, home+try)
		err = within(context.Background(), patience, func(ctx context.Context) error { return l.execute(ctx, n) })
		if err == nil || errors.Is(err, errWrong) || n.up.Load() {
			return err
		}
		l.cut.Add(1)
	}
	return err
}

// rightly executes the command and looks whether the answer is that of the
// version that the server says it is.
func rightly(ctx context.Context, n *Node) error {
	a, err := n.execute(ctx, loadCommand)
	if err != nil {
		return err
	}
	number, ok := a.number()
	if version := a.header.Get("X-Avap-Version"); !ok || version != fmt.Sprint(number) {
		return fmt.Errorf("%w: %s, as version %q: %d %s", errWrong, n.Name, version, a.status, a.body)
	}
	return nil
}

var errWrong = errors.New("a wrong answer")

// upFrom gives the first server that is up, beginning with one.
func upFrom(nodes []*Node, i int) *Node {
	for j := range nodes {
		if n := nodes[(i+j)%len(nodes)]; n.up.Load() {
			return n
		}
	}
	return nodes[i%len(nodes)]
}

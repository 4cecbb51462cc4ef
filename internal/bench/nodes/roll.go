package nodes

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/avapd/avapd/internal/testservices"
)

// UnreadyFlags give a balancer time to see that a server goes.
var UnreadyFlags = []string{"--shutdown-unready-ms", "2000", "--shutdown-timeout-ms", "30000"}

const (
	// heavyCommand is executed by some of the clients of a roll: some of these
	// executions are under way whenever a server is told to stop.
	heavyCommand = "heavy"
	heavyScript  = "n = 0\nstartLoop(i, 1, 200000)\nn = i\nendLoop()\naddResult(n)\n"
	heavyResult  = 200000
	// rollClients ask the balancer for short executions, and as many for long ones.
	rollClients = 6
)

// RollReport is what a rolling restart showed.
type RollReport struct {
	// Requests were answered rightly by the balancer, Failed ones were not.
	Requests, Failed int64
	// Restarted are the servers, in their order.
	Restarted []string
}

// Roll restarts all servers, one after the other, while clients execute commands
// by way of a balancer, which sends no request twice and nor do they. The next
// one goes when the balancer sends requests to the last one again.
func (c *Cluster) Roll(ctx context.Context, balancer *testservices.Haproxy) (*RollReport, error) {
	e := &exercise{Cluster: c}
	if err := e.prepare(ctx); err != nil {
		return nil, err
	}
	if err := e.prepareHeavy(ctx); err != nil {
		return nil, err
	}
	front := &Node{Name: "HAProxy", URL: balancer.URL, cluster: c}
	front.up.Store(true) // always: whatever happens behind it, it answers
	fronts := []*Node{front}
	loads := []*load{startLoad(fronts, rollClients, rightly), startLoad(fronts, rollClients, heavily)}
	r := &RollReport{}
	err := c.roll(ctx, balancer, r)
	for _, l := range loads {
		failure := l.stop()
		r.Requests += l.requests.Load()
		r.Failed += l.failed.Load()
		if err == nil {
			err = failure
		}
	}
	return r, err
}

func (c *Cluster) roll(ctx context.Context, balancer *testservices.Haproxy, r *RollReport) error {
	for _, n := range c.Nodes {
		if err := n.balanced(ctx, balancer); err != nil {
			return err
		}
		if err := n.Stop(); err != nil {
			return err
		}
		if err := n.Start(ctx); err != nil {
			return err
		}
		if err := n.balanced(ctx, balancer); err != nil {
			return err
		}
		r.Restarted = append(r.Restarted, n.Name)
	}
	return nil
}

// balanced waits until the balancer sends requests to all servers.
func (n *Node) balanced(ctx context.Context, balancer *testservices.Haproxy) error {
	return n.await(ctx, "gets requests again, as the others do", func(ctx context.Context) bool {
		up, err := balancer.Up(ctx)
		return err == nil && len(up) == len(n.cluster.Nodes) && !slices.Contains(slices.Collect(maps.Values(up)), false)
	})
}

// prepareHeavy makes the command that takes a while, known everywhere.
func (e *exercise) prepareHeavy(ctx context.Context) error {
	module, err := e.signer.sign(heavyScript)
	if err != nil {
		return err
	}
	_, err = e.follow(ctx, Upload, 0, heavyCommand, isNumber(heavyResult), func(ctx context.Context) error {
		return e.Nodes[0].upload(ctx, heavyCommand, module)
	})
	return err
}

func heavily(ctx context.Context, n *Node) error {
	a, err := n.execute(ctx, heavyCommand)
	if err != nil {
		return err
	}
	if !isNumber(heavyResult)(a) {
		return fmt.Errorf("%w: %s: %d %s", errWrong, n.Name, a.status, a.body)
	}
	return nil
}

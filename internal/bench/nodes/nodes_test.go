package nodes_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/bench/nodes"
	"github.com/avapd/avapd/internal/bench/program"
	"github.com/avapd/avapd/internal/testservices"
)

func TestMain(m *testing.M) { program.Main(m) }

// Three servers, with one PostgreSQL and one Redis, live through everything
// that make bench measures. How long it takes is not asked here, only what
// happens and in which order.
func TestThreeNodes(t *testing.T) {
	c := start(t)
	r, err := c.Run(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r)
}

// start starts three servers for a test.
func start(t *testing.T, flags ...string) *nodes.Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers and services")
	}
	c, err := nodes.Start(t.Context(), nodes.Options{
		Nodes: 3, Dir: t.TempDir(), Log: t.Output(), Flags: slices.Concat(nodes.PatientFlags, flags),
		Serve: program.Command,
	})
	testservices.Need(t, err)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// haproxyConfig is what operators take.
const haproxyConfig = "../../../deploy/haproxy.cfg"

func TestHaproxyConfig(t *testing.T) {
	testservices.Need(t, testservices.CheckHaproxy(t.Context(), haproxyConfig))
}

// Three servers behind HAProxy are restarted one after the other under load, and
// no request fails.
func TestRollingRestart(t *testing.T) {
	c := start(t, nodes.UnreadyFlags...)
	var servers []string
	for _, n := range c.Nodes {
		servers = append(servers, strings.TrimPrefix(n.URL, "http://"))
	}
	balancer, err := testservices.StartHaproxy(t.Context(), haproxyConfig, servers)
	testservices.Need(t, err)
	r, err := c.Roll(t.Context(), balancer)
	err = errors.Join(err, balancer.Stop())
	t.Logf("%+v", r)
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(balancer.Output()))
	}
	if diff := cmp.Diff([]string{"node 1", "node 2", "node 3"}, r.Restarted); diff != "" {
		t.Error(diff)
	}
	if r.Requests < 100 || r.Failed != 0 {
		t.Errorf("%d requests were answered, %d failed", r.Requests, r.Failed)
	}
	// Each server was seen to go before it did.
	for _, name := range []string{"node1", "node2", "node3"} {
		if !strings.Contains(balancer.Output(), "avap/"+name+" is DOWN, reason: Layer7 wrong status, code: 503") {
			t.Errorf("HAProxy did not see %s go:\n%s", name, tail(balancer.Output()))
		}
	}
}

// tail is the end of what a program wrote.
func tail(output string) string {
	const lines = 100
	all := strings.SplitAfter(output, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

func check(t *testing.T, r *nodes.Report) {
	t.Helper()
	var kinds, events []string
	for _, c := range r.Changes {
		kinds = append(kinds, c.Kind)
		if len(c.Live) != 3 || c.Slowest() <= 0 {
			t.Errorf("%s was followed on %v", c.Kind, c.Live)
		}
	}
	for _, e := range r.Events {
		events = append(events, e.What)
		t.Log(e.Took, e.What)
	}
	if diff := cmp.Diff(nodes.Kinds, kinds); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(order), "\n"), events); diff != "" {
		t.Error(diff)
	}
	if r.Requests < 100 || r.Failed != 0 {
		t.Errorf("%d requests were answered, %d failed", r.Requests, r.Failed)
	}
	if a := r.Acknowledged; a.Versions < 10 || a.Missing != 0 || a.Halves != 0 {
		t.Errorf("of the uploads became %+v", a)
	}
	for _, refusal := range r.Refusals {
		if !refusal.Clear() {
			t.Errorf("a write was refused by %+v", refusal)
		}
	}
	t.Logf("%+v", r)
}

const order = `
a version is replaced and revoked while it is executed, which ends as it began
kill -9 of node 2, in the middle of uploads
a change meanwhile is live on the others
node 2 is started again and ready
all nodes have the same state
node 2 is stopped by SIGTERM under load
node 2 is started again and ready
all nodes have the same state
kill -9 of Redis
a change without Redis is live on all nodes
a change that nobody is told of is live on all nodes
Redis is started again, empty
a change afterwards is live on all nodes
kill -9 of PostgreSQL, in the middle of uploads
every node refuses a write, and executes
PostgreSQL is started again
every node takes writes again
a change afterwards is live on all nodes
kill -9 of PostgreSQL and Redis
node 3 is started again and ready, from its copy
node 3 executes, from its copy
PostgreSQL and Redis are started again
a change afterwards is live on all nodes
all nodes have the same state
a new node is started and ready
the new node executes
`

package nodes

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
)

// Kinds of changes whose way to all servers is measured.
const (
	Upload       = "new version, active at once"
	Activate     = "activate another version"
	Rollback     = "roll back"
	RevokeDigest = "revoke a module"
	RevokeKey    = "revoke a key"
)

// Kinds are all of them, in the order in which they are done.
var Kinds = []string{Upload, Activate, Rollback, RevokeDigest, RevokeKey}

// settled is how many answers in a row must show a change once one has.
const settled = 5

// Change is one change, and how long after it was asked for the servers showed
// it.
type Change struct {
	Kind string
	// At is the number of the server that was asked, from 0.
	At   int
	Live []time.Duration
}

// follow does a change and executes a command on all servers that are up, until
// each of them shows it.
func (c *Cluster) follow(ctx context.Context, kind string, at int, name string, shows func(*answer) bool, do func(context.Context) error) (Change, error) {
	change := Change{Kind: kind, At: at, Live: make([]time.Duration, len(c.Nodes))}
	ended := make(chan error, len(c.Nodes))
	asked := time.Now()
	for i, n := range c.Nodes {
		go func() {
			var err error
			if n.up.Load() {
				change.Live[i], err = n.until(ctx, asked, name, shows)
			}
			ended <- err
		}()
	}
	err := do(ctx)
	for range c.Nodes {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return change, fmt.Errorf("%s: %w", kind, err)
	}
	return change, nil
}

// until executes a command until the server shows a change, and goes on to show
// it.
func (n *Node) until(ctx context.Context, asked time.Time, name string, shows func(*answer) bool) (took time.Duration, err error) {
	seen := 0
	err = n.await(ctx, "shows the change", func(ctx context.Context) bool {
		a, failed := n.execute(ctx, name)
		switch {
		case failed != nil:
		case shows(a):
			if seen++; seen == 1 {
				took = time.Since(asked)
			}
		case seen > 0:
			err = fmt.Errorf("%s shows the change, and then not any more: %d %s", n.Name, a.status, a.body)
		}
		return seen == settled || err != nil
	})
	return took, err
}

func isNumber(want int) func(*answer) bool {
	return func(a *answer) bool {
		n, ok := a.number()
		return ok && n == want
	}
}

func isRevoked(a *answer) bool { return a.problem().Code == string(diag.Revoked) }

// versions uploads, activates and rolls back the command that the load
// executes. Its newest version is the given one, and in the end it is the next
// but active is the one before.
func (c *Cluster) versions(ctx context.Context, s *signer, newest, at int) ([]Change, error) {
	module, err := s.module(newest + 1)
	if err != nil {
		return nil, err
	}
	n := c.Nodes[at]
	path := "/api/v1/commands/" + loadCommand
	var all []Change
	for _, step := range []struct {
		kind   string
		number int
		do     func(context.Context) error
	}{
		{Upload, newest + 1, func(ctx context.Context) error { return n.upload(ctx, loadCommand, module) }},
		{Activate, newest, func(ctx context.Context) error { return n.post(ctx, path+"/activate", api.Activation{Version: newest}) }},
		{Rollback, newest + 1, func(ctx context.Context) error { return n.change(ctx, http.MethodPost, path+"/rollback", "", nil) }},
	} {
		change, err := c.follow(ctx, step.kind, at, loadCommand, isNumber(step.number), step.do)
		if err != nil {
			return nil, err
		}
		all = append(all, change)
	}
	return all, nil
}

// revoke revokes what all servers have executed a moment ago.
func (c *Cluster) revoke(ctx context.Context, kind string, round, at int) (Change, error) {
	name := fmt.Sprintf("doomed_%d", round)
	if kind == RevokeKey {
		name = fmt.Sprintf("orphaned_%d", round)
	}
	s, err := c.newSigner(ctx, name)
	if err != nil {
		return Change{}, err
	}
	module, err := s.module(round)
	if err != nil {
		return Change{}, err
	}
	upload := func(ctx context.Context) error { return c.Nodes[0].upload(ctx, name, module) }
	if _, err := c.follow(ctx, Upload, 0, name, isNumber(round), upload); err != nil {
		return Change{}, err
	}
	revocation := api.Revocation{Kind: api.RevokedDigest, Value: digest(module), Reason: "exercise"}
	if kind == RevokeKey {
		revocation.Kind, revocation.Value = api.RevokedKey, hex.EncodeToString(signature.KeyID(s.key.Public().Key))
	}
	return c.follow(ctx, kind, at, name, isRevoked, func(ctx context.Context) error {
		return c.Nodes[at].post(ctx, "/api/v1/revocations", revocation)
	})
}

// outlive replaces and revokes a version while it is being executed: what has
// begun ends as it began, and what begins afterwards is the other.
func (e *exercise) outlive(ctx context.Context) error {
	h, err := newHold()
	if err != nil {
		return err
	}
	defer h.close()
	const name = "lasting"
	n := e.Nodes[1]
	before, err := e.signer.sign(fmt.Sprintf("n = 1\nr = RequestGet(%q)\naddResult(n)\n", h.url))
	if err != nil {
		return err
	}
	after, err := e.signer.module(2)
	if err != nil {
		return err
	}
	// Who uploads by a server can execute there.
	if err := n.upload(ctx, name, before); err != nil {
		return err
	}
	var outcome *answer
	ended := make(chan error, 1)
	go func() {
		var err error
		outcome, err = n.execute(ctx, name)
		ended <- err
	}()
	if err := h.await(ctx); err != nil {
		return err
	}
	_, err = e.follow(ctx, Upload, 0, name, isNumber(2), func(ctx context.Context) error {
		revocation := api.Revocation{Kind: api.RevokedDigest, Value: digest(before), Reason: "exercise"}
		return errors.Join(e.Nodes[0].upload(ctx, name, after), e.Nodes[0].post(ctx, "/api/v1/revocations", revocation))
	})
	h.release()
	if err = errors.Join(err, <-ended); err != nil {
		return err
	}
	if !isNumber(1)(outcome) {
		return fmt.Errorf("the execution of a version that was revoked meanwhile answers %d %s", outcome.status, outcome.body)
	}
	e.happened("a version is replaced and revoked while it is executed, which ends as it began")
	return nil
}

// changes makes rounds of all changes, each at another server than the last.
func (c *Cluster) changes(ctx context.Context, s *signer, rounds int) ([]Change, error) {
	var all []Change
	for round := range rounds {
		at := (round + 1) % len(c.Nodes)
		some, err := c.versions(ctx, s, round+1, at)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		for _, kind := range []string{RevokeDigest, RevokeKey} {
			one, err := c.revoke(ctx, kind, round, at)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// Slowest is when the last server showed a change.
func (c *Change) Slowest() time.Duration { return slices.Max(c.Live) }

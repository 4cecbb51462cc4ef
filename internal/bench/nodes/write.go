package nodes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
	"github.com/avapd/avapd/internal/diag"
)

func digest(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}

// stored is a version that a server said it has stored.
type stored struct {
	name    string
	version int
	digest  string
}

// writer uploads one version after the other by one server, and
// knows which of them were acknowledged.
type writer struct {
	node   *Node
	name   string
	signer *signer
	cancel context.CancelFunc
	ended  chan struct{}

	mu sync.Mutex
	// acknowledged are there from then on, whatever happens. Of lost ones there
	// was no answer; they may be there or not.
	acknowledged []stored
	lost         int
	refused      []Refusal
	err          error
}

// Refusal is a write that was not taken.
type Refusal struct {
	Status     int
	Code       string
	RetryAfter string
	Took       time.Duration
}

// Clear tells whether a refusal says that the store is away and when to come
// again.
func (r *Refusal) Clear() bool {
	// A change has to be in the audit log first, which is in PostgreSQL as well.
	known := r.Code == string(diag.StoreUnavailable) || r.Code == string(diag.AuditUnavailable)
	return r.Status == http.StatusServiceUnavailable && known && r.RetryAfter != ""
}

const (
	// writePause is between two uploads.
	writePause = 20 * time.Millisecond
	// versionsEach is how many a command gets: fewer than are kept for certain.
	versionsEach = 50
)

// startWriter begins to upload.
func (n *Node) startWriter(name string, s *signer) *writer {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{node: n, name: name, signer: s, cancel: cancel, ended: make(chan struct{})}
	go w.run(ctx)
	return w
}

// stop ends it and gives what is wrong.
func (w *writer) stop() error {
	w.cancel()
	<-w.ended
	return w.err
}

func (w *writer) run(ctx context.Context) {
	defer close(w.ended)
	tick := time.NewTicker(writePause)
	defer tick.Stop()
	for number := 1; ctx.Err() == nil; number++ {
		module, err := w.signer.module(number)
		if err != nil {
			w.err = err
			return
		}
		w.write(fmt.Sprintf("%s_%d", w.name, number/versionsEach), module)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// write uploads a module once.
func (w *writer) write(name string, module []byte) {
	var a *answer
	began := time.Now()
	err := within(context.Background(), patience, func(ctx context.Context) (err error) {
		a, err = w.node.ask(ctx, http.MethodPut, "/api/v1/commands/"+name+"?activate=true", api.WASM, module)
		return err
	})
	w.note(func() {
		switch {
		case err != nil:
			w.lost++
		case a.status < http.StatusBadRequest:
			v := stored{name: name, digest: digest(module)}
			if _, err := fmt.Sscan(a.header.Get(api.HeaderVersion), &v.version); err != nil {
				w.err = fmt.Errorf("an upload is answered by %d %s, without a version: %w", a.status, a.body, err)
			}
			w.acknowledged = append(w.acknowledged, v)
		default:
			w.refused = append(w.refused, Refusal{a.status, a.problem().Code, a.header.Get("Retry-After"), time.Since(began)})
		}
	})
}

func (w *writer) note(what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what()
}

// counts gives how many uploads were acknowledged and refused so far.
func (w *writer) counts() (acknowledged, refused int) {
	w.note(func() { acknowledged, refused = len(w.acknowledged), len(w.refused) })
	return acknowledged, refused
}

// Acknowledged is what became of the uploads.
type Acknowledged struct {
	// Versions were acknowledged, of which Missing are not on some server.
	Versions, Missing int
	// Unanswered uploads may have happened or not; Halves are versions that are
	// listed and cannot be had.
	Unanswered, Halves int
}

// check looks on each server for all that was acknowledged, and that all that
// is listed is whole.
func (c *Cluster) check(ctx context.Context, writers []*writer) (Acknowledged, error) {
	var sum Acknowledged
	for _, w := range writers {
		sum.Versions += len(w.acknowledged)
		sum.Unanswered += w.lost
	}
	for _, n := range c.Nodes {
		for _, w := range writers {
			missing, halves, err := n.look(ctx, w)
			if err != nil {
				return sum, err
			}
			sum.Missing, sum.Halves = sum.Missing+missing, sum.Halves+halves
		}
	}
	return sum, nil
}

// look counts what a server lacks of a writer's versions, and what it has of
// them without a module.
func (n *Node) look(ctx context.Context, w *writer) (missing, halves int, err error) {
	there := map[string]map[int]string{}
	for _, v := range w.acknowledged {
		if there[v.name] == nil {
			versions, broken, err := n.inventory(ctx, v.name)
			if err != nil {
				return 0, 0, err
			}
			there[v.name], halves = versions, halves+broken
		}
		if there[v.name][v.version] != v.digest {
			missing++
		}
	}
	return missing, halves, nil
}

// inventory is the digests of a command's versions on a server, and how many
// modules of them cannot be had.
func (n *Node) inventory(ctx context.Context, name string) (there map[int]string, halves int, err error) {
	versions, err := n.api.Versions(ctx, name)
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status == http.StatusNotFound {
		return map[int]string{}, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	there = make(map[int]string, len(versions))
	for _, v := range versions {
		there[v.Version] = v.Digest
		module, err := n.api.Download(ctx, name, v.Version, "")
		if err != nil || digest(module.Bytes) != v.Digest {
			halves++
		}
	}
	return there, halves, nil
}

// same tells whether all servers are at the same state, with all modules.
func (c *Cluster) same(ctx context.Context) bool {
	var first string
	for i, n := range c.Nodes {
		h, err := n.Health(ctx)
		if err != nil || !h.Primary || !h.CopyGood || h.Missing > 0 {
			return false
		}
		state := fmt.Sprint(h.Epoch, h.Revision, h.Commands)
		if i == 0 {
			first = state
		}
		if state != first {
			return false
		}
	}
	return true
}

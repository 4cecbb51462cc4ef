package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/store"
)

const (
	maxKeys = 1000
	// useStep is how exactly the store knows when a key was used, and useTime how
	// long telling it may take.
	useStep = time.Hour
	useTime = 2 * time.Second
)

// keyUse is when a key was used.
type keyUse struct {
	At time.Time `json:"at"`

	revision int64
}

// Clients are the keys of clients, which the caller must not change.
func (s *State) Clients() auth.Keys { return s.clients }

// CreateKey adds the key of a client. Nobody makes a key that may do what they
// themselves may not, or that is for names they may not use.
func (r *Registry) CreateKey(ctx context.Context, key auth.Key, by *auth.Principal) (*auth.Key, error) {
	if err := key.Check(); err != nil {
		return nil, diag.NewFailure(diag.BadFieldValue, "%s", err)
	}
	key.Created, key.By, key.Revision = r.now(), by.ID, 0
	key.Resolve()
	if err := mayManage(by, &key); err != nil {
		return nil, err
	}
	_, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		switch {
		case s.clients[key.Name] != nil:
			return store.Batch{}, diag.NewFailure(diag.Conflict, "there is a key %s already", key.Name)
		case s.subjects[key.Subject] != nil:
			return store.Batch{}, diag.NewFailure(diag.Conflict, "the key %s is for that certificate", s.subjects[key.Subject].Name)
		case len(s.clients) >= maxKeys:
			return store.Batch{}, diag.NewFailure(diag.Conflict, "there are %d keys, which is the most there can be", len(s.clients))
		}
		return onePut(putKey(&key))
	})
	return &key, err
}

// RotateKey gives a key another secret or public key; the one before holds until
// then.
func (r *Registry) RotateKey(ctx context.Context, name string, proof auth.Proof, until time.Time, by *auth.Principal) (*auth.Key, error) {
	var next auth.Key
	_, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		old, err := s.managed(name, by)
		if err != nil {
			return store.Batch{}, err
		}
		next = *old
		next.Rotate(proof, until)
		if err := next.Check(); err != nil {
			return store.Batch{}, diag.NewFailure(diag.BadFieldValue, "%s", err)
		}
		return onePut(putKey(&next))
	})
	return &next, err
}

// DeleteKey takes a key away from its client.
func (r *Registry) DeleteKey(ctx context.Context, name string, by *auth.Principal) error {
	_, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		old, err := s.managed(name, by)
		if err != nil {
			return store.Batch{}, err
		}
		puts := []store.Put{{Kind: kindKey, Name: name, Expect: old.Revision, Delete: true}}
		if use, ok := s.uses[name]; ok {
			puts = append(puts, store.Put{Kind: kindKeyUse, Name: name, Expect: use.revision, Delete: true})
		}
		r.used.Delete(name)
		return store.Batch{Puts: puts}, nil
	})
	return err
}

// managed gives a key that somebody may change.
func (s *State) managed(name string, by *auth.Principal) (*auth.Key, error) {
	key := s.clients[name]
	if key == nil {
		return nil, diag.NewFailure(diag.NoSuchKey, "there is no key %s", name)
	}
	return key, mayManage(by, key)
}

func mayManage(by *auth.Principal, key *auth.Key) error {
	if by.MayGive(key.Principal()) {
		return nil
	}
	return diag.NewFailure(diag.ScopeMissing, "the key %s has scopes that %s does not have", key.Name, by.ID)
}

func putKey(k *auth.Key) (store.Put, error) {
	return withDocument(store.Put{Kind: kindKey, Name: k.Name, Expect: k.Revision}, k)
}

// Used notes that a key was used. It does not wait for the store, which knows
// about it only roughly.
func (r *Registry) Used(name string, now time.Time) {
	if last, ok := r.used.Load(name); ok && now.Sub(last.(time.Time)) < time.Minute {
		return
	}
	r.used.Store(name, now)
}

// LastUse is when a key was last used, as far as is known: by this server to a
// minute, by others to an hour. It is zero for a key that never was.
func (r *Registry) LastUse(name string) time.Time {
	last := r.State().uses[name].At
	if here, ok := r.used.Load(name); ok && here.(time.Time).After(last) {
		last = here.(time.Time)
	}
	return last.UTC().Truncate(time.Minute)
}

// noteUses tells the store which keys were used here. What it cannot tell now it
// tells the next time.
func (r *Registry) noteUses(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, useTime)
	defer cancel()
	_, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		var batch store.Batch
		var err error
		r.used.Range(func(name, at any) bool {
			use := keyUse{At: at.(time.Time).UTC().Truncate(time.Minute), revision: s.uses[name.(string)].revision}
			if s.clients[name.(string)] != nil && use.At.Sub(s.uses[name.(string)].At) >= useStep {
				var put store.Put
				put, err = withDocument(store.Put{Kind: kindKeyUse, Name: name.(string), Expect: use.revision}, &use)
				batch.Puts = append(batch.Puts, put)
			}
			return err == nil
		})
		slices.SortFunc(batch.Puts, func(a, b store.Put) int { return cmp.Compare(a.Name, b.Name) })
		return batch, err
	})
	if err != nil && ctx.Err() == nil {
		r.config.Log.Warn("the store was not told which keys were used", "error", err)
	}
}

// cloneClients makes the keys of a State its own.
func (c *change) cloneClients() {
	if !c.clients {
		c.clients = true
		c.next.clients, c.next.uses = maps.Clone(c.next.clients), maps.Clone(c.next.uses)
		if c.next.clients == nil {
			c.next.clients = auth.Keys{}
		}
		if c.next.uses == nil {
			c.next.uses = map[string]keyUse{}
		}
	}
}

func (c *change) applyKey(record store.Record) error {
	c.cloneClients()
	delete(c.next.clients, record.Name)
	if record.Deleted {
		return nil
	}
	k := &auth.Key{Name: record.Name, Revision: record.Revision}
	if err := json.Unmarshal(record.Document, k); err != nil {
		return err
	}
	k.Resolve()
	c.next.clients[k.Name] = k
	return nil
}

func (c *change) applyKeyUse(record store.Record) error {
	c.cloneClients()
	delete(c.next.uses, record.Name)
	if record.Deleted {
		return nil
	}
	use := keyUse{revision: record.Revision}
	if err := json.Unmarshal(record.Document, &use); err != nil {
		return err
	}
	c.next.uses[record.Name] = use
	return nil
}

// settleClients works out who is known by a certificate.
func (c *change) settleClients() {
	c.next.subjects = make(map[string]*auth.Key)
	for _, k := range c.next.clients {
		if k.Kind == auth.KindCertificate {
			c.next.subjects[k.Subject] = k
		}
	}
}

// ClientBySubject finds the key for a name in a certificate, or nil.
func (s *State) ClientBySubject(name string) *auth.Key { return s.subjects[name] }

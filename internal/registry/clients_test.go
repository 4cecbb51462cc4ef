package registry

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/store"
)

func newClient(name string, scopes ...string) (key auth.Key, secret string) {
	secret = auth.NewSecret(name)
	return auth.Key{Name: name, Kind: auth.KindKey, Scopes: scopes, Proofs: []auth.Proof{{Digest: auth.DigestOf(secret), Created: time.Now()}}}, secret
}

// Keys of clients are known to all who follow the store, and to a node that has
// only its copy.
func TestKeys(t *testing.T) {
	p := newPair(t)
	n := newNode(t, p.config())
	other := newNode(t, Config{Primary: p.primary.now.Load()})
	key, secret := newClient("ci", "execute")
	created, err := n.CreateKey(t.Context(), key, auth.Admin)
	if err != nil || created.By != "admin" || created.Created.IsZero() {
		t.Fatal(created, err)
	}
	_, err = n.CreateKey(t.Context(), key, auth.Admin)
	wantCode(t, err, diag.Conflict)
	want := func(n *node, secret string, known bool) {
		t.Helper()
		if got := n.State().Clients().BySecret(secret, time.Now()); (got != nil) != known {
			t.Errorf("known: %v", got)
		}
	}
	want(n, secret, true)
	want(other, secret, false)
	if err := other.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(other, secret, true)

	next := auth.NewSecret("ci")
	if _, err := other.RotateKey(t.Context(), "ci", auth.Proof{Digest: auth.DigestOf(next), Created: time.Now()}, time.Now().Add(time.Hour), auth.Admin); err != nil {
		t.Fatal(err)
	}
	if err := n.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(n, secret, true)
	want(n, next, true)
	p.primary.away.Store(true)
	alone := newNode(t, p.config())
	want(alone, next, true)
	wantCode(t, alone.DeleteKey(t.Context(), "ci", auth.Admin), diag.StoreUnavailable)
	p.primary.away.Store(false)
	if err := n.DeleteKey(t.Context(), "ci", auth.Admin); err != nil {
		t.Fatal(err)
	}
	want(n, next, false)
	wantCode(t, n.DeleteKey(t.Context(), "ci", auth.Admin), diag.NoSuchKey)
	_, err = n.RotateKey(t.Context(), "ci", auth.Proof{}, time.Now(), auth.Admin)
	wantCode(t, err, diag.NoSuchKey)
	if _, err := n.CreateKey(t.Context(), key, auth.Admin); err != nil {
		t.Error(err) // the name is free again
	}
}

// Nobody gives away, or takes from others, what they do not have.
func TestKeysOfOthers(t *testing.T) {
	n := newNode(t, Config{})
	strong, _ := newClient("strong", "keys:write", "execute", "apps:write")
	if _, err := n.CreateKey(t.Context(), strong, auth.Admin); err != nil {
		t.Fatal(err)
	}
	by := &auth.Principal{ID: "key:weak", Kind: auth.KindKey, Scopes: auth.WriteKeys | auth.Execute}
	more, _ := newClient("more", "commands:write")
	_, err := n.CreateKey(t.Context(), more, by)
	wantCode(t, err, diag.ScopeMissing)
	wantCode(t, n.DeleteKey(t.Context(), "strong", by), diag.ScopeMissing)
	_, err = n.RotateKey(t.Context(), "strong", strong.Proofs[0], time.Now(), by)
	wantCode(t, err, diag.ScopeMissing)
	same, _ := newClient("same", "execute")
	if _, err := n.CreateKey(t.Context(), same, by); err != nil {
		t.Error(err)
	}
	bad, _ := newClient("bad")
	_, err = n.CreateKey(t.Context(), bad, auth.Admin)
	wantCode(t, err, diag.BadFieldValue)
	signs, _ := newClient("signs", "execute")
	signs.Kind, signs.Proofs[0].PublicKey = auth.KindSignature, make(ed25519.PublicKey, ed25519.PublicKeySize)
	if _, err := n.CreateKey(t.Context(), signs, by); err != nil {
		t.Error(err)
	}
	_, err = n.RotateKey(t.Context(), "signs", auth.Proof{PublicKey: []byte("short")}, time.Now(), by)
	wantCode(t, err, diag.BadFieldValue)
}

func TestMostKeys(t *testing.T) {
	n := newNode(t, Config{})
	var batch store.Batch
	for i := range maxKeys {
		key, _ := newClient(fmt.Sprintf("k%d", i), "execute")
		put, err := putKey(&key)
		if err != nil {
			t.Fatal(err)
		}
		batch.Puts = append(batch.Puts, put)
	}
	if _, err := n.config.Primary.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := n.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	key, _ := newClient("more", "execute")
	_, err := n.CreateKey(t.Context(), key, auth.Admin)
	wantCode(t, err, diag.Conflict)
}

// When a key was used is told to the store now and then, not for every use.
func TestKeyUses(t *testing.T) {
	p := newPair(t)
	n, other := newNode(t, p.config()), newNode(t, Config{Primary: p.primary.now.Load()})
	key, _ := newClient("ci", "execute")
	if _, err := n.CreateKey(t.Context(), key, auth.Admin); err != nil {
		t.Fatal(err)
	}
	if !n.LastUse("ci").IsZero() {
		t.Error("used before it was")
	}
	began := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		after       time.Duration
		here, there time.Duration // what is known
	}{
		{0, 0, 0},
		{30 * time.Second, 0, 0},
		{10 * time.Minute, 10 * time.Minute, 0},
		{useStep, useStep, useStep},
	} {
		before := n.State().Revision()
		n.Used("ci", began.Add(step.after))
		n.noteUses(t.Context())
		if err := other.compare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if here, there := n.LastUse("ci").Sub(began), other.LastUse("ci").Sub(began); here != step.here || there != step.there {
			t.Errorf("after %v: %v and %v", step.after, here, there)
		}
		if told := n.State().Revision() != before; told != (step.after == 0 || step.after == useStep) {
			t.Errorf("after %v the store was told: %v", step.after, told)
		}
	}
	if err := n.DeleteKey(t.Context(), "ci", auth.Admin); err != nil {
		t.Fatal(err)
	}
	n.Used("gone", began) // by a request that came just before
	n.noteUses(t.Context())
	if len(n.State().uses) != 0 || !n.LastUse("ci").IsZero() {
		t.Error(n.State().uses)
	}
}

// A date that JSON cannot write is refused, wherever it comes from, and nothing
// is stored.
func TestDatesThatCannotBeStored(t *testing.T) {
	n := newNode(t, Config{})
	key, _ := newClient("late", "execute")
	key.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err := n.CreateKey(t.Context(), key, auth.Admin)
	wantCode(t, err, diag.BadFieldValue)
	if len(n.State().Clients()) != 0 {
		t.Error("the key is there")
	}
	key, _ = newClient("turned", "execute")
	if _, err = n.CreateKey(t.Context(), key, auth.Admin); err != nil {
		t.Fatal(err)
	}
	_, err = n.RotateKey(t.Context(), "turned", key.Proofs[0], time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), auth.Admin)
	wantCode(t, err, diag.BadFieldValue)
}

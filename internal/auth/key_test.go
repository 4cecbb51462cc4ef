package auth

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func mustKey(t *testing.T, k Key) *Key {
	t.Helper()
	if err := k.Check(); err != nil {
		t.Fatal(err)
	}
	k.Resolve()
	return &k
}

// A secret is what it says it is, and nothing that differs from it anywhere is.
func TestSecret(t *testing.T) {
	secret := NewSecret("ci-1")
	if !strings.HasPrefix(secret, "avap_ci-1_") || len(secret) != len("avap_ci-1_")+secretDigits+checksumDigits || secret == NewSecret("ci-1") {
		t.Error(secret)
	}
	if name, ok := nameOfSecret(secret); !ok || name != "ci-1" {
		t.Error(name, ok)
	}
	for i := range secret {
		for _, c := range []byte("0Az_-") {
			other := []byte(secret)
			other[i] = c
			if string(other) != secret && IsSecret(string(other)) {
				t.Errorf("%s passes for a secret", other)
			}
		}
	}
	for _, none := range []string{"", "avap_", "avap__", secret[:len(secret)-1], secret + "0", strings.Repeat("avap_a_", 1000), "\x00\xff"} {
		if IsSecret(none) {
			t.Errorf("%q passes for a secret", none)
		}
	}
}

func TestBySecret(t *testing.T) {
	first, second, third, other := NewSecret("ci"), NewSecret("ci"), NewSecret("ci"), NewSecret("late")
	key := mustKey(t, Key{Name: "ci", Kind: KindKey, Scopes: []string{"execute"}, Proofs: []Proof{{Digest: DigestOf(first), Created: noon}}})
	keys := Keys{
		"ci":   key,
		"late": mustKey(t, Key{Name: "late", Kind: KindKey, Scopes: []string{"check"}, Proofs: []Proof{{Digest: DigestOf(other), Created: noon}}, Expires: noon.Add(time.Hour)}),
		"sign": mustKey(t, Key{Name: "sign", Kind: KindSignature, Scopes: []string{"check"}, Proofs: []Proof{{PublicKey: make(ed25519.PublicKey, ed25519.PublicKeySize), Created: noon}}}),
	}
	want := func(secret string, at time.Time, want *Key) {
		t.Helper()
		if got := keys.BySecret(secret, at); got != want {
			t.Errorf("%s at %s: %+v", secret, at, got)
		}
	}
	want(first, noon, key)
	want(other, noon, keys["late"])
	want(other, noon.Add(time.Hour), nil)
	for _, wrong := range []string{"", second, NewSecret("none"), NewSecret("sign"), first + " ", strings.ToUpper(first)} {
		want(wrong, noon, nil)
	}
	key.Rotate(Proof{Digest: DigestOf(second), Created: noon}, noon.Add(time.Minute))
	want(first, noon, key)
	want(second, noon, key)
	want(first, noon.Add(time.Minute), nil)
	want(second, noon.Add(1000*time.Hour), key)
	key.Rotate(Proof{Digest: DigestOf(third), Created: noon}, noon)
	want(first, noon, nil)
	want(second, noon, nil)
	want(third, noon, key)
	if p := key.Principal(); p.ID != "key:ci" || p.Scopes != Execute || p.IsAnonymous() {
		t.Errorf("%+v", p)
	}
	if len(key.Proofs) > MaxSecrets {
		t.Error(key.Proofs)
	}
}

// A secret that is turned again does not live longer by that.
func TestRotateTwice(t *testing.T) {
	first, second := NewSecret("ci"), NewSecret("ci")
	key := mustKey(t, Key{Name: "ci", Kind: KindKey, Scopes: []string{"execute"}, Proofs: []Proof{{Digest: DigestOf(first), Created: noon, Expires: noon.Add(time.Minute)}}})
	key.Rotate(Proof{Digest: DigestOf(second), Created: noon}, noon.Add(time.Hour))
	if got := (Keys{"ci": key}).BySecret(first, noon.Add(2*time.Minute)); got != nil {
		t.Error("the first secret holds longer than it was to")
	}
}

func TestCheckKey(t *testing.T) {
	good := Key{Name: "a", Kind: KindKey, Scopes: []string{"execute"}, Proofs: []Proof{{Created: noon}}}
	for fault, spoil := range map[string]func(*Key){
		"name":          func(k *Key) { k.Name = "A" },
		"kind":          func(k *Key) { k.Kind = "other" },
		"no scope":      func(k *Key) { k.Scopes = []string{"all"} },
		"needs scopes":  func(k *Key) { k.Scopes = nil },
		"prefixes":      func(k *Key) { k.Scopes, k.Prefixes = []string{"execute", "keys:write"}, []string{"a"} },
		"1 to 64 bytes": func(k *Key) { k.Prefixes = []string{""} },
		"public key":    func(k *Key) { k.Kind = KindSignature },
	} {
		k := good
		spoil(&k)
		if err := k.Check(); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v", fault, err)
		}
	}
	k := good
	k.Scopes = []string{"execute", "of:tomorrow"}
	k.Resolve() // what a later program has written
	if k.Principal().Scopes != Execute {
		t.Error(k.Principal().Scopes)
	}
}

func TestMayUse(t *testing.T) {
	p := &Principal{Scopes: Execute, Prefixes: []string{"price_", "vat"}}
	for name, want := range map[string]bool{"price_net": true, "vat": true, "price": false, "": false, "other": false} {
		if p.MayUse(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if !Admin.MayUse("") {
		t.Error("admin may not run scripts")
	}
	if !Admin.MayGive(p) || p.MayGive(Admin) || !p.MayGive(Anonymous(Execute)) {
		t.Error("who may give what")
	}
}

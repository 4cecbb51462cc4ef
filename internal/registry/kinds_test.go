package registry

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/store"
)

// recordForms are, for each kind, a record of it: its name, what its document is
// read into, and which of the members that hold a digest name an artifact.
var recordForms = map[string]struct {
	name     string
	document any
	digests  map[string]bool
}{
	kindCommand:    {"price", Command{}, nil},
	kindVersion:    {"price@1", Version{}, map[string]bool{"digest": true, "content": false, "source_sha256": false}},
	kindSigner:     {"team", Signer{}, nil},
	kindSignerKey:  {"0123456789abcdef01234567", signerKey{}, nil},
	kindRevocation: {"digest:00", Revocation{}, nil},
	kindKey:        {"till", auth.Key{}, map[string]bool{"digest": false}},
	kindKeyUse:     {"till", keyUse{}, nil},
}

// TestArtifactsOfEveryKind holds each kind of record to what its document can
// name: garbage is whatever State.artifacts does not give, and a copy fetches what
// the lacks have noted.
func TestArtifactsOfEveryKind(t *testing.T) {
	if have, want := slices.Sorted(maps.Keys(recordForms)), slices.Sorted(maps.Keys(kinds)); !slices.Equal(have, want) {
		t.Fatalf("this test knows the kinds %v, there are %v; say of the others which artifacts their records name", have, want)
	}
	n := newNode(t, Config{})
	for kind, form := range recordForms {
		var found []string
		digestMembers(reflect.TypeOf(form.document), &found)
		slices.Sort(found)
		if want := slices.Sorted(maps.Keys(form.digests)); !slices.Equal(found, want) {
			t.Errorf("the records of the kind %s have the digests %v, and this test knows %v", kind, found, want)
		}
		for member, names := range form.digests {
			if names {
				checkNamed(t, n.Registry, kind, form.name, member)
			}
		}
	}
}

// checkNamed makes a State of one record that names an artifact.
func checkNamed(t *testing.T, r *Registry, kind, name, member string) {
	t.Helper()
	digest := Digest{1, 2, 3}
	document, err := json.Marshal(map[string]any{member: digest, "signers": []string{}})
	if err != nil {
		t.Fatal(err)
	}
	records := []store.Record{{Kind: kind, Name: name, Revision: 1, Document: document}}
	s, err := r.with(r.empty(), records, store.Summary{Revision: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(s.artifacts(), [32]byte(digest)) {
		t.Errorf("State.artifacts leaves out the %s of a %s: it would be taken away as garbage", member, kind)
	}
	l := newLacks()
	l.note(s, records)
	l.forget(s)
	if !slices.Contains(l.list(), [32]byte(digest)) {
		t.Errorf("the lacks leave out the %s of a %s: a copy would never have it", member, kind)
	}
}

// digestMembers finds the members of a document that hold a digest, by their type
// or by their name.
func digestMembers(t reflect.Type, found *[]string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		if t != reflect.TypeFor[Digest]() {
			digestMembers(t.Elem(), found)
		}
		return
	case reflect.Struct:
	default:
		return
	}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" {
			continue
		}
		says := func(word string) bool { return strings.Contains(name, word) }
		if field.Type == reflect.TypeFor[Digest]() || field.Type == reflect.TypeFor[[32]byte]() || slices.ContainsFunc([]string{"digest", "sha256", "artifact"}, says) {
			*found = append(*found, name)
			continue
		}
		if !slices.Contains([]string{"time", "net/netip"}, field.Type.PkgPath()) {
			digestMembers(field.Type, found)
		}
	}
}

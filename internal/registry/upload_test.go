package registry

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/runtime/abi"
)

// A command has a name that a script can call.
func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"order": true, "Order_2": true, "_x": true, strings.Repeat("a", 64): true, "registered": true,
		"": false, "2x": false, "a-b": false, "a.b": false, "a b": false, "a@1": false, "a/b": false, "señal": false, strings.Repeat("a", 65): false,
		"addVar": false, "RequestGet": false, "len": false, "str": false, "if": false, "startLoop": false, "try": false, "return": false,
		"import": false, "go": false, "go_async": false, "function": false, "True": false, "None": false, "not": false, "registerEndpoint": false, "end": false,
	} {
		if err := checkName(name); (err == nil) != ok || err != nil && codeOf(err) != diag.BadFieldValue {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An interface that comes with an upload wins over that of the module.
func TestInterfaces(t *testing.T) {
	key := newSigner(t)
	n := newNode(t, Config{Trust: []Signer{key.trust("team")}})
	minus := key.module(t, "return(a - b)")
	list := func(names ...string) (list []abi.Parameter) {
		for _, name := range names {
			list = append(list, abi.Parameter{Name: name, Kind: abi.ParameterValue})
		}
		return list
	}
	for _, names := range [][]string{{"a", "b"}, {"b", "a"}} {
		v, err := n.Upload(t.Context(), "minus", minus, UploadOptions{Activate: true, Interface: list(names...)})
		if err != nil || len(v.Interface) != 2 || v.Interface[0].Name != names[0] {
			t.Fatal(v, err)
		}
		a, err := n.engine.Run(t.Context(), &engine.Request{Source: "x = minus(10, 1)\naddResult(x)"})
		want := map[string]string{"a": `{"x":9}`, "b": `{"x":-9}`}[names[0]]
		if err != nil || string(a.Result) != want {
			t.Error(names, a, err)
		}
	}
	for _, bad := range [][]abi.Parameter{list("a", "a"), list(""), {{Name: "a", Kind: "T"}}, list(make([]string, maxInterface+1)...)} {
		_, err := n.Upload(t.Context(), "minus", minus, UploadOptions{Interface: bad})
		wantCode(t, err, diag.BadFieldValue)
	}
	v := n.mustUpload(t, "plus", key.module(t, "addParam(a, x)\naddParam('b', y)\nreturn(x + y)"))
	if fmt.Sprint(v.Interface) != "[{a L} {b L}]" {
		t.Error(v.Interface)
	}
}

// A server with a key builds from source; all nodes come to trust the key.
func TestBuild(t *testing.T) {
	key := newSigner(t)
	path := filepath.Join(t.TempDir(), "avapd.db")
	n := newNode(t, Config{Primary: openStore(t, path, store.Options{}), Signer: &key.key})
	v, findings, err := n.Build(t.Context(), "hello", "r = 1\naddResult(r)", UploadOptions{Activate: true, By: "ana"})
	if err != nil || v == nil || findings.HasErrors() || v.By != "ana" || v.SourceSHA256 == "" {
		t.Fatal(v, findings, err)
	}
	again, _, err := n.Build(t.Context(), "hello", "r = 1\naddResult(r)", UploadOptions{Activate: true})
	if err != nil || again.Number != 1 {
		t.Error(again, err)
	}
	other := newNode(t, Config{Primary: openStore(t, path, store.Options{})})
	if got := other.result(t, "hello", 0); got != `{"r":1}` {
		t.Error(got)
	}
	if v, findings, err := n.Build(t.Context(), "hello", "r = ", UploadOptions{}); v != nil || err != nil || !findings.HasErrors() {
		t.Error(v, findings, err)
	}
	_, _, err = other.Build(t.Context(), "hello", "r = 2", UploadOptions{})
	wantCode(t, err, diag.Forbidden)
	// Who took the key away does not find it there again.
	name := n.State().Signers()[0].Name
	wantCode(t, errorOf(n.DeleteSigner(t.Context(), name, "ana")), "")
	_, _, err = n.Build(t.Context(), "hello", "r = 2", UploadOptions{})
	wantCode(t, err, diag.PolicyRefused)
	if len(n.State().Signers()) != 0 || !strings.Contains(err.Error(), name) {
		t.Error(err)
	}
	if _, _, err := n.PutSigner(t.Context(), key.trust(name), "ana"); err != nil {
		t.Error(err)
	}
	if _, _, err = n.Build(t.Context(), "hello", "r = 2", UploadOptions{}); err != nil {
		t.Error(err)
	}
}

// Of many versions the oldest ones go, but none that answers or did.
func TestOldVersionsGo(t *testing.T) {
	key := newSigner(t)
	n := newNode(t, Config{Trust: []Signer{key.trust("team")}})
	for i := range keptVersions + 5 {
		o := UploadOptions{Activate: i == 1 || i == 2}
		if _, err := n.Upload(t.Context(), "many", key.module(t, fmt.Sprintf("r = %d\naddResult(r)", i)), o); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := n.State().Command("many")
	var numbers []int
	for _, v := range c.Versions {
		numbers = append(numbers, v.Number)
	}
	if len(numbers) != keptVersions+3 || numbers[0] != 2 || numbers[1] != 3 || numbers[2] != 5 || c.Version(1) != nil || c.Version(4) != nil {
		t.Errorf("%d: %v", len(numbers), numbers[:5])
	}
	if err := n.Delete(t.Context(), "many", ""); err != nil {
		t.Fatal(err)
	}
	if !n.State().matches() {
		t.Error("the state is not what its summary says")
	}
}

// failing is a primary that refuses what it is given.
type failing struct {
	store.Store

	err error
}

func (f *failing) Commit(context.Context, store.Batch) (int64, error) { return 0, f.err }

// What keeps a change from being stored is told apart.
func TestCommitFailures(t *testing.T) {
	key := newSigner(t)
	f := &failing{Store: openStore(t, filepath.Join(t.TempDir(), "avapd.db"), store.Options{})}
	n := newNode(t, Config{Primary: f, Trust: []Signer{key.trust("team")}})
	module := key.module(t, "r = 1")
	for err, code := range map[error]diag.Code{
		store.ErrFull: diag.StoreFull, store.ErrUnavailable: diag.StoreUnavailable, store.ErrConflict: diag.Conflict,
		errors.Join(store.ErrUnavailable, store.ErrUncertain): diag.StoreUnavailable, store.ErrReadOnly: diag.Internal,
	} {
		f.err = fmt.Errorf("commit: %w", err)
		_, got := n.Upload(t.Context(), "order", module, UploadOptions{})
		wantCode(t, got, code)
	}
	if len(n.State().names) != 0 {
		t.Error(n.State().names)
	}
}

// Lists are sorted, in pages, and filtered.
func TestList(t *testing.T) {
	key := newSigner(t)
	n := newNode(t, Config{Trust: []Signer{key.trust("team")}})
	module := key.module(t, "r = 1")
	for i, name := range []string{"b2", "a", "c", "b1", "b3", "b"} {
		if _, err := n.Upload(t.Context(), name, module, UploadOptions{Activate: i%2 == 0}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.SetDisabled(t.Context(), "c", true, ""); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	for _, test := range []struct {
		q    Query
		want string
		more bool
	}{
		{Query{}, "a b b1 b2 b3 c", false},
		{Query{Prefix: "b"}, "b b1 b2 b3", false},
		{Query{Prefix: "b", Limit: 2}, "b b1", true},
		{Query{Prefix: "b", Limit: 2, After: "b1"}, "b2 b3", false},
		{Query{Prefix: "b", After: "b3"}, "", false},
		{Query{After: "a", Limit: 1}, "b", true},
		{Query{Active: &yes}, "b2 b3", false},
		{Query{Active: &no, Limit: 3}, "a b b1", true},
		{Query{Disabled: &yes}, "c", false},
	} {
		list, more := n.State().List(test.q)
		var names []string
		for _, c := range list {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != test.want || more != test.more {
			t.Errorf("%+v: %s %v", test.q, got, more)
		}
	}
}

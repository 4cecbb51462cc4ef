package registry

import (
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// The life of a command: versions, which of them answers, and its end.
func TestLifeOfACommand(t *testing.T) {
	key := newSigner(t)
	n := newNode(t, Config{Trust: []Signer{key.trust("team")}})
	ctx := t.Context()
	one, two := key.module(t, "r = 1\naddResult(r)"), key.module(t, "r = 2\naddResult(r)")
	v1 := n.mustUpload(t, "order", one)
	if again := n.mustUpload(t, "order", one); again.Number != 1 || v1.Number != 1 {
		t.Errorf("uploaded again: version %d", again.Number)
	}
	v2, err := n.Upload(ctx, "order", two, UploadOptions{By: "ana", Note: "faster"})
	if err != nil || v2.Number != 2 || v2.By != "ana" || v2.Note != "faster" {
		t.Fatal(v2, err)
	}
	want := func(when, active, second string) {
		t.Helper()
		if got := n.result(t, "order", 0); got != active {
			t.Errorf("%s: active gives %s, want %s", when, got, active)
		}
		if got := n.result(t, "order", 2); got != second {
			t.Errorf("%s: version 2 gives %s, want %s", when, got, second)
		}
	}
	want("uploaded", `{"r":1}`, `{"r":2}`)
	for _, step := range []struct {
		what           string
		do             func() error
		active, second string
	}{
		{"activated", func() error { return errorOf(n.Activate(ctx, "order", 2, "ana")) }, `{"r":2}`, `{"r":2}`},
		{"rolled back", func() error { return errorOf(n.Rollback(ctx, "order", "ana")) }, `{"r":1}`, `{"r":2}`},
		{"disabled", func() error { return errorOf(n.SetDisabled(ctx, "order", true, "ana")) }, "AVAP5020", "AVAP5020"},
		{"enabled", func() error { return errorOf(n.SetDisabled(ctx, "order", false, "ana")) }, `{"r":1}`, `{"r":2}`},
		{"revoked", func() error { return errorOf(n.Revoke(ctx, RevokeDigest, v1.Digest.String(), "wrong", "ana")) }, "AVAP5022", `{"r":2}`},
		{"activated again", func() error { return errorOf(n.Activate(ctx, "order", 2, "ana")) }, `{"r":2}`, `{"r":2}`},
		{"deleted", func() error { return n.Delete(ctx, "order", "ana") }, "AVAP5019", "AVAP5019"},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		want(step.what, step.active, step.second)
	}
	if v := n.mustUpload(t, "order", two); v.Number != 3 {
		t.Errorf("after the deletion: version %d", v.Number)
	}
	wantCode(t, errorOf(n.Activate(ctx, "order", 2, "")), diag.NoSuchCommand)
	wantCode(t, errorOf(n.Rollback(ctx, "order", "")), diag.Conflict)
	_, err = n.Upload(ctx, "order", one, UploadOptions{})
	wantCode(t, err, diag.Revoked)
}

// Scripts call commands by name; all names of an execution are of one moment.
func TestScriptsCallCommands(t *testing.T) {
	key := newSigner(t)
	n := newNode(t, Config{Trust: []Signer{key.trust("team")}})
	n.mustUpload(t, "twice", key.module(t, "addParam(n, n)\nreturn(n * 2)"))
	n.mustUpload(t, "four", key.module(t, "addParam(n, n)\nx = twice(twice(n))\naddResult(x)"))
	a, err := n.engine.Run(t.Context(), &engine.Request{Source: "x = four(3)\naddResult(x)"})
	if err != nil || string(a.Result) != `{"x":{"x":12}}` {
		t.Fatal(a, err)
	}
	a, err = n.Execute(t.Context(), "four", 0, &engine.Request{Body: []byte(`{"n":5}`)})
	if err != nil || string(a.Result) != `{"x":20}` {
		t.Fatal(a, err)
	}
}

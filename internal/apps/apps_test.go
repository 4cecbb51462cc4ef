package apps

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

func newEngine(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func newRegistry(t *testing.T, e *engine.Engine, dir string) *Registry {
	t.Helper()
	r := New(Config{Engine: e, Dir: dir, Reserved: []string{"api", "livez"}})
	t.Cleanup(r.Close)
	return r
}

// appOf is an app with routes, each a method and a path.
func appOf(routes ...string) string {
	var b strings.Builder
	b.WriteString("function f(){\n}\n")
	for _, r := range routes {
		method, path, _ := strings.Cut(r, " ")
		fmt.Fprintf(&b, "registerEndpoint(%q, %q, [], %q, f, out)\n", path, method, r)
	}
	return b.String()
}

func put(t *testing.T, r *Registry, name, source string) {
	t.Helper()
	if _, _, _, err := r.Put(t.Context(), "", name, source); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestMatch(t *testing.T) {
	r := newRegistry(t, newEngine(t), t.TempDir())
	put(t, r, "shop", appOf("GET /", "GET /orders", "POST /orders", "GET /orders/{id}", "GET /orders/new", "DELETE /orders/{id}",
		"GET /orders/{id}/items/{item}", "PUT /orders/new/items", "GET /straße/Ü", "GET /slash/"))
	put(t, r, "rest", appOf("GET /{any}", "HEAD /orders", "GET /{a}/{b}/{c}", "GET /a/{b}/c", "GET /a/b/{c}"))
	for _, test := range []struct{ method, path, want string }{
		{"GET", "/", "shop /"},
		{"GET", "/orders", "shop /orders"},
		{"HEAD", "/orders", "rest /orders"},
		{"HEAD", "/orders/7", "shop /orders/{id} id=7"},
		{"GET", "/orders/7", "shop /orders/{id} id=7"},
		{"GET", "/orders/new", "shop /orders/new"},
		{"DELETE", "/orders/new", "shop /orders/{id} id=new"},
		{"GET", "/orders/new/items/2", "shop /orders/{id}/items/{item} id=new item=2"},
		{"GET", "/orders/a%20b%2Fc+d", "shop /orders/{id} id=a b/c+d"},
		{"GET", "/orders/%ff", "shop /orders/{id} id=\ufffd"},
		{"GET", "/stra%C3%9Fe/%C3%9C", "shop /straße/Ü"},
		{"GET", "/slash/", "shop /slash/"},
		{"GET", "/slash", "rest /{any} any=slash"},
		{"GET", "/a/b/c", "rest /a/b/{c} c=c"},
		{"GET", "/a/x/c", "rest /a/{b}/c b=x"},
		{"GET", "/a/x/y", "rest /{a}/{b}/{c} a=a b=x c=y"},
		{"GET", "/orders/", ""},
		{"GET", "/orders//items/1", ""},
		{"GET", "//", ""},
		{"GET", "/orders/%zz", ""},
		{"GET", "/ORDERS/7", ""},
		{"OPTIONS", "*", ""},
		{"GET", "/api", ""},
		{"GET", "/%61pi", ""},
		{"GET", "/livez", ""},
		{"GET", strings.Repeat("/a", 70), ""},
		{"PATCH", "/orders/7", "allowed: [DELETE GET HEAD]"},
		{"PATCH", "/orders", "allowed: [GET HEAD POST]"},
		{"POST", "/", "allowed: [GET HEAD]"},
	} {
		got := ""
		m, allowed, ok := r.Match(test.method, test.path)
		switch {
		case ok:
			got = m.App + " " + m.Path
			for _, p := range m.Parameters {
				got += " " + p.Name + "=" + p.Value
			}
			m.Release()
		case len(allowed) > 0:
			got = fmt.Sprintf("allowed: %v", allowed)
		}
		if got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.method, test.path, got, test.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	r := newRegistry(t, newEngine(t), t.TempDir())
	put(t, r, "shop", appOf("GET /orders/{id}"))
	if _, err := r.Fix(t.Context(), "fixed", &engine.Source{File: "fixed.avap", Text: appOf("GET /fixed")}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, source, want string }{
		{"other", appOf("GET /free", "GET /orders/{number}"), "GET /orders/{number} is the same as /orders/{id}, a route of the app shop"},
		{"other", appOf("GET /fixed"), "GET /fixed is a route of the app fixed"},
		{"other", appOf("GET /api/v2/mine"), "other.avap:3:1: paths below /api are the server's own"},
		{"other", "x = 1", "the script registers no endpoint"},
		{"other", "x = (", "( is not closed"},
		{"other", "", "Script cannot be empty"},
		{"fixed", appOf("GET /x"), ErrFixed.Error()},
	} {
		_, _, _, err := r.Put(t.Context(), "", test.name, test.source)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	if err := r.Delete("fixed"); !errors.Is(err, ErrFixed) {
		t.Error(err)
	}
	if err := r.Delete("other"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, _, ok := r.Match("GET", "/free"); ok {
		t.Error("a refused app has a route")
	}
	if files, _ := os.ReadDir(r.config.Dir); len(files) != 1 {
		t.Errorf("files of refused apps: %v", files)
	}
	// The same routes under the same name are no conflict.
	put(t, r, "shop", appOf("GET /orders/{number}", "GET /free"))
	if err := r.Delete("shop"); err != nil {
		t.Error(err)
	}
	put(t, r, "other", appOf("GET /orders/{number}"))
}

func TestRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "apps")
	e := newEngine(t)
	first := newRegistry(t, e, dir)
	put(t, first, "gone", appOf("GET /gone"))
	put(t, first, "shop", appOf("GET /old"))
	put(t, first, "shop", appOf("GET /orders"))
	put(t, first, "stock", appOf("GET /stock"))
	if err := first.Delete("gone"); err != nil {
		t.Fatal(err)
	}
	want := first.List()
	for name, content := range map[string]string{
		"broken.avap":             "x = (",
		"zz-conflict.avap":        appOf("GET /orders"),
		"Not An App.avap":         "x",
		"notes.txt":               "x",
		tempPrefix + "123":        "half",
		"binary.avap":             "\x00\xff",
		"a-directory.avap/x.avap": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	second := newRegistry(t, e, dir)
	if _, err := second.Fix(t.Context(), "stock", &engine.Source{Text: appOf("GET /fixed")}); err != nil {
		t.Fatal(err)
	}
	if err := second.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, a := range second.List() {
		states[a.Name] = "served"
		if a.Err != nil {
			states[a.Name] = "broken"
		}
	}
	if diff := cmp.Diff(map[string]string{
		"shop": "served", "stock": "served", "broken": "broken", "zz-conflict": "broken", "binary": "broken", "a-directory": "broken",
	}, states); diff != "" {
		t.Error(diff)
	}
	if got, _ := second.Get("shop"); !cmp.Equal(got, want[0]) {
		t.Error(cmp.Diff(want[0], got))
	}
	if got, _ := second.Get("stock"); !got.Fixed {
		t.Error("a stored app hides one of the command line")
	}
	if _, err := os.Stat(filepath.Join(dir, tempPrefix+"123")); err == nil {
		t.Error("what a crash left is still there")
	}
	put(t, second, "broken", appOf("GET /mended"))
	if err := second.Delete("zz-conflict"); err != nil {
		t.Error(err)
	}
}

// What cannot be stored is not served either.
func TestStoreFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "apps")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRegistry(t, newEngine(t), dir)
	if _, _, _, err := r.Put(t.Context(), "", "shop", appOf("GET /orders")); err == nil {
		t.Error("no error")
	}
	if _, _, ok := r.Match("GET", "/orders"); ok || len(r.List()) > 0 {
		t.Error("the app is served")
	}
	if err := r.Load(t.Context()); err == nil {
		t.Error("a directory that is none is read")
	}
}

// Whoever holds a match can use its script, however often the app changes.
func TestMatchDuringChanges(t *testing.T) {
	r := newRegistry(t, newEngine(t), t.TempDir())
	sources := []string{appOf("GET /x"), appOf("GET /x", "GET /y")}
	put(t, r, "shop", sources[0])
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				m, _, ok := r.Match("GET", "/x")
				if !ok {
					t.Error("the route is gone for a moment")
					return
				}
				if _, err := m.Script.Endpoint(t.Context(), m.Index, &engine.Request{}); err != nil {
					t.Error(err)
				}
				m.Release()
			}
		})
	}
	for i := range 20 {
		put(t, r, "shop", sources[i%2])
	}
	close(stop)
	readers.Wait()
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"shop": true, "a": true, "0-a_b": true, strings.Repeat("a", 64): true,
		"": false, "Shop": false, "-a": false, ".": false, "a.b": false, "a/b": false, strings.Repeat("a", 65): false, "é": false, "a\n": false,
	} {
		if IsName(name) != want {
			t.Errorf("%q", name)
		}
	}
}

// A fault is at the line that registers the endpoint.
func TestFaultPlace(t *testing.T) {
	r := newRegistry(t, newEngine(t), t.TempDir())
	_, _, _, err := r.Put(t.Context(), "", "x", appOf("GET /ok", "GET /api")) //nolint:dogsled // only the fault counts here
	list, ok := errors.AsType[diag.List](err)
	if !ok || len(list) != 1 || list[0].Span.Start.Line != 4 {
		t.Errorf("%v", err)
	}
}

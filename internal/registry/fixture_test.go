package registry

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newEngine makes an engine that calls the commands of a registry.
func newEngine(t testing.TB, r func() *Registry) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Config{AheadBytes: 64 << 20, Registered: func() engine.Resolver { return r().Resolver() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func openStore(t testing.TB, path string, o store.Options) *store.SQLite {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// node is a registry with its engine.
type node struct {
	*Registry

	engine *engine.Engine
}

func newNode(t testing.TB, config Config) *node {
	t.Helper()
	n := &node{}
	n.engine = newEngine(t, func() *Registry { return n.Registry })
	if config.Engine == nil {
		config.Engine = n.engine
	}
	if config.Primary == nil {
		config.Primary = openStore(t, filepath.Join(t.TempDir(), "avapd.db"), store.Options{})
	}
	var err error
	if n.Registry, err = New(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

// signer is a key that tests sign with.
type signer struct{ key signature.PrivateKey }

func newSigner(t testing.TB) signer {
	t.Helper()
	key, err := signature.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

// trust is the signer as somebody who may do everything.
func (s signer) trust(name string) Signer {
	return Signer{Name: name, Key: s.key.Public().Key, Prefixes: []string{"*"}, Capabilities: []string{"*"}, TrustedCompiler: true}
}

// module compiles and signs a script.
func (s signer) module(t testing.TB, source string) []byte {
	t.Helper()
	return s.sign(t, compiled(t, source))
}

func (s signer) sign(t testing.TB, module []byte) []byte {
	t.Helper()
	signed, err := signature.Sign(module, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func compiled(t testing.TB, source string) []byte {
	t.Helper()
	artifact, findings := compiler.Compile(compiler.Source{Name: "test.avap", Text: source}, compiler.Options{})
	if artifact == nil {
		t.Fatal(findings)
	}
	return artifact.Wasm
}

func (n *node) mustUpload(t testing.TB, name string, module []byte) *Version {
	t.Helper()
	v, err := n.Upload(t.Context(), name, module, UploadOptions{Activate: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// result executes a command and gives its results, or the code of the failure.
func (n *node) result(t testing.TB, name string, version int) string {
	t.Helper()
	a, err := n.Execute(t.Context(), name, version, &engine.Request{})
	if err != nil {
		return string(codeOf(err))
	}
	return string(a.Result)
}

// errorOf drops what a change gives besides.
func errorOf[T any](_ T, err error) error { return err }

func revocationsOf(n *node) []*Revocation {
	list, _, _ := n.State().Revocations("", 0)
	return list
}

func codeOf(err error) diag.Code {
	failure, ok := errors.AsType[*diag.Failure](err)
	if !ok {
		if err == nil {
			return ""
		}
		return diag.Code(err.Error())
	}
	return failure.Code
}

func wantCode(t testing.TB, err error, code diag.Code) {
	t.Helper()
	if codeOf(err) != code {
		t.Errorf("got %v (%s), want %s", err, codeOf(err), code)
	}
}

// documentOf is what a record holds.
func documentOf(t testing.TB, v any) []byte {
	t.Helper()
	put, err := withDocument(store.Put{}, v)
	if err != nil {
		t.Fatal(err)
	}
	return put.Document
}

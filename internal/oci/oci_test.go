package oci

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

const limit = 1 << 20

var module = append([]byte("\x00asm\x01\x00\x00\x00"), bytes.Repeat([]byte("body"), 1000)...)

// serve runs a registry behind what stands before it, and gives the beginning
// of references into it. No login of whoever runs the test is looked at.
func serve(t *testing.T, before func(next http.Handler) http.Handler) string {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if before != nil {
		handler = before(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Scheme + strings.TrimPrefix(server.URL, "http://") + "/team/price"
}

func mustPush(t *testing.T, reference string, o Options) Artifact {
	t.Helper()
	a, err := Push(t.Context(), reference, module, map[string]string{"org.opencontainers.image.title": "price"}, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPushAndPull(t *testing.T) {
	repository := serve(t, nil)
	pushed := mustPush(t, repository+":v1", Options{})
	again := mustPush(t, repository+":v2", Options{})
	if pushed.Manifest != again.Manifest {
		t.Errorf("the same module became %s and %s", pushed.Manifest, again.Manifest)
	}
	for _, reference := range []string{repository + ":v1", repository + "@" + pushed.Manifest} {
		got, pulled, err := Pull(t.Context(), reference, Options{MaxBytes: limit})
		if err != nil || !bytes.Equal(got, module) {
			t.Fatalf("%s: %d bytes and %v", reference, len(got), err)
		}
		if pulled.Manifest != pushed.Manifest || pulled.Digest != pushed.Digest || pulled.Annotations["org.opencontainers.image.title"] != "price" {
			t.Errorf("pushed %+v, pulled %+v", pushed, pulled)
		}
	}
	// Without a tag it is the latest.
	if a := mustPush(t, repository, Options{}); !strings.HasSuffix(a.Reference, ":latest") {
		t.Errorf("pushed as %s", a.Reference)
	}
	if _, _, err := Pull(t.Context(), repository, Options{MaxBytes: limit}); err != nil {
		t.Error(err)
	}
}

// The layout is the contract with other tools: these bytes are what they read.
func TestLayout(t *testing.T) {
	repository := serve(t, nil)
	a := mustPush(t, repository+":v1", Options{})
	const want = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.wasm.config.v0+json","digest":"CONFIG","size":161},` +
		`"layers":[{"mediaType":"application/wasm","digest":"MODULE","size":4008}],` +
		`"annotations":{"org.opencontainers.image.title":"price"}}`
	manifest := fetch(t, repository, "manifests/v1")
	var parsed struct{ Config struct{ Digest string } }
	if err := json.Unmarshal([]byte(manifest), &parsed); err != nil {
		t.Fatal(err)
	}
	if got := strings.NewReplacer(parsed.Config.Digest, "CONFIG", a.Digest, "MODULE").Replace(manifest); got != want {
		t.Errorf("the manifest is\n%s\nwant\n%s", got, want)
	}
	wantConfig := `{"created":"1970-01-01T00:00:00Z","architecture":"wasm","os":"wasip1","layerDigests":["` + a.Digest + `"]}`
	if got := fetch(t, repository, "blobs/"+parsed.Config.Digest); got != wantConfig {
		t.Errorf("the config is\n%s\nwant\n%s", got, wantConfig)
	}
}

func fetch(t *testing.T, repository, what string) string {
	t.Helper()
	host, name, _ := strings.Cut(strings.TrimPrefix(repository, Scheme), "/")
	answer, err := http.Get("http://" + host + "/v2/" + name + "/" + what)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", what, answer.Status, err)
	}
	return string(text)
}

func TestReferences(t *testing.T) {
	for _, reference := range []string{
		"", "oci://", "oci://host", "host/repository:tag", "https://host/repository:tag", "oci://host/UPPER:tag", "oci://host/r:bad tag", "oci://host/../r:x",
		"oci://host/r@sha256:12", "oci:///r:x",
	} {
		if _, _, err := Pull(t.Context(), reference, Options{MaxBytes: limit}); !errors.Is(err, ErrReference) {
			t.Errorf("%q: %v", reference, err)
		}
	}
	repository := serve(t, nil)
	pushed := mustPush(t, repository+":v1", Options{})
	if _, err := Push(t.Context(), repository+"@"+pushed.Manifest, module, nil, Options{}); !errors.Is(err, ErrReference) {
		t.Errorf("a digest is no tag: %v", err)
	}
}

func TestPullRefuses(t *testing.T) {
	repository := serve(t, nil)
	mustPush(t, repository+":v1", Options{})
	if _, _, err := Pull(t.Context(), repository+":v9", Options{MaxBytes: limit}); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown tag: %v", err)
	}
	if _, _, err := Pull(t.Context(), repository+":v1", Options{MaxBytes: int64(len(module)) - 1}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for name, manifest := range map[string]string{
		"an image":     `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`,
		"two modules":  `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.wasm.config.v0+json"},"layers":[{"mediaType":"application/wasm"},{"mediaType":"application/wasm"}]}`,
		"another type": `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.wasm.config.v0+json"},"layers":[{"mediaType":"text/plain"}]}`,
		"not JSON":     `{`,
	} {
		if _, _, err := Pull(t.Context(), serveManifest(t, manifest)+":v1", Options{MaxBytes: limit}); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// serveManifest is a registry that has one manifest, whatever it is asked for.
func serveManifest(t *testing.T, manifest string) string {
	t.Helper()
	return serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Content-Length", fmt.Sprint(len(manifest)))
			w.Header().Set("Docker-Content-Digest", digest.FromString(manifest).String())
			io.WriteString(w, manifest)
		})
	})
}

// A registry that gives something else than the digest says is not believed.
func TestTamperedRegistry(t *testing.T) {
	for name, tamper := range map[string]struct {
		where string
		what  func([]byte) []byte
	}{
		"a flipped bit in the module": {"/blobs/", func(b []byte) []byte { b[100] ^= 1; return b }},
		"a module cut off":            {"/blobs/", func(b []byte) []byte { return b[:len(b)-1] }},
		"more than the module":        {"/blobs/", func(b []byte) []byte { return append(b, 0) }},
		"another manifest":            {"/manifests/", func(b []byte) []byte { return bytes.Replace(b, []byte(`"price"`), []byte(`"prize"`), 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			tampering := false
			repository := serve(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !tampering || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, tamper.where) {
						next.ServeHTTP(w, r)
						return
					}
					answer := httptest.NewRecorder()
					next.ServeHTTP(answer, r)
					maps.Copy(w.Header(), answer.Header())
					w.Header().Del("Content-Length")
					w.Write(tamper.what(answer.Body.Bytes()))
				})
			})
			pushed := mustPush(t, repository+":v1", Options{})
			tampering = true
			for _, reference := range []string{repository + ":v1", repository + "@" + pushed.Manifest} {
				if got, _, err := Pull(t.Context(), reference, Options{MaxBytes: limit}); err == nil {
					t.Errorf("%s: took %d bytes", reference, len(got))
				}
			}
		})
	}
}

const user, secret = "robot", "hush-hush"

// guarded asks for a login.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, ok := r.BasicAuth(); !ok || name != user || password != secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tokens asks for a token, which a login gets, as the large registries do.
func tokens(next http.Handler) http.Handler {
	const token = "a-token"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			guarded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, `{"token":"`+token+`"}`)
			})).ServeHTTP(w, r)
		case r.Header.Get("Authorization") == "Bearer "+token:
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

func TestLogins(t *testing.T) {
	for name, before := range map[string]func(http.Handler) http.Handler{"basic": guarded, "token": tokens} {
		t.Run(name, func(t *testing.T) {
			repository := serve(t, before)
			for _, o := range []Options{{}, {Username: user, Password: "wrong-secret"}} {
				_, err := Push(t.Context(), repository+":v1", module, nil, o)
				if !errors.Is(err, ErrDenied) {
					t.Errorf("with %q: %v", o.Username, err)
				}
				if o.Password != "" && strings.Contains(err.Error(), o.Password) {
					t.Errorf("the error tells the password: %v", err)
				}
			}
			mustPush(t, repository+":v1", Options{Username: user, Password: secret})
			host, _, _ := strings.Cut(strings.TrimPrefix(repository, Scheme), "/")
			login := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte(user+":"+secret)))
			if err := os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(login), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := Pull(t.Context(), repository+":v1", Options{MaxBytes: limit}); err != nil {
				t.Errorf("with Docker's login: %v", err)
			}
			if _, _, err := Pull(t.Context(), repository+":v1", Options{MaxBytes: limit, Username: user, Password: "x"}); !errors.Is(err, ErrDenied) {
				t.Errorf("the given login comes first: %v", err)
			}
		})
	}
}

// Only this machine is talked to without TLS, if nobody says otherwise.
func TestPlainHTTP(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for host, plain := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "127.3.2.1": true, "[::1]:5000": true,
		"registry.example.com": false, "localhost.example.com": false, "10.0.0.1:5000": false, "127.0.0.1.example.com": false,
	} {
		for _, allowed := range []bool{false, true} {
			r, err := Options{PlainHTTP: allowed}.open(Scheme + host + "/r:t")
			if err != nil {
				t.Errorf("%s: %v", host, err)
			} else if r.PlainHTTP != (plain || allowed) {
				t.Errorf("%s, allowed %t: plain is %t", host, allowed, r.PlainHTTP)
			}
		}
	}
}

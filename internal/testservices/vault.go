package testservices

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Vault answers as the HTTP API of Vault is documented to: reading secrets of both
// versions of the engine KV, and logins by AppRole and Kubernetes. See
// https://developer.hashicorp.com/vault/api-docs, below it secret/kv/kv-v1,
// secret/kv/kv-v2, auth/approle and auth/kubernetes.
type Vault struct {
	// Server is to be started, with or without TLS.
	Server *httptest.Server

	mu        sync.Mutex
	token     string
	namespace string
	logins    map[string]map[string]string
	secrets   map[string]vaultSecret
	asked     []string
	status    int
}

type vaultSecret struct {
	versioned bool
	fields    any // nil for what was deleted
}

// NewVault makes one that knows one token. Whoever asks has to have it, or to log
// in for it.
func NewVault(t testing.TB, token, namespace string) *Vault {
	t.Helper()
	v := &Vault{token: token, namespace: namespace, logins: map[string]map[string]string{}, secrets: map[string]vaultSecret{}}
	v.Server = httptest.NewUnstartedServer(v)
	t.Cleanup(v.Server.Close)
	return v
}

// Put keeps fields at a path of the API: below data/ behind its mount in the
// second version of KV. Fields that are nil were deleted.
func (v *Vault) Put(path string, versioned bool, fields any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets[path] = vaultSecret{versioned, fields}
}

// Admit lets those log in at a mount who send this.
func (v *Vault) Admit(mount string, body map[string]string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.logins["auth/"+mount+"/login"] = body
}

// Answer makes it answer everything with a status, as while it is sealed; 0 ends
// that.
func (v *Vault) Answer(status int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status = status
}

// Asked are the paths that were asked for.
func (v *Vault) Asked() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.asked...)
}

// ServeHTTP implements http.Handler.
func (v *Vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	v.asked = append(v.asked, path)
	switch {
	case v.status != 0:
		w.Header().Set("Location", "http://127.0.0.1:1/v1/"+path)
		refuse(w, v.status, "Vault is sealed")
	case r.Header.Get("X-Vault-Namespace") != v.namespace || r.Header.Get("X-Vault-Request") != "true":
		refuse(w, http.StatusForbidden, "permission denied")
	case r.Method == http.MethodPost:
		v.login(w, r, path)
	case r.Header.Get("X-Vault-Token") != v.token:
		refuse(w, http.StatusForbidden, "permission denied")
	default:
		v.read(w, path)
	}
}

func (v *Vault) login(w http.ResponseWriter, r *http.Request, path string) {
	var body map[string]string
	want, known := v.logins[path]
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !known || len(body) != len(want) {
		refuse(w, http.StatusBadRequest, "missing parameters")
		return
	}
	for name, value := range want {
		if body[name] != value {
			refuse(w, http.StatusBadRequest, "invalid role or secret ID")
			return
		}
	}
	answer(w, http.StatusOK, map[string]any{"auth": map[string]any{"client_token": v.token, "lease_duration": 1200, "renewable": true}})
}

func (v *Vault) read(w http.ResponseWriter, path string) {
	secret, known := v.secrets[path]
	switch {
	case !known:
		answer(w, http.StatusNotFound, map[string]any{"errors": []string{}})
	case !secret.versioned:
		answer(w, http.StatusOK, map[string]any{"lease_duration": 2764800, "data": secret.fields})
	default:
		status, metadata := http.StatusOK, map[string]any{"version": 3, "destroyed": false, "deletion_time": ""}
		if secret.fields == nil {
			status, metadata["deletion_time"] = http.StatusNotFound, "2018-03-22T02:36:43.986212308Z"
		}
		answer(w, status, map[string]any{"data": map[string]any{"data": secret.fields, "metadata": metadata}})
	}
}

func refuse(w http.ResponseWriter, status int, problem string) {
	answer(w, status, map[string]any{"errors": []string{problem}})
}

func answer(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(document); err != nil {
		return // whoever asked is gone
	}
}

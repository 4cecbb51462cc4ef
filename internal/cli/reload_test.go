//go:build unix

package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/testservices"
)

// awaitLog waits for so many lines with the text.
func (s *instance) awaitLog(text string, count int) {
	s.t.Helper()
	late := time.AfterFunc(patience, func() {
		s.stderr.mu.Lock()
		defer s.stderr.mu.Unlock()
		s.stderr.late = true
		s.stderr.written.Broadcast()
	})
	defer late.Stop()
	s.stderr.mu.Lock()
	defer s.stderr.mu.Unlock()
	for strings.Count(s.stderr.b.String(), text) < count {
		if s.stderr.late {
			s.t.Fatalf("%q is not in the log %d times:\n%s", text, count, s.stderr.b.String())
		}
		s.stderr.written.Wait()
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// replace gives the file another content by renaming.
func replace(t *testing.T, path, content string) {
	t.Helper()
	put(t, path+".new", content)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func hangUp(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// wantFuel checks the most fuel that a request may ask for.
func (s *instance) wantFuel(most string) {
	s.t.Helper()
	_, body := s.call(http.MethodPost, "/api/v1/execute", "", `{"script":"addVar(x, 1)","limits":{"fuel":9000000}}`)
	if !strings.Contains(body, "a whole number from 1 to "+most+",") {
		s.t.Errorf("%s, want a maximum of %s", body, most)
	}
}

// A running server takes from files and secrets what can be changed, says what
// cannot, and shows no secret.
func TestReload(t *testing.T) {
	const first, second = "confidential-first", "confidential-second"
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	defer target.Close()
	dir := t.TempDir()
	file, token := filepath.Join(dir, "avap.yaml"), filepath.Join(dir, "secret", "token")
	put(t, token, first)
	put(t, file, "limits: {fuel: 1000000}\nlog: {level: warn}\n")
	s := startServe(t, "--config", file, "--admin-token-file", token)
	s.wantFuel("1000000")
	get := "RequestGet('" + target.URL + "', '', '', r)"
	if status := await(t, "answer", s.execute(get)); status == http.StatusOK {
		t.Error("a script reached a private address")
	}

	replace(t, file, "limits: {fuel: 1000000, fuel_max: 2000000}\nlog: {level: info}\nhttp: {connections: 7}\negress: {allow: [127.0.0.0/8]}\n")
	hangUp(t)
	s.awaitLog(`{"key":"egress.allow","new":"127.0.0.0/8","old":"","origin":"`+file+`:4"}`, 1)
	s.awaitLog(`"reason":"SIGHUP"`, 1)
	s.awaitLog(`"changed":[{"key":"http.connections","new":"7","old":"10000","origin":"`+file+`:3"}]`, 1)
	s.wantFuel("2000000")
	if status := await(t, "answer", s.execute(get)); status != http.StatusOK {
		t.Errorf("status %d after the address was allowed", status)
	}

	if status, _ := s.call(http.MethodDelete, "/api/v1/apps/none", first, ""); status != http.StatusNotFound {
		t.Errorf("status %d with the token", status)
	}
	replace(t, token, second)
	s.awaitLog(`{"key":"admin.token","new":"********","old":"********","origin":"file `+token+`"}`, 1)
	if status, _ := s.call(http.MethodDelete, "/api/v1/apps/none", first, ""); status != http.StatusUnauthorized {
		t.Errorf("status %d with the old token", status)
	}
	if status, _ := s.call(http.MethodDelete, "/api/v1/apps/none", second, ""); status != http.StatusNotFound {
		t.Errorf("status %d with the new token", status)
	}
	s.stop()
	if strings.Contains(s.stderr.String(), "confidential") {
		t.Errorf("a secret is in the log: %s", s.stderr)
	}
}

// What is wrong is told as a whole, and changes nothing, though other things in
// the same file are right.
func TestReloadRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "avap.yaml")
	put(t, file, "limits: {fuel: 1000000}\n")
	s := startServe(t, "--config", file)
	replace(t, file, "limits: {fuel: 3000000, fule: 1}\nlog: {level: loud}\ntime: {zone: Nowhere}\n")
	s.awaitLog(`the former one holds`, 1)
	for _, fault := range []string{"did you mean limits.fuel?", "is not one of debug, info, warn, error", "there is no time zone"} {
		s.awaitLog(fault, 1)
	}
	s.wantFuel("1000000")
	replace(t, file, "limits: {fuel: 3000000}\nconnectors_file: missing.json\n")
	s.awaitLog("missing.json: no such file", 1)
	s.wantFuel("1000000")
	replace(t, file, "limits: {fuel: 3000000}\n")
	s.awaitLog(`"new":"3000000"`, 1)
	s.wantFuel("3000000")
	_, metrics := s.call(http.MethodGet, "/api/v1/metrics", "", "")
	for _, line := range []string{`avap_reloads_total{outcome="refused"} 2`, `avap_reloads_total{outcome="taken"} 1`} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no %s among the metrics", line)
		}
	}
	s.stop()
}

// What was told is not told again because another file in the directory changed,
// such as the log that it went to; who asks by a signal is told.
func TestReloadTellsOnce(t *testing.T) {
	var r reloader
	for i, test := range []struct {
		reason, text string
		want         bool
	}{
		{"file", "a fault", true},
		{"file", "a fault", false},
		{"SIGHUP", "a fault", true},
		{"file", "a fault", false},
		{"file", "another", true},
		{"file", "a fault", true},
	} {
		if got := r.news(test.reason, test.text); got != test.want {
			t.Errorf("%d: %v, want %v", i, got, test.want)
		}
	}
}

// However a file is changed, the change is seen: written in place, renamed,
// removed and made again with its directory, and behind links that are turned.
func TestReloadSeesFiles(t *testing.T) {
	dir := t.TempDir()
	inPlace, gone := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b", "b.yaml")
	mounted := filepath.Join(dir, "c", "c.yaml")
	put(t, inPlace, "limits: {time_ms: 1000}\n")
	put(t, gone, "limits: {call_depth: 1000}\n")
	put(t, filepath.Join(dir, "c", "..1", "c.yaml"), "limits: {fuel: 1000000}\n")
	put(t, filepath.Join(dir, "c", "..2", "c.yaml"), "limits: {fuel: 2000000}\n")
	turn := func(to string) {
		t.Helper()
		data := filepath.Join(dir, "c", "..data")
		if err := errors.Join(os.Symlink(to, data+".new"), os.Rename(data+".new", data)); err != nil {
			t.Fatal(err)
		}
	}
	turn("..1")
	if err := os.Symlink(filepath.Join("..data", "c.yaml"), mounted); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, "--config", inPlace, "--config", gone, "--config", mounted)
	put(t, inPlace, "limits: {time_ms: 1001}\n")
	s.awaitLog(`"key":"limits.time_ms","new":"1001","old":"1000"`, 1)
	turn("..2")
	s.awaitLog(`"key":"limits.fuel","new":"2000000","old":"1000000"`, 1)
	turn("..1")
	s.awaitLog(`"key":"limits.fuel","new":"1000000","old":"2000000"`, 1)
	if err := os.RemoveAll(filepath.Dir(gone)); err != nil {
		t.Fatal(err)
	}
	s.awaitLog("no such file or directory", 1)
	put(t, gone, "limits: {call_depth: 900}\n")
	s.awaitLog(`"key":"limits.call_depth","new":"900","old":"1000"`, 1)
	replace(t, gone, "limits: {call_depth: 800}\n")
	s.awaitLog(`"key":"limits.call_depth","new":"800","old":"900"`, 1)
	s.wantFuel("1000000")
	s.stop()
}

// A certificate that is renewed is the one of the connections that come then; one
// that does not go with its key changes nothing.
func TestReloadCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	renew := func(serial int64) (string, string) {
		t.Helper()
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
		der, err := x509.CreateCertificate(rand.Reader, made, made, &private.PublicKey, private)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	}
	first, firstKey := renew(1)
	put(t, cert, first)
	put(t, key, firstKey)
	s := startServe(t, "--tls-cert-file", cert, "--tls-key-file", key)
	serial := func() int64 {
		t.Helper()
		// Which certificate it is, is what is asked, not whether it is trusted.
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	second, secondKey := renew(2)
	replace(t, cert, second)
	s.awaitLog("tls.cert_file, tls.key_file: tls: private key does not match public key", 1)
	if got := serial(); got != 1 {
		t.Errorf("the certificate is %d", got)
	}
	replace(t, key, secondKey)
	s.awaitLog(`"msg":"configuration reloaded"`, 1)
	if got := serial(); got != 2 {
		t.Errorf("the certificate is %d", got)
	}
	s.stop()
}

// Secrets come from Vault at the start and at a reload; one that Vault does not give
// leaves the former in force.
func TestReloadFromVault(t *testing.T) {
	const first, second = "confidential-first", "confidential-second"
	vault := testservices.NewVault(t, "confidential-token", "team")
	vault.Server.Start()
	vault.Put("secret/data/avap", true, map[string]string{"token": first})
	dir := t.TempDir()
	file, token := filepath.Join(dir, "avap.yaml"), filepath.Join(dir, "token")
	put(t, token, "confidential-token\n")
	put(t, file, "admin: {token: \"vault:secret/data/avap#token\"}\nvault: {address: \""+vault.Server.URL+"\", namespace: team, token_file: "+token+"}\n")
	s := startServe(t, "--config", file)
	accepts := func(token string, want int) {
		t.Helper()
		if status, _ := s.call(http.MethodDelete, "/api/v1/apps/none", token, ""); status != want {
			t.Errorf("%s is answered %d, want %d", token, status, want)
		}
	}
	accepts(first, http.StatusNotFound)

	vault.Answer(http.StatusServiceUnavailable)
	vault.Put("secret/data/avap", true, map[string]string{"token": second})
	hangUp(t)
	s.awaitLog("the server is sealed or under maintenance, 503 (vault:secret/data/avap#token)", 1)
	accepts(first, http.StatusNotFound)

	vault.Answer(0)
	hangUp(t)
	s.awaitLog(`{"key":"admin.token","new":"********","old":"********","origin":"vault:secret/data/avap#token by `+file+`:1"}`, 1)
	accepts(first, http.StatusUnauthorized)
	accepts(second, http.StatusNotFound)
	s.stop()
	if strings.Contains(s.stderr.String(), "confidential") {
		t.Errorf("a secret is in the log: %s", s.stderr)
	}
}

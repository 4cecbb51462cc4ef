package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	made := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, _ = x509.ParseCertificate(made.Certificate[0])
	a.key = made.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// sign makes a certificate for a new key; the first signs itself.
func (a *authority) sign(c *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.next++
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(a.next), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) server() tls.Certificate {
	return a.sign(&x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (a *authority) client(c x509.Certificate) tls.Certificate {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(&c)
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// write puts a certificate and its key into files.
func (a *authority) write(dir string, c tls.Certificate) (certFile, keyFile string) {
	a.t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		a.t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// startTLS starts a server that speaks TLS, with commands.
func (a *authority) startTLS() *commandHarness {
	a.t.Helper()
	certFile, keyFile := a.write(a.t.TempDir(), a.server())
	caFile, _ := a.write(a.t.TempDir(), tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key})
	h := startCommands(a.t, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-client-ca-file", caFile)
	h.client = a.httpClient()
	return h
}

// httpClient trusts the authority, and shows certificates.
func (a *authority) httpClient(shown ...tls.Certificate) *http.Client {
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool(), Certificates: shown}}, Timeout: patience}
	a.t.Cleanup(c.CloseIdleConnections)
	return c
}

// A client is known by the name in its certificate, if somebody vouches for it
// whom the server trusts, and a key says what it may do.
func TestClientCertificates(t *testing.T) {
	a := newAuthority(t)
	h := a.startTLS()
	for name, subject := range map[string]string{"till": "till.example.com", "spiffe": "spiffe://example.com/till", "cn": "old till"} {
		body, _ := encodeJSON(api.NewKey{Name: name, Kind: api.CertificateKey, Subject: subject, Scopes: []string{"execute"}})
		if r := h.ask(http.MethodPost, "/keys", "application/json", body); r.StatusCode != 201 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	body, _ := encodeJSON(api.NewKey{Name: "again", Kind: api.CertificateKey, Subject: "old till", Scopes: []string{"execute"}})
	h.ask(http.MethodPost, "/keys", "application/json", body).wantProblem(t, 409, diag.Conflict)
	h.ask(http.MethodPost, "/keys/till/rotate", "application/json", []byte(`{}`)).wantProblem(t, 400, diag.BadFieldValue)
	run := func() reply { return h.execute(`{"script":"x = 1"}`) }
	uri, _ := url.Parse("spiffe://example.com/till")
	for id, c := range map[string]x509.Certificate{
		"till": {DNSNames: []string{"other.example.com", "till.example.com"}}, "spiffe": {URIs: []*url.URL{uri}}, "cn": {Subject: pkix.Name{CommonName: "old till"}},
	} {
		h.client = a.httpClient(a.client(c))
		if r := run(); r.StatusCode != 200 {
			t.Errorf("%s: %d %s", id, r.StatusCode, r.body)
		}
		h.do(http.MethodGet, "/api/v1/commands", "", nil).wantProblem(t, 403, diag.ScopeMissing)
		if !strings.Contains(h.logs.String(), `"principal":"certificate:`+id+`"`) {
			t.Errorf("%s is not in the log", id)
		}
		// The token stands above the certificate.
		if r := h.ask(http.MethodDelete, "/keys/"+id, "", nil); r.StatusCode != 204 {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		run().wantProblem(t, 401, diag.Unauthorized) // on the same connection
	}
	h.client = a.httpClient(a.client(x509.Certificate{Subject: pkix.Name{CommonName: "old till"}, DNSNames: []string{"x"}}))
	run().wantProblem(t, 401, diag.Unauthorized)
	h.client = a.httpClient()
	if r := run(); r.StatusCode != 200 {
		t.Errorf("a stranger: %d", r.StatusCode)
	}
	stranger := newAuthority(t).client(x509.Certificate{DNSNames: []string{"till.example.com"}})
	if _, err := a.httpClient(stranger).Get("https://" + h.addr + pathOpenAPI); err == nil {
		t.Error("anybody vouches for a client")
	}
}

// Whoever is known by a certificate may upload what is larger than strangers may
// send.
func TestUploadWithCertificate(t *testing.T) {
	a := newAuthority(t)
	h := a.startTLS()
	body, _ := encodeJSON(api.NewKey{Name: "ci", Kind: api.CertificateKey, Subject: "ci.example.com", Scopes: []string{"commands:write"}})
	if r := h.ask(http.MethodPost, "/keys", "application/json", body); r.StatusCode != 201 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	module := signedBy(t, h.key, "x = \""+strings.Repeat("x", 2*strangersBytes)+"\"")
	push := func() reply { return h.do(http.MethodPut, "/api/v1/commands/large", api.WASM, bytes.NewReader(module)) }
	push().wantProblem(t, 401, diag.Unauthorized)
	// Who shows no certificate, or one that nobody has named here, is refused before
	// the body is read; so is who is known and may not upload.
	if r := h.ask(http.MethodPost, "/keys", "application/json", []byte(`{"name":"till","kind":"certificate","subject":"till.example.com","scopes":["execute"]}`)); r.StatusCode != 201 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	for _, test := range []struct {
		shown  []tls.Certificate
		status int
		code   diag.Code
	}{
		{nil, 401, diag.Unauthorized},
		{[]tls.Certificate{a.client(x509.Certificate{DNSNames: []string{"other.example.com"}})}, 401, diag.Unauthorized},
		{[]tls.Certificate{a.client(x509.Certificate{DNSNames: []string{"till.example.com"}})}, 403, diag.ScopeMissing},
	} {
		conn, err := tls.Dial("tcp", h.addr, &tls.Config{RootCAs: a.pool(), Certificates: test.shown})
		if err != nil {
			t.Fatal(err)
		}
		answerToHeader(t, conn, "PUT /api/v1/commands/large HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/wasm\r\n").wantProblem(t, test.status, test.code)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	h.client = a.httpClient(a.client(x509.Certificate{DNSNames: []string{"ci.example.com"}}))
	if r := push(); r.StatusCode != 201 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// The document names certificates where clients are asked for one, and only there.
func TestDocumentNamesCertificates(t *testing.T) {
	schemes := func(h *harness) (schemes map[string]map[string]string, of string) {
		t.Helper()
		d := h.description()
		return d.Components.SecuritySchemes, fmt.Sprint(d.Paths["/api/v1/keys"]["post"].Security)
	}
	if all, of := schemes(newAuthority(t).startTLS().harness); all[schemeCertificate]["type"] != "mutualTLS" || of != "[map[token:[keys:write]] map[certificate:[keys:write]]]" {
		t.Errorf("%v, keys need %s", all, of)
	}
	if all, of := schemes(startCommands(t).harness); len(all) != 1 || of != "[map[token:[keys:write]]]" {
		t.Errorf("without TLS: %v, keys need %s", all, of)
	}
}

// TLS before 1.3, and what is no TLS, is refused; the server stays.
func TestTLSVersions(t *testing.T) {
	a := newAuthority(t)
	h := a.startTLS()
	old := &tls.Config{RootCAs: a.pool(), MaxVersion: tls.VersionTLS12}
	if _, err := tls.Dial("tcp", h.addr, old); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send(t, conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
	var answer [64]byte
	if n, _ := conn.Read(answer[:]); strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
		t.Errorf("%q", answer[:n])
	}
	if r := h.execute(`{"script":"x = 1"}`); r.StatusCode != 200 || r.TLS.Version != tls.VersionTLS13 || r.TLS.NegotiatedProtocol != "" && r.TLS.NegotiatedProtocol != "http/1.1" {
		t.Errorf("%d %+v", r.StatusCode, r.TLS)
	}
}

// A new certificate is for new connections; those that are there go on.
func TestCertificateIsReloaded(t *testing.T) {
	a := newAuthority(t)
	h := a.startTLS()
	serial := func(c *http.Client) int64 {
		t.Helper()
		h.client = c
		r := h.execute(`{"script":"x = 1"}`)
		if r.StatusCode != 200 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		return r.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	before := a.httpClient()
	first := serial(before)
	c := *h.settings.Load()
	c.TLS.CertFile, c.TLS.KeyFile = a.write(t.TempDir(), a.server())
	next, err := LoadTLS(&c)
	if err != nil {
		t.Fatal(err)
	}
	h.AdjustTLS(next)
	if again := serial(before); again != first {
		t.Error("the connection has been made anew")
	}
	if later := serial(a.httpClient()); later == first {
		t.Error("a new connection has the old certificate")
	}
	c.TLS.KeyFile = c.TLS.CertFile
	if _, err := LoadTLS(&c); err == nil || !strings.Contains(err.Error(), "tls.key_file") {
		t.Error(err)
	}
	if next, err := LoadTLS(config.Default()); next != nil || err != nil {
		t.Error(next, err)
	}
}

// A client that goes ends its execution over TLS, too, and one that sends too
// much is told so.
func TestTLSConnections(t *testing.T) {
	a := newAuthority(t)
	certFile, keyFile := a.write(t.TempDir(), a.server())
	h := startWith(t, func(o *Options) {
		var err error
		if o.TLS, err = LoadTLS(o.Config); err != nil {
			t.Fatal(err)
		}
	}, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--http-body-limit-bytes", "1048576")
	conn, err := tls.Dial("tcp", h.addr, &tls.Config{RootCAs: a.pool()})
	if err != nil {
		t.Fatal(err)
	}
	send(t, conn, waitRequest)
	<-h.engine.started
	conn.Close()
	select {
	case <-h.engine.ended:
	case <-time.After(patience):
		t.Error("the execution goes on")
	}
	h.client = a.httpClient()
	h.execute(`{"script":"`+strings.Repeat("a", 8<<20)+`"}`).wantProblem(t, 413, diag.RequestTooLarge)
}

package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/avapd/avapd/internal/client"
	"github.com/avapd/avapd/internal/diag"
)

// What a server refuses ends the program as the same failure does without a
// server, with the next step.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		status int
		code   diag.Code
		want   int
		// step is the next step where the server's, which speaks of HTTP, is not shown.
		step string
	}{
		{400, diag.Raised, exitScript, ""},
		{404, diag.NoSuchCommand, exitScript, "avap list shows the commands, avap versions NAME the versions of one."},
		{409, diag.Conflict, exitScript, "Look at what is there, with avap list, avap versions NAME or avap key list, and ask for what fits it."},
		{422, diag.PolicyRefused, exitScript, ""},
		{422, diag.SignerUnknown, exitSignature, "avap signer list shows whose signatures the server takes; avap signer add NAME --key FILE --prefix PREFIX adds a signer, with --trusted-compiler if the key signs what avap build makes and nothing else."},
		{401, diag.Unauthorized, exitUsage, "Name the file that holds a key of the server, or its token, with --token-file, or in AVAP_TOKEN_FILE; who signs requests or shows a certificate becomes known by avap key create NAME with --public-key or --subject."},
		{403, diag.ScopeMissing, exitUsage, "Use a key that may do this; avap key create NAME --scope SCOPE makes one."},
		{403, diag.Forbidden, exitScript, ""}, // whoever asks
		{400, diag.Forbidden, exitScript, ""}, // the script's, not the caller's
		{504, diag.OutOfFuel, exitLimit, ""},
		{429, diag.TooManyRequests, exitUnavailable, "Try again when an earlier command has ended."},
		{503, diag.StoreUnavailable, exitUnavailable, ""},
		{507, diag.StoreFull, exitUnavailable, ""},
		{500, diag.Internal, exitInternal, ""},
		{502, "", exitUnavailable, ""},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(test.status)
			if test.code != "" {
				_, _ = io.WriteString(w, `{"error":"it failed","code":"`+string(test.code)+`","suggestion":"do not","next_step":"Look.",
					"diagnostics":[{"code":"AVAP6005","severity":"error","message":"one thing"},{"code":"AVAP1001","severity":"warning","file":"a.avap","line":2,"column":3,"message":"other"}]}`)
			}
		}))
		var stderr strings.Builder
		code := Main(t.Context(), Process{Args: []string{"rollback", "price", "--server", s.URL}, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr})
		s.Close()
		if code != test.want {
			t.Errorf("%d %s: exit code %d, want %d: %s", test.status, test.code, code, test.want, stderr.String())
		}
		if want := "avap: it failed [" + string(test.code) + "]\n    suggestion: do not\n    error: one thing [AVAP6005]\n    a.avap:2:3: warning: other [AVAP1001]\n    next step: " + cmp.Or(test.step, "Look.") + "\n"; test.code != "" && stderr.String() != want {
			t.Errorf("got %q, want %q", stderr.String(), want)
		}
	}
	err := refused(usageError("a mistake"))
	if e, ok := errors.AsType[*exitError](err); !ok || e.code != exitUsage {
		t.Errorf("got %v", err)
	}
}

// Where there is no answer, what to do depends on why.
func TestUnreachable(t *testing.T) {
	for _, test := range []struct {
		server string
		err    error
		want   string
	}{
		{"https://a", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "--ca-file"},
		{"https://a", &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "a"}}, "under a name that is in its certificate"},
		{"http://a", io.EOF, "asked with https://"},
		{"https://a", io.EOF, "whether the server runs"},
		{"http://a", context.DeadlineExceeded, "--timeout-ms"},
		{"http://a", syscall.ECONNREFUSED, "whether the server runs"},
	} {
		if got := unreachableStep(&client.UnreachableError{Server: test.server, Err: test.err}); !strings.Contains(got, test.want) {
			t.Errorf("%s, %v: %q does not say %q", test.server, test.err, got, test.want)
		}
	}
}

// What others have written neither steers the terminal nor breaks a table: it may
// come from whoever may upload, or from a server that is none of ours.
func TestTextOfOthers(t *testing.T) {
	const wild = `a\u001b[31m\tb\nc\u0000`
	for path, document := range map[string]string{
		"/api/v1/revocations":             `{"revocations":[{"kind":"key","value":"00","reason":"` + wild + `","at":"2026-01-02T03:04:05Z"}]}`,
		"/api/v1/commands/price/versions": `{"versions":[{"name":"price","version":1,"note":"` + wild + `"}]}`,
		"/api/v1/signers":                 "",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if document == "" || r.URL.Path != path {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(http.StatusConflict)
				_, _ = io.WriteString(w, `{"error":"`+wild+`","code":"AVAP5016","suggestion":"`+wild+`"}`)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, document)
		}))
		args := map[string][]string{"/api/v1/revocations": {"revocations"}, "/api/v1/commands/price/versions": {"versions", "price"}, "/api/v1/signers": {"signer", "list"}}[path]
		var out strings.Builder
		code := Main(t.Context(), Process{Args: append(args, "--server", s.URL), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
		s.Close()
		if text := out.String(); !strings.Contains(text, "a?[31m b c?") || strings.ContainsAny(text, "\x1b\x00\t") {
			t.Errorf("%s: exit code %d, %q", path, code, text)
		}
	}
}

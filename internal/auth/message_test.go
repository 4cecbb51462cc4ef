package auth

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

// The test request, keys and signatures of RFC 9421, appendix B.
func vector() *Message {
	headers := map[string][]string{
		"host": {"example.com"}, "date": {"Tue, 20 Apr 2021 02:07:55 GMT"}, "content-type": {"application/json"}, "content-length": {"18"},
		"content-digest": {"sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"},
	}
	return &Message{
		Method: "POST", Scheme: "https", Authority: "example.com", Path: "/foo", Query: "param=Value&Pet=dog",
		Field: func(name string) []string { return headers[name] }, Body: []byte(`{"hello": "world"}`),
	}
}

const (
	vectorDate = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
	vectorKey  = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
)

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectorsOfRFC9421(t *testing.T) {
	public, err := x509.ParsePKIXPublicKey(unbase64(t, vectorKey))
	if err != nil {
		t.Fatal(err)
	}
	shared := unbase64(t, "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
	for _, v := range []struct {
		name       string
		components string
		params     string
		base       string
		signature  string
		verify     func(base, signature []byte) bool
	}{
		{
			"B.2.3", `"date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length"`, `;created=1618884473;keyid="test-key-rsa-pss"`,
			vectorDate + "\"@method\": POST\n\"@path\": /foo\n\"@query\": ?param=Value&Pet=dog\n\"@authority\": example.com\n\"content-type\": application/json\n" +
				"\"content-digest\": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\n\"content-length\": 18\n",
			"AAAA", nil, // that of another algorithm
		},
		{
			"B.2.5", `"date" "@authority" "content-type"`, `;created=1618884473;keyid="test-shared-secret"`,
			vectorDate + "\"@authority\": example.com\n\"content-type\": application/json\n",
			"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
			func(base, signature []byte) bool {
				mac := hmac.New(sha256.New, shared)
				mac.Write(base)
				return hmac.Equal(mac.Sum(nil), signature)
			},
		},
		{
			"B.2.6", `"date" "@method" "@path" "@authority" "content-type" "content-length"`, `;created=1618884473;keyid="test-key-ed25519"`,
			vectorDate + "\"@method\": POST\n\"@path\": /foo\n\"@authority\": example.com\n\"content-type\": application/json\n\"content-length\": 18\n",
			"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
			func(base, signature []byte) bool { return ed25519.Verify(public.(ed25519.PublicKey), base, signature) },
		},
	} {
		m := vector()
		params := "(" + v.components + ")" + v.params
		m.Field = withSignature(m.Field, "sig="+params, "sig=:"+v.signature+":")
		s, err := readSignature(m)
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		base, err := m.base(s.components, s.params)
		if want := v.base + `"@signature-params": ` + params; err != nil || string(base) != want {
			t.Errorf("%s: %s, %v; want %s", v.name, base, err, want)
		}
		if v.verify != nil && !v.verify(base, s.signature) {
			t.Errorf("%s does not verify", v.name)
		}
	}
	for _, digest := range []string{vector().Field(fieldDigest)[0], "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", "md5=:AAAA:, sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"} {
		if err := checkDigest(digest, vector().Body); err != nil {
			t.Errorf("%s: %v", digest, err)
		}
	}
}

func withSignature(fields func(string) []string, input, signature string) func(string) []string {
	return func(name string) []string {
		switch name {
		case fieldInput:
			return []string{input}
		case fieldSignature:
			return []string{signature}
		}
		return fields(name)
	}
}

// signed is a request with a key that knows it.
func signed(t *testing.T, m *Message) (Keys, map[string]string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	headers, err := m.Signature("till", func(base []byte) []byte { return ed25519.Sign(private, base) }, noon)
	if err != nil {
		t.Fatal(err)
	}
	return Keys{"till": mustKey(t, Key{Name: "till", Kind: KindSignature, Scopes: []string{"execute"}, Proofs: []Proof{{PublicKey: public, Created: noon}}})}, headers
}

func always(string, time.Time) error { return nil }

// Whatever is changed in a signed request, it is refused.
func TestSignedRequests(t *testing.T) {
	for name, spoil := range map[string]func(m *Message, headers map[string]string, keys Keys){
		"":        func(*Message, map[string]string, Keys) {},
		"nothing": func(m *Message, _ map[string]string, _ Keys) { m.Authority = "EXAMPLE.com:443" },
		"method":  func(m *Message, _ map[string]string, _ Keys) { m.Method = "PUT" },
		"host":    func(m *Message, _ map[string]string, _ Keys) { m.Authority = "example.org" },
		"path":    func(m *Message, _ map[string]string, _ Keys) { m.Path = "/fop" },
		"query":   func(m *Message, _ map[string]string, _ Keys) { m.Query += "&a" },
		"body":    func(m *Message, _ map[string]string, _ Keys) { m.Body = []byte(`{"hello": "World"}`) },
		"digest":  func(_ *Message, h map[string]string, _ Keys) { h[fieldDigest] = "sha-256=:AAAA:" },
		"nonce": func(_ *Message, h map[string]string, _ Keys) {
			h[fieldInput] = strings.Replace(h[fieldInput], `nonce="`, `nonce="A`, 1)
		},
		"order": func(_ *Message, h map[string]string, _ Keys) {
			h[fieldInput] = strings.Replace(h[fieldInput], `"@path" "@query"`, `"@query" "@path"`, 1)
		},
		"less": func(_ *Message, h map[string]string, _ Keys) {
			h[fieldInput] = strings.Replace(h[fieldInput], ` "content-digest"`, ``, 1)
		},
		"no key":   func(_ *Message, _ map[string]string, keys Keys) { delete(keys, "till") },
		"expired":  func(_ *Message, _ map[string]string, keys Keys) { keys["till"].Expires = noon },
		"turned":   func(_ *Message, _ map[string]string, keys Keys) { keys["till"].Proofs[0].Expires = noon },
		"two":      func(_ *Message, h map[string]string, _ Keys) { h[fieldInput] += ", " + h[fieldInput] },
		"no input": func(_ *Message, h map[string]string, _ Keys) { delete(h, fieldInput) },
		"kind":     func(_ *Message, _ map[string]string, keys Keys) { keys["till"].Kind = KindKey },
	} {
		m := vector()
		keys, headers := signed(t, m)
		spoil(m, headers, keys)
		m.Field = func(name string) []string {
			if v, ok := headers[name]; ok {
				return []string{v}
			}
			return nil
		}
		k, err := keys.BySignature(m, noon, time.Minute, always)
		if name == "" || name == "nothing" {
			if err != nil || k != keys["till"] || !m.IsSigned() {
				t.Errorf("%s: %v %v", name, k, err)
			}
			continue
		}
		if _, ok := errors.AsType[*SignatureError](err); !ok {
			t.Errorf("%s is changed: %v", name, err)
		}
	}
}

// A signature holds for its time alone, and says what it has to.
func TestSignatureRules(t *testing.T) {
	m := vector()
	keys, headers := signed(t, m)
	m.Field = func(name string) []string { return []string{headers[name]} }
	for at, want := range map[time.Time]string{
		noon: "", noon.Add(-clockSkew): "", noon.Add(-clockSkew - time.Second): "of the future", noon.Add(usualLifetime - 1): "", noon.Add(usualLifetime): "has expired",
	} {
		_, err := keys.BySignature(m, at, time.Minute, always)
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.Contains(got, want) {
				t.Errorf("at %s: %s", at, got)
			}
		} else if want != "" {
			t.Errorf("at %s it is taken", at)
		}
	}
	if _, err := keys.BySignature(m, noon, time.Second, always); err == nil || !strings.Contains(err.Error(), "longer than 1000 ms") {
		t.Error(err)
	}
	replayed := errors.New("again")
	if _, err := keys.BySignature(m, noon, time.Minute, func(string, time.Time) error { return replayed }); !errors.Is(err, replayed) {
		t.Error(err)
	}
	input := headers[fieldInput]
	for _, part := range []string{"created=", "expires=", "nonce=", "keyid="} {
		i := strings.Index(input, ";"+part)
		rest := input[i+1:]
		end := strings.IndexByte(rest, ';')
		headers[fieldInput] = input[:i]
		if end >= 0 {
			headers[fieldInput] += rest[end:]
		}
		if _, err := keys.BySignature(m, noon, time.Minute, always); err == nil || !strings.Contains(err.Error(), "needs the parameters") {
			t.Errorf("without %s: %v", part, err)
		}
	}
}

// What is no signature is refused, whatever it is.
func FuzzSignatureFields(f *testing.F) {
	f.Add(`sig=("@method");created=1;keyid="a"`, "sig=:AAAA:", "sha-256=:AAAA:")
	f.Add(`sig=`, `=`, `,`)
	f.Add(`a=("b" "c");d="`, "a=:=:", "sha-512=::")
	f.Fuzz(func(t *testing.T, input, signature, digest string) {
		m := vector()
		m.Field = withSignature(func(string) []string { return []string{digest} }, input, signature)
		if k, err := (Keys{}).BySignature(m, noon, time.Minute, always); k != nil || err == nil {
			t.Error(k, err)
		}
		if err := checkDigest(digest, m.Body); err == nil && !strings.Contains(digest, "sha-") {
			t.Error(digest)
		}
	})
}

func TestNonces(t *testing.T) {
	n := NewNonces(2)
	use := func(nonce string, at, until time.Duration, want error) {
		t.Helper()
		if err := n.Use(nonce, noon.Add(at), noon.Add(until)); !errors.Is(err, want) {
			t.Errorf("%s after %v: %v, want %v", nonce, at, err, want)
		}
	}
	use("a", 0, 10, nil)
	use("a", 1, 10, ErrReplayed)
	use("b", 2, 12, nil)
	use("a", 9, 10, ErrReplayed)
	use("c", 9, 19, nil)
	use("d", 11, 19, nil)
	use("e", 11, 19, nil)
	use("f", 11, 19, ErrTooMany)
	use("b", 11, 12, ErrReplayed)
	use("a", 30, 40, nil)
}

package signature

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
)

// keyFiles gives the key a of the vectors in all formats.
func keyFiles(t testing.TB) map[string][]byte {
	t.Helper()
	key := readVectors(t).private(t, "a")
	files := map[string][]byte{}
	var err error
	for _, name := range Formats() {
		if files["private "+name], err = EncodePrivate(key, Format(name), nil); err != nil {
			t.Fatal(err)
		}
		if files["public "+name], err = EncodePublic(key.Public(), Format(name), "ana@example.org"); err != nil {
			t.Fatal(err)
		}
	}
	// openssl pkcs8 -topk8 -v2 aes256 -iter 1
	files["private pkcs8"] = []byte(pkcs8)
	if files["private protected"], err = EncodePrivate(key, OpenSSH, []byte("open sesame")); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestFormats(t *testing.T) {
	want := readVectors(t).private(t, "a")
	for name, file := range keyFiles(t) {
		t.Run(name, func(t *testing.T) {
			if got, want := IsPrivateKey(file), strings.HasPrefix(name, "private"); got != want {
				t.Errorf("taken for a private key: %v", got)
			}
			if strings.HasPrefix(name, "public") {
				keys, err := ParsePublicKeys(file)
				if err != nil || len(keys) != 1 || !keys[0].Key.Equal(want.Public().Key) {
					t.Errorf("%v, %v", keys, err)
				}
				_, err = ParsePrivateKey(file, noPassphrase(t))
				wantCode(t, err, diag.KeyUnusable)
				return
			}
			passphrase := noPassphrase(t)
			if name == "private protected" || name == "private pkcs8" {
				passphrase = func() ([]byte, error) { return []byte("open sesame"), nil }
			}
			key, err := ParsePrivateKey(file, passphrase)
			if err != nil || !key.secret().Equal(want.secret()) || !bytes.Equal(key.ID, want.ID) {
				t.Errorf("%v, %v", key, err)
			}
			_, err = ParsePublicKeys(file)
			wantCode(t, err, diag.KeyUnusable)
		})
	}
}

func TestPassphrase(t *testing.T) {
	file := keyFiles(t)["private protected"]
	_, err := ParsePrivateKey(file, func() ([]byte, error) { return []byte("wrong"), nil })
	wantCode(t, err, diag.KeyUnusable)
	cause := errors.New("nobody is there")
	if _, err = ParsePrivateKey(file, func() ([]byte, error) { return nil, cause }); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	_, err = EncodePrivate(readVectors(t).private(t, "a"), PEM, []byte("open sesame"))
	wantCode(t, err, diag.KeyUnusable)
}

// A file must not be able to keep its reader busy.
func TestRounds(t *testing.T) {
	options := append([]byte{0, 0, 0, 1, 's'}, 0x7f, 0xff, 0xff, 0xff)
	content := []byte("openssh-key-v1\x00\x00\x00\x00\x0aaes256-ctr\x00\x00\x00\x06bcrypt")
	content = append(content, 0, 0, 0, byte(len(options)))
	wantCode(t, checkRounds(append(content, options...)), diag.KeyUnusable)
}

// Files of ssh-keygen and openssl are read, and ours by them.
func TestOtherPrograms(t *testing.T) {
	dir := t.TempDir()
	run := func(name string, args ...string) []byte {
		t.Helper()
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("there is no %s", name)
		}
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v", name, args, err)
		}
		return out
	}
	read := func(name string) []byte {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	agree := func(private, public []byte, passphrase func() ([]byte, error)) {
		t.Helper()
		key, err := ParsePrivateKey(private, passphrase)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := ParsePublicKeys(public)
		if err != nil || len(keys) != 1 || !keys[0].Key.Equal(key.Public().Key) {
			t.Errorf("%v, %v", keys, err)
		}
	}
	secret := func() ([]byte, error) { return []byte("open sesame"), nil }
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "plain")
	agree(read("plain"), read("plain.pub"), noPassphrase(t))
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", "protected")
	agree(read("protected"), read("protected.pub"), secret)
	run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", "other")
	_, err := ParsePrivateKey(read("other"), noPassphrase(t))
	wantCode(t, err, diag.KeyUnusable)
	_, err = ParsePublicKeys(read("other.pub"))
	wantCode(t, err, diag.KeyUnusable)

	files := keyFiles(t)
	if err := os.WriteFile(filepath.Join(dir, "ours"), files["private protected"], 0o600); err != nil {
		t.Fatal(err)
	}
	line := run("ssh-keygen", "-y", "-P", "open sesame", "-f", "ours")
	agree(files["private protected"], line, secret)

	run("openssl", "genpkey", "-algorithm", "ed25519", "-out", "pem")
	agree(read("pem"), run("openssl", "pkey", "-in", "pem", "-pubout"), noPassphrase(t))
	public := run("openssl", "pkey", "-in", "pem", "-pubout")
	for _, options := range [][]string{{"-v2", "aes256"}, {"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"}, {"-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512"}} {
		protected := run("openssl", append([]string{"pkcs8", "-topk8", "-in", "pem", "-passout", "pass:open sesame"}, options...)...)
		agree(protected, public, secret)
		_, err := ParsePrivateKey(protected, func() ([]byte, error) { return []byte("wrong"), nil })
		wantCode(t, err, diag.KeyUnusable)
	}
	_, err = ParsePrivateKey(run("openssl", "pkcs8", "-topk8", "-in", "pem", "-passout", "pass:open sesame", "-v2", "aes256", "-iter", "1000001"), secret)
	wantCode(t, err, diag.KeyUnusable)
	_, err = ParsePrivateKey(run("openssl", "pkcs8", "-topk8", "-in", "pem", "-passout", "pass:open sesame", "-v2", "des3"), secret)
	wantCode(t, err, diag.KeyUnusable)
	der := run("openssl", "pkey", "-in", "pem", "-outform", "DER")
	agree(der, run("openssl", "pkey", "-in", "pem", "-pubout", "-outform", "DER"), noPassphrase(t))
}

// The lines of several keys, with comments and keys of other kinds between.
func TestSeveralKeys(t *testing.T) {
	v := readVectors(t)
	var file bytes.Buffer
	file.WriteString("# who may sign\n")
	for _, name := range []string{"a", "b"} {
		line, err := EncodePublic(v.public(t, name)[0], OpenSSH, name)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(line)
		file.WriteString("\necdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHzvnrYFFFBLBVQ3tyBLDYlMHgXp0pCMDqnDXWzTfXzhqD5GJ5Ps/pdcAeX9NgEjEAzQ5nRMPPEkVSqhVoTCJFE= other\n")
	}
	keys, err := ParsePublicKeys(file.Bytes())
	if err != nil || len(keys) != 2 {
		t.Errorf("%v, %v", keys, err)
	}
}

func TestBadKeys(t *testing.T) {
	files := keyFiles(t)
	halves := bytes.Clone(files["private raw"])
	halves[40] ^= 1
	_, err := ParsePrivateKey(halves, noPassphrase(t))
	wantCode(t, err, diag.KeyUnusable)
	for _, bad := range [][]byte{nil, []byte("hello"), make([]byte, maxKeyFileBytes+1), []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")} {
		_, err := ParsePublicKeys(bad)
		wantCode(t, err, diag.KeyUnusable)
		_, err = ParsePrivateKey(bad, noPassphrase(t))
		wantCode(t, err, diag.KeyUnusable)
	}
	for _, point := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			key := bytes.Clone(point)
			key[31] |= sign
			_, err := ParsePublicKeys(append([]byte{rawPublic}, key...))
			wantCode(t, err, diag.KeyUnusable)
		}
	}
}

// The keys that are refused are those for which a signature without a secret is
// right for one message of a few.
func TestSmallOrder(t *testing.T) {
	forged := make([]byte, ed25519.SignatureSize)
	forged[0] = 1 // R is the neutral element, S nothing
	for _, point := range smallOrder {
		passes := false
		for i := range 200 {
			passes = passes || ed25519.Verify(point, fmt.Appendf(nil, "message %d", i), forged)
		}
		if !passes {
			t.Errorf("%x", point)
		}
	}
}

// No way to print a key shows the secret.
func TestSecretDoesNotShow(t *testing.T) {
	key := readVectors(t).private(t, "a")
	holder := struct {
		Key    PrivateKey
		hidden PrivateKey
	}{key, key}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", key, &key, holder)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("signed", "key", key, "holder", holder)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("signed", "key", key, "holder", holder)
	if _, err := json.Marshal(key); err == nil {
		t.Error("a key became JSON")
	}
	seed := key.secret().Seed()
	for _, form := range []string{string(seed), hex.EncodeToString(seed), "0 1 2 3 4 5 6 7 8", strings.ToUpper(hex.EncodeToString(seed))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret shows in\n%s", out.String())
		}
	}
	if !strings.Contains(out.String(), hex.EncodeToString(key.ID)) {
		t.Error("the key does not show its identifier")
	}
}

// pkcs8 is the key a of the vectors under the passphrase "open sesame".
const pkcs8 = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGaMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAiXbS8KUHK4FAIBATAM
BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQUos/fFRCUacvykPFJawHyARA+fuS
WWbwowqpswMIEffA+DE9yFudxClxpUUBkoiEH7tI6shdAk7trntpjtECdpgn2+xk
l+Im1Iv3q/kPwQbjvw==
-----END ENCRYPTED PRIVATE KEY-----
`

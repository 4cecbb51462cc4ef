package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
)

// vectors is testdata/vectors.json, which testdata/vectors.mjs writes.
type vectors struct {
	Keys map[string]struct {
		Seed, ID   string
		RawPrivate string `json:"raw_private"`
		RawPublic  string `json:"raw_public"`
	}
	Modules []vector
}

type vector struct {
	Name    string
	Signers []string
	// IDs are the identifiers that the signatures have, if not those of the keys.
	IDs                       []string
	Module, Signature, Signed string
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v vectors) named(t testing.TB, name string) vector {
	t.Helper()
	i := slices.IndexFunc(v.Modules, func(m vector) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("there is no vector %q", name)
	}
	return v.Modules[i]
}

func (v vectors) private(t testing.TB, name string) PrivateKey {
	t.Helper()
	key, err := ParsePrivateKey(mustHex(v.Keys[name].RawPrivate), noPassphrase(t))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (v vectors) public(t testing.TB, names ...string) []PublicKey {
	t.Helper()
	var keys []PublicKey
	for _, name := range names {
		key, err := ParsePublicKeys(mustHex(v.Keys[name].RawPublic))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key...)
	}
	return keys
}

// noPassphrase is for files that need none.
func noPassphrase(t testing.TB) func() ([]byte, error) {
	return func() ([]byte, error) {
		t.Error("asked for a passphrase")
		return nil, errors.New("there is none")
	}
}

// module is a small module of one type and a note.
func module(note string) []byte {
	m := append([]byte(wasm.Header), 1, 4, 1, 0x60, 0, 0)
	return wasm.AppendCustom(m, wasm.Custom{Name: "note", Bytes: []byte(note)})
}

func codeOf(err error) diag.Code {
	d, _ := errors.AsType[diag.Diagnostic](err)
	return d.Code
}

func wantCode(t *testing.T, err error, code diag.Code) {
	t.Helper()
	if codeOf(err) != code {
		t.Errorf("error %v, want one with %s", err, code)
	}
}

func names(keys []PublicKey) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.String())
	}
	return out
}

// TestVectors makes the signed modules of testdata/vectors.mjs, byte for byte, and
// verifies them.
func TestVectors(t *testing.T) {
	v := readVectors(t)
	all := v.public(t, "a", "b")
	for _, c := range v.Modules {
		t.Run(c.Name, func(t *testing.T) {
			bare := mustHex(c.Module)
			signed := bare
			var detached []byte
			for i, name := range c.Signers {
				key := v.private(t, name)
				if c.IDs != nil {
					key.ID = mustHex(c.IDs[i])
				}
				var err, err2 error
				signed, err = Sign(signed, key)
				detached, err2 = SignDetached(bare, detached, key)
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
			}
			if hex.EncodeToString(signed) != c.Signed || hex.EncodeToString(detached) != c.Signature {
				t.Errorf("embedded\n%x, want\n%s\ndetached\n%x, want\n%s", signed, c.Signed, detached, c.Signature)
			}
			keys := all
			if c.IDs != nil { // a key that has another identifier is not compared
				keys = v.public(t, c.Signers...)
				for i := range keys {
					keys[i].ID = mustHex(c.IDs[i])
				}
			}
			want := c.IDs
			if want == nil {
				want = names(v.public(t, c.Signers...))
			}
			signers, err := Verify(mustHex(c.Signed), keys)
			if err != nil || !slices.Equal(names(signers), want) {
				t.Errorf("signed by %v, %v; want %v", signers, err, want)
			}
			signers, err = VerifyDetached(bare, mustHex(c.Signature), keys)
			if err != nil || !slices.Equal(names(signers), want) {
				t.Errorf("detached: signed by %v, %v; want %v", signers, err, want)
			}
		})
	}
	for name, k := range v.Keys {
		if got := v.public(t, name)[0].String(); got != k.ID {
			t.Errorf("key %s has the identifier %s, want %s", name, got, k.ID)
		}
	}
}

// TestVectorsAreFresh runs what wrote the vectors.
func TestVectorsAreFresh(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	got, err := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "vectors.mjs")).Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("testdata/vectors.json is not what testdata/vectors.mjs writes")
	}
}

// TestEveryBit flips each bit of signed modules: none may pass.
func TestEveryBit(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Modules {
		if c.IDs != nil || len(c.Signers) > 1 {
			continue
		}
		keys := v.public(t, "a", "b")
		signed, bare, detached := mustHex(c.Signed), mustHex(c.Module), mustHex(c.Signature)
		for bit := range len(signed) * 8 {
			flipped := bytes.Clone(signed)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, err := Verify(flipped, keys); codeOf(err) == "" {
				t.Errorf("%s: bit %d of byte %d: %v", c.Name, bit%8, bit/8, err)
			}
		}
		for bit := range len(detached) * 8 {
			flipped := bytes.Clone(detached)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, err := VerifyDetached(bare, flipped, keys); codeOf(err) == "" {
				t.Errorf("%s: detached: bit %d of byte %d: %v", c.Name, bit%8, bit/8, err)
			}
		}
	}
}

// A flipped bit in the record of one of several signers takes that signer away
// at least, and fails the module where the record still names the key.
func TestEveryBitOfSeveralSigners(t *testing.T) {
	v := readVectors(t)
	signed, keys := mustHex(v.named(t, "two signers").Signed), v.public(t, "a", "b")
	for bit := range len(signed) * 8 {
		flipped := bytes.Clone(signed)
		flipped[bit/8] ^= 1 << (bit % 8)
		if signers, err := Verify(flipped, keys); err == nil && len(signers) > 1 {
			t.Errorf("bit %d of byte %d: signed by %v", bit%8, bit/8, signers)
		}
	}
}

func TestRefusals(t *testing.T) {
	v := readVectors(t)
	a, b := v.private(t, "a"), v.private(t, "b")
	keyA, keyB := v.public(t, "a"), v.public(t, "b")
	signed := mustSign(t, module("one"), a)

	_, err := Verify(module("one"), keyA)
	wantCode(t, err, diag.NotSigned)
	_, err = Verify(signed, keyB)
	wantCode(t, err, diag.SignerUnknown)
	_, err = Verify(signed, nil)
	wantCode(t, err, diag.SignerUnknown)
	_, err = Verify([]byte("no module"), keyA)
	wantCode(t, err, diag.ModuleMalformed)
	_, _, err = detach(module("one"))
	wantCode(t, err, diag.NotSigned)

	_, detached, err := detach(signed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = attach(signed, detached)
	wantCode(t, err, diag.SignatureMalformed)
	_, err = attach(module("one"), detached[:50])
	wantCode(t, err, diag.SignatureMalformed)
	_, err = SignDetached(signed, nil, b)
	wantCode(t, err, diag.SignatureMalformed)
	_, err = VerifyDetached(signed, detached, keyA)
	wantCode(t, err, diag.SignatureMalformed)
	_, err = VerifyDetached(module("other"), detached, keyA)
	wantCode(t, err, diag.SignatureInvalid)

	// A key that takes the identifier of another one, and signs in its name.
	b.ID = a.ID
	forged := mustSign(t, module("one"), b)
	_, err = Verify(forged, keyA)
	wantCode(t, err, diag.SignatureInvalid)

	late := wasm.AppendCustom(module("one"), wasm.Custom{Name: sectionName, Bytes: detached})
	_, err = Sign(late, a)
	wantCode(t, err, diag.SignatureMalformed)
	_, err = Verify(late, keyA)
	wantCode(t, err, diag.NotSigned)
	_, err = Sign(module("one"), PrivateKey{})
	wantCode(t, err, diag.KeyUnusable)
	_, err = Sign(append(module("one"), 1, 200), a)
	wantCode(t, err, diag.ModuleMalformed)
}

// A module that was signed, changed, and signed again by another key carries
// both signatures; only the second one is about what it is now.
func TestSignedAgainAfterChange(t *testing.T) {
	v := readVectors(t)
	_, outdated, err := detach(mustSign(t, module("one"), v.private(t, "a")))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := attach(module("two"), outdated)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Verify(changed, v.public(t, "a", "b"))
	wantCode(t, err, diag.SignatureInvalid)

	again := mustSign(t, changed, v.private(t, "b"))
	signers, err := Verify(again, v.public(t, "a", "b"))
	if err != nil || !slices.Equal(names(signers), names(v.public(t, "b"))) {
		t.Errorf("signed by %v, %v", signers, err)
	}
	claims, err := Claims(again)
	if err != nil || len(claims) != 2 || claims[0].Current || !claims[1].Current {
		t.Errorf("claims %v, %v", claims, err)
	}
}

// A signature of all parts is right for the first part too by the rules of
// partial verification, but the first part alone is not the module.
func TestCutOff(t *testing.T) {
	v := readVectors(t)
	two := v.named(t, "two parts, the last one open")
	bare := mustHex(two.Module)
	end := bytes.Index(bare, []byte("0123456789abcdef")) + 16
	_, err := VerifyDetached(bare[:end], mustHex(two.Signature), v.public(t, "a"))
	wantCode(t, err, diag.SignatureInvalid)
}

// Signing is done once for a key, and taking signatures off gives the module
// that was signed.
func TestRoundTrip(t *testing.T) {
	v := readVectors(t)
	bare := module("one")
	once := mustSign(t, bare, v.private(t, "a"))
	if twice := mustSign(t, once, v.private(t, "a")); !bytes.Equal(once, twice) {
		t.Error("signing again changed the module")
	}
	both := mustSign(t, once, v.private(t, "b"))
	stripped, err := strip(both)
	if err != nil || !bytes.Equal(stripped, bare) {
		t.Errorf("stripped %x, %v", stripped, err)
	}
	if stripped, err = strip(bare); err != nil || !bytes.Equal(stripped, bare) {
		t.Errorf("stripped %x, %v", stripped, err)
	}
	for _, m := range [][]byte{bare, once, both} {
		if got, err := ContentDigest(m); err != nil || got != sha256.Sum256(bare) {
			t.Errorf("content %x, %v", got, err)
		}
	}
	rest, detached, err := detach(both)
	if err != nil || !bytes.Equal(rest, bare) {
		t.Fatalf("detached from %x, %v", rest, err)
	}
	if attached, err := attach(rest, detached); err != nil || !bytes.Equal(attached, both) {
		t.Errorf("attached %x, %v", attached, err)
	}
}

// Keys that nobody knows are named in few words, whatever signatures say of themselves.
func TestNamed(t *testing.T) {
	sets := []hashSet{{hashes: mustHashes(t, module("one"))}}
	for i := range 6 {
		sets[0].records = append(sets[0].records, newRecord(bytes.Repeat([]byte{byte(i + 1)}, 12+10_000*(i%2)), make([]byte, ed25519.SignatureSize)))
	}
	signed, err := attach(module("one"), encode(sets))
	if err != nil {
		t.Fatal(err)
	}
	want := "; its signatures name the keys 010101010101010101010101, " + strings.Repeat("02", 32) + "…, 030303030303030303030303, " + strings.Repeat("04", 32) + "…, others"
	if got := Named(signed); got != want {
		t.Errorf("%.300s", got)
	}
	for _, none := range [][]byte{module("one"), []byte("no module"), nil} {
		if got := Named(none); got != "" {
			t.Errorf("%q names %q", none, got)
		}
	}
}

// Records of algorithms that are not known stay, and harm nobody.
func TestUnknownAlgorithm(t *testing.T) {
	v := readVectors(t)
	a := v.private(t, "a")
	sets := []hashSet{{hashes: mustHashes(t, module("one"))}}
	unknown := record{raw: []byte{2, 'i', 'd', 9, 3, 1, 2, 3}}
	sets[0].records = []record{unknown}
	signed, err := attach(module("one"), encode(sets))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Verify(signed, v.public(t, "a"))
	wantCode(t, err, diag.SignerUnknown)
	signed = mustSign(t, signed, a)
	if signers, err := Verify(signed, v.public(t, "a")); err != nil || len(signers) != 1 {
		t.Errorf("signed by %v, %v", signers, err)
	}
	if !bytes.Contains(signed, unknown.raw) {
		t.Error("the unknown record is gone")
	}
}

// What is read has bounds, and so has the work for it.
func TestBounds(t *testing.T) {
	v := readVectors(t)
	a := v.private(t, "a")
	hashes := mustHashes(t, module("one"))
	junk := newRecord(nil, make([]byte, ed25519.SignatureSize))
	records := slices.Repeat([]record{junk}, maxRecords)
	full := encode([]hashSet{{hashes, records}})
	keys := slices.Repeat(v.public(t, "b"), maxAttempts/maxRecords+1)
	_, err := VerifyDetached(module("one"), full, keys)
	wantCode(t, err, diag.SignatureMalformed)
	_, err = SignDetached(module("one"), full, a)
	wantCode(t, err, diag.SignatureMalformed)

	for _, sets := range [][]hashSet{
		slices.Repeat([]hashSet{{hashes, nil}}, maxHashes+1),
		{{slices.Repeat(hashes, maxHashes+1), nil}},
		{{hashes, records}, {hashes, records[:1]}},
		{{hashes, []record{{raw: make([]byte, maxPayloadBytes)}}}},
	} {
		_, err := decode(encode(sets))
		wantCode(t, err, diag.SignatureMalformed)
	}

	parts := []byte(wasm.Header)
	for range maxHashes {
		parts = wasm.AppendCustom(parts, wasm.Custom{Name: delimiterName, Bytes: make([]byte, 16)})
	}
	_, err = Sign(parts, a)
	wantCode(t, err, diag.ModuleLimit)
}

func mustSign(t testing.TB, module []byte, key PrivateKey) []byte {
	t.Helper()
	signed, err := Sign(module, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func mustHashes(t testing.TB, module []byte) [][]byte {
	t.Helper()
	hashes, err := partHashes(module[len(wasm.Header):])
	if err != nil {
		t.Fatal(err)
	}
	return hashes
}

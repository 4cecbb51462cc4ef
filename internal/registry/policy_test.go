package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// TestPolicy decides the cases of testdata/policy.json.
func TestPolicy(t *testing.T) {
	var table struct {
		Signers        map[string]Signer `json:"signers"`
		RevokedKeys    []string          `json:"revoked_keys"`
		RevokedDigests []string          `json:"revoked_digests"`
		Cases          []struct {
			What, Name, Digest, Code, Message string
			Signers, Capabilities             []string
			Limits                            Limits
			Trusted                           bool
			WantLimits                        Limits `json:"want_limits"`
		}
	}
	content, err := os.ReadFile("testdata/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &table); err != nil {
		t.Fatal(err)
	}
	n := newNode(t, Config{})
	ids := map[string]string{"nobody": newSigner(t).key.Public().String()}
	for name, s := range table.Signers {
		s.Name, s.Key = name, newSigner(t).key.Public().Key
		added, _, err := n.PutSigner(t.Context(), s, "")
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = added.KeyID
	}
	for _, name := range table.RevokedKeys {
		if _, err := n.Revoke(t.Context(), RevokeKey, ids[name], "stolen", ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range table.RevokedDigests {
		if _, err := n.Revoke(t.Context(), RevokeDigest, Digest(sha256.Sum256([]byte(text))).String(), "stolen", ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range table.Cases {
		v := &Version{Command: c.Name, Number: 1, Digest: sha256.Sum256([]byte(c.Digest)), Capabilities: c.Capabilities, Limits: c.Limits}
		for _, name := range c.Signers {
			v.Signers = append(v.Signers, ids[name])
		}
		p, err := n.State().permit(v, v.Signers)
		switch {
		case string(codeOf(err)) != c.Code, err != nil && !strings.Contains(err.Error(), c.Message):
			t.Errorf("%s: %v, want %s %s", c.What, err, c.Code, c.Message)
		case p.trusted != c.Trusted || p.limits != c.WantLimits:
			t.Errorf("%s: %+v", c.What, p)
		}
	}
}

// What is compiled already stops to run when its key is revoked, its signer
// taken away, or what the signer may do.
func TestTrustEnds(t *testing.T) {
	key, other := newSigner(t), newSigner(t)
	n := newNode(t, Config{})
	ctx := t.Context()
	module := key.module(t, "r = 1\naddResult(r)")
	_, err := n.Upload(ctx, "order", module, UploadOptions{})
	wantCode(t, err, diag.SignerUnknown)
	put := func(s Signer) {
		t.Helper()
		if _, _, err := n.PutSigner(ctx, s, "ana"); err != nil {
			t.Fatal(err)
		}
	}
	put(key.trust("team"))
	n.mustUpload(t, "order", module)
	n.mustUpload(t, "caller", key.module(t, "r = order()\naddResult(r)"))
	want := func(when, result, nested string) {
		t.Helper()
		if got := n.result(t, "order", 0); got != result {
			t.Errorf("%s: %s, want %s", when, got, result)
		}
		a, err := n.engine.Run(ctx, &engine.Request{Source: "r = order()\naddResult(r)"})
		if got := string(codeOf(err)); err != nil && got != nested || err == nil && string(a.Result) != nested {
			t.Errorf("%s, from a script: %v %v, want %s", when, a, err, nested)
		}
	}
	want("trusted", `{"r":1}`, `{"r":{"r":1}}`)
	less := key.trust("team")
	less.Prefixes = []string{"call"}
	put(less)
	want("for other names", "AVAP5021", "AVAP3012")
	put(key.trust("team"))
	want("again", `{"r":1}`, `{"r":{"r":1}}`)
	if _, err := n.DeleteSigner(ctx, "team", "ana"); err != nil {
		t.Fatal(err)
	}
	want("without the signer", "AVAP5021", "AVAP3012")
	put(key.trust("friends"))
	want("by another name", `{"r":1}`, `{"r":{"r":1}}`)
	put(other.trust("other"))
	if _, err := n.Revoke(ctx, RevokeKey, strings.ToUpper(key.key.Public().String()), "stolen", "ana"); err != nil {
		t.Fatal(err)
	}
	want("revoked", "AVAP5022", "AVAP3012")
	_, _, err = n.PutSigner(ctx, key.trust("team"), "")
	wantCode(t, err, diag.Revoked)
	_, err = n.Upload(ctx, "order", module, UploadOptions{})
	wantCode(t, err, diag.SignerUnknown)
	n.mustUpload(t, "order", other.sign(t, module))
	want("signed by another, too", `{"r":1}`, `{"r":{"r":1}}`)
	if s := n.State().Signers(); len(s) != 2 || !s[0].Revoked || s[1].Revoked {
		t.Errorf("%+v", s)
	}
	if r := revocationsOf(n); len(r) != 1 || r[0].Reason != "stolen" || r[0].By != "ana" {
		t.Errorf("%+v", r)
	}
}

// An execution that is under way finds the versions that there were when it
// began, but those that were revoked meanwhile do not run.
func TestTrustEndsDuringAnExecution(t *testing.T) {
	key := newSigner(t)
	n := newNode(t, Config{Trust: []Signer{key.trust("team")}})
	first := n.mustUpload(t, "order", key.module(t, "r = 1\naddResult(r)"))
	begun := n.Resolver()
	want := func(when, want string) {
		t.Helper()
		a, err := n.engine.Run(t.Context(), &engine.Request{Source: "r = order()\naddResult(r)", Commands: begun})
		if got := string(codeOf(err)); err != nil && got != want || err == nil && string(a.Result) != want {
			t.Errorf("%s: %v %v, want %s", when, a, err, want)
		}
	}
	want("at first", `{"r":{"r":1}}`)
	n.mustUpload(t, "order", key.module(t, "r = 2\naddResult(r)"))
	want("with another version", `{"r":{"r":1}}`)
	if _, err := n.Revoke(t.Context(), RevokeDigest, first.Digest.String(), "wrong", "ana"); err != nil {
		t.Fatal(err)
	}
	want("revoked", "AVAP3012")
}

// Another signature makes a module another file, and the same to run: it is
// revoked with it, also where records are from before that was noted.
func TestRevokedWhoeverSigned(t *testing.T) {
	const source = "r = 1\naddResult(r)"
	key, other := newSigner(t), newSigner(t)
	for _, old := range []bool{false, true} {
		trust := []Signer{key.trust("team"), other.trust("other")}
		n := newNode(t, Config{Trust: trust})
		first := n.mustUpload(t, "order", key.module(t, source))
		again := n.mustUpload(t, "again", other.sign(t, key.module(t, source)))
		if first.Digest == again.Digest || first.Content != again.Content {
			t.Fatalf("%+v, %+v", first, again)
		}
		if old {
			n.forgetContent(t, first, again)
			n = newNode(t, Config{Primary: n.config.Primary, Trust: trust})
		}
		want := func(when, result, nested string) {
			t.Helper()
			if got := n.result(t, "again", 0); got != result {
				t.Errorf("old %v, %s: %s, want %s", old, when, got, result)
			}
			a, err := n.engine.Run(t.Context(), &engine.Request{Source: "r = again()\naddResult(r)"})
			if got := string(codeOf(err)); err != nil && got != nested || err == nil && string(a.Result) != nested {
				t.Errorf("old %v, %s, from a script: %v %v, want %s", old, when, a, err, nested)
			}
		}
		want("at first", `{"r":1}`, `{"r":{"r":1}}`)
		if _, err := n.Revoke(t.Context(), RevokeDigest, first.Digest.String(), "wrong", "ana"); err != nil {
			t.Fatal(err)
		}
		want("revoked", "AVAP5022", "AVAP3012")
		_, err := n.Upload(t.Context(), "third", other.module(t, source), UploadOptions{})
		wantCode(t, err, diag.Revoked)
		if err == nil || !strings.Contains(err.Error(), "this module is revoked") {
			t.Error(err)
		}
	}
}

// That a version of an old record is revoked shows when its artifact has been read,
// though signers and revocations are what they were.
func TestRevokedWhenRead(t *testing.T) {
	key := newSigner(t)
	trust := []Signer{key.trust("team")}
	n := newNode(t, Config{Trust: trust})
	v := n.mustUpload(t, "order", key.module(t, "r = 1\naddResult(r)"))
	n.forgetContent(t, v)
	n = newNode(t, Config{Primary: n.config.Primary, Trust: trust})
	if _, err := n.Revoke(t.Context(), RevokeDigest, v.Content.String(), "wrong", "ana"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.State().Resolve("order", 0); err != nil {
		t.Fatalf("before: %v", err)
	}
	n.contents.Store(v.Digest, v.Content)
	_, err := n.State().Resolve("order", 0)
	wantCode(t, err, diag.Revoked)
}

// forgetContent writes the records of versions as older programs did.
func (n *node) forgetContent(t *testing.T, versions ...*Version) {
	t.Helper()
	var batch store.Batch
	for _, v := range versions {
		old := *v
		old.Content = Digest{}
		batch.Puts = append(batch.Puts, store.Put{Kind: kindVersion, Name: versionName(v.Command, v.Number), Expect: v.revision, Document: documentOf(t, &old)})
	}
	if _, err := n.config.Primary.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

// Of two signers of the configuration with one name or one key, one would be
// passed over without a word.
func TestTrustTwice(t *testing.T) {
	key, other := newSigner(t), newSigner(t)
	for what, list := range map[string][]Signer{
		"name": {key.trust("team"), other.trust("team")},
		"key":  {key.trust("team"), key.trust("friends")},
	} {
		s := openStore(t, filepath.Join(t.TempDir(), "avapd.db"), store.Options{})
		if _, err := New(t.Context(), Config{Primary: s, Engine: newEngine(t, func() *Registry { return nil }), Trust: list}); err == nil {
			t.Errorf("the %s twice is taken", what)
		}
	}
}

// What cannot be the identifier of a key, such as the key itself, is refused: a
// revocation that means nothing would be taken for one.
func TestRevokeNothing(t *testing.T) {
	n := newNode(t, Config{})
	key := newSigner(t).key.Public()
	for _, value := range []string{hex.EncodeToString(key.Key), key.String()[:20], key.String() + "00", "", "no"} {
		wantCode(t, errorOf(n.Revoke(t.Context(), RevokeKey, value, "stolen", "")), diag.BadFieldValue)
	}
	if r := revocationsOf(n); len(r) > 0 {
		t.Errorf("%+v", r)
	}
}

// Limits that are as high as can be bound nothing.
func TestHighLimits(t *testing.T) {
	const most = math.MaxInt64
	c := Limits{most, most, most, most, most}.ceiling()
	if c.Fuel != most || c.Duration < time.Hour || c.MemoryPages != 1<<16 || c.CallDepth < 1<<30 || c.OutputBytes != most {
		t.Errorf("%+v", c)
	}
}

// corrupt gives artifacts as alter leaves them.
type corrupt struct {
	from  store.Store
	alter func([]byte) []byte
}

func (c *corrupt) Artifact(ctx context.Context, digest [32]byte) ([]byte, error) {
	b, err := c.from.Artifact(ctx, digest)
	if err != nil {
		return nil, err
	}
	return c.alter(append([]byte(nil), b...)), nil
}

// A bit that is another one is found wherever it is: in an upload, and in what a
// store gives.
func TestFlippedBits(t *testing.T) {
	key, stranger := newSigner(t), newSigner(t)
	primary := openStore(t, filepath.Join(t.TempDir(), "avapd.db"), store.Options{})
	source := &corrupt{from: primary}
	n := newNode(t, Config{Primary: primary, Artifacts: source, Trust: []Signer{key.trust("team")}})
	module := key.module(t, "r = 1\naddResult(r)")
	for i := range module {
		bad := append([]byte(nil), module...)
		bad[i] ^= 1 << (i % 8)
		if v, err := n.Upload(t.Context(), "order", bad, UploadOptions{}); err == nil {
			t.Fatalf("byte %d: uploaded as %+v", i, v)
		}
	}
	for _, bad := range [][]byte{nil, module[:len(module)-1], append(append([]byte(nil), module...), 0), compiled(t, "r = 1"), stranger.module(t, "r = 1")} {
		if v, err := n.Upload(t.Context(), "order", bad, UploadOptions{}); err == nil {
			t.Errorf("uploaded as %+v", v)
		}
	}
	if _, there := n.State().Command("order"); there {
		t.Fatal("there is a command")
	}
	n.mustUpload(t, "order", module)
	// Another engine has nothing compiled.
	for i := 0; i < len(module); i += len(module) / 4 {
		source.alter = func(b []byte) []byte {
			b[i] ^= 1 << (i % 8)
			return b
		}
		again := newNode(t, Config{Primary: primary, Artifacts: source, Trust: []Signer{key.trust("team")}})
		if got := again.result(t, "order", 0); got != string(diag.ArtifactDamaged) {
			t.Fatalf("byte %d: %s", i, got)
		}
	}
	source.alter = func([]byte) []byte { return stranger.module(t, "r = 2\naddResult(r)") }
	again := newNode(t, Config{Primary: primary, Artifacts: source, Trust: []Signer{key.trust("team")}})
	if got := again.result(t, "order", 0); got != string(diag.ArtifactDamaged) {
		t.Fatal(got)
	}
}

// A signer who is not trusted with the compiler any more when the artifact comes
// makes nothing run that counts its own fuel.
func TestTrustEndsWhileLoading(t *testing.T) {
	key := newSigner(t)
	primary := openStore(t, filepath.Join(t.TempDir(), "avapd.db"), store.Options{})
	n := newNode(t, Config{Primary: primary})
	if _, _, err := n.PutSigner(t.Context(), key.trust("team"), ""); err != nil {
		t.Fatal(err)
	}
	n.mustUpload(t, "order", key.module(t, "r = 1\naddResult(r)"))
	source := &corrupt{from: primary}
	again := newNode(t, Config{Primary: primary, Artifacts: source})
	source.alter = func(b []byte) []byte {
		less := key.trust("team")
		less.TrustedCompiler = false
		if _, _, err := again.PutSigner(t.Context(), less, ""); err != nil {
			t.Error(err)
		}
		return b
	}
	if got := again.result(t, "order", 0); got != string(diag.PolicyRefused) {
		t.Error(got)
	}
}

// Modules that no trusted compiler made pass the gate and are metered.
func TestForeignModules(t *testing.T) {
	key := newSigner(t)
	trust := key.trust("strangers")
	trust.TrustedCompiler = false
	n := newNode(t, Config{Trust: []Signer{trust}})
	module, err := os.ReadFile("../../wasmhost/testdata/foreign/endless_loop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	n.mustUpload(t, "endless", key.sign(t, withManifest(t, module)))
	_, err = n.Execute(t.Context(), "endless", 0, &engine.Request{Limits: engine.Limits{Fuel: 1_000_000}})
	wantCode(t, err, diag.OutOfFuel)
	// What has fuel of its own could lie about it.
	_, err = n.Upload(t.Context(), "ours", key.module(t, "r = 1"), UploadOptions{})
	list, ok := errors.AsType[diag.List](err)
	if !ok || list[0].Code != diag.ModuleExport {
		t.Error(err)
	}
}

// A trusted compiler's word is about fuel: what a module may do is what it
// imports, and its manifest must say the same.
func TestForgedCapabilities(t *testing.T) {
	key := newSigner(t)
	trust := key.trust("team")
	trust.Capabilities = nil
	n := newNode(t, Config{Trust: []Signer{trust}})
	honest := compiled(t, "r = other()\naddResult(r)")
	_, err := n.Upload(t.Context(), "order", key.sign(t, honest), UploadOptions{})
	wantCode(t, err, diag.PolicyRefused)
	b, err := wasm.Decode(honest)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(b.Customs, func(c wasm.CustomSection) bool { return c.Name == abi.ManifestSection })
	var manifest abi.Manifest
	if err := json.Unmarshal(b.Customs[at].Bytes, &manifest); err != nil {
		t.Fatal(err)
	}
	manifest.Capabilities = nil
	if b.Customs[at].Bytes, err = json.Marshal(manifest); err != nil {
		t.Fatal(err)
	}
	v, err := n.Upload(t.Context(), "order", key.sign(t, b.Encode()), UploadOptions{})
	if list, ok := errors.AsType[diag.List](err); !ok || list[0].Code != diag.ModuleManifest {
		t.Errorf("%+v, %v", v, err)
	}
}

func withManifest(t *testing.T, module []byte) []byte {
	t.Helper()
	manifest := abi.Manifest{
		Format: abi.ManifestFormat, ABI: abi.Version, Globals: []string{}, DataEnd: abi.ScriptBase,
		Files: []string{"foreign"}, Sites: []abi.SourceSite{{}, {Line: 1, Column: 1}}, Functions: []string{""},
	}
	section, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return wasm.AppendCustom(module, wasm.Custom{Name: abi.ManifestSection, Bytes: section})
}

// Limits of a version and of its signer cut those of a request.
func TestLimitsOfCommands(t *testing.T) {
	key := newSigner(t)
	trust := key.trust("team")
	trust.Limits = Limits{Fuel: 100_000}
	n := newNode(t, Config{Trust: []Signer{trust}})
	module := key.module(t, "startLoop(i, 0, 50000)\nx = i\nendLoop()\naddResult(x)")
	v, err := n.Upload(t.Context(), "loop", module, UploadOptions{Limits: Limits{Fuel: 50_000}, Activate: true})
	if err != nil || v.Limits.Fuel != 50_000 {
		t.Fatal(v, err)
	}
	_, err = n.Execute(t.Context(), "loop", 0, &engine.Request{Limits: engine.Limits{Fuel: 1_000_000_000}})
	failure, _ := errors.AsType[*diag.Failure](err)
	if failure == nil || failure.Code != diag.OutOfFuel || failure.Usage.FuelUsed > 50_000 {
		t.Error(err)
	}
	// They hold for scripts that call the command as well.
	_, err = n.engine.Run(t.Context(), &engine.Request{Source: "try()\nx = loop()\nexception(e)\nend()"})
	if failure, _ := errors.AsType[*diag.Failure](err); failure == nil || failure.Code != diag.OutOfFuel || !strings.Contains(failure.Message, "the command loop is limited to 50000 units of fuel") {
		t.Error(err)
	}
	n.mustUpload(t, "open", module)
	if _, err = n.engine.Run(t.Context(), &engine.Request{Source: "open()"}); !strings.Contains(fmt.Sprint(err), "the command open is limited to 100000 units") {
		t.Error(err)
	}
	_, err = n.Upload(t.Context(), "loop", module, UploadOptions{Limits: Limits{Fuel: 200_000}})
	wantCode(t, err, diag.PolicyRefused)
	_, err = n.Upload(t.Context(), "loop", module, UploadOptions{Limits: Limits{TimeMS: -1}})
	wantCode(t, err, diag.BadFieldValue)
}

// Two who add the same key at the same time do not both come to have it.
func TestKeyHasOneSigner(t *testing.T) {
	p, key := newPair(t), newSigner(t)
	one, other := newNode(t, Config{Primary: p.primary}), newNode(t, Config{Primary: p.primary})
	if _, _, err := one.PutSigner(t.Context(), key.trust("ana"), ""); err != nil {
		t.Fatal(err)
	}
	// The other has not heard of it.
	_, _, err := other.PutSigner(t.Context(), key.trust("ben"), "")
	wantCode(t, err, diag.Conflict)
	if s := other.State(); len(s.Signers()) != 1 || !s.matches() {
		t.Errorf("%+v", s.Signers())
	}
	// A key that was given up can be another's.
	changed := newSigner(t).trust("ana")
	if _, _, err := one.PutSigner(t.Context(), changed, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := one.PutSigner(t.Context(), key.trust("ben"), ""); err != nil {
		t.Error(err)
	}
	wantCode(t, errorOf(one.DeleteSigner(t.Context(), "ben", "")), "")
	if _, _, err := one.PutSigner(t.Context(), key.trust("cora"), ""); err != nil {
		t.Error(err)
	}
}

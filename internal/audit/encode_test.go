package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/signature"
)

var update = flag.Bool("update", false, "write the golden files anew")

// vector is a record with its bytes and the hash of its chain.
type vector struct {
	Record Record `json:"record"`
	Body   string `json:"body"`
	Hash   Hash   `json:"hash"`
}

// vectors is a chain for those who write another verifier.
type vectors struct {
	PrivateKey string     `json:"private_key_pem"`
	PublicKey  string     `json:"public_key"`
	Node       string     `json:"node"`
	Genesis    Hash       `json:"genesis"`
	Records    []vector   `json:"records"`
	Checkpoint Checkpoint `json:"checkpoint"`
	Message    string     `json:"checkpoint_message"`
	Cut        Checkpoint `json:"cut"`
}

// The bytes of records, hashes and checkpoints are as they always were: logs that
// exist must verify.
func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.json")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(content, &want); err != nil {
		t.Fatal(err)
	}
	got := makeVectors(t, want.PrivateKey)
	if *update {
		content, err := json.MarshalIndent(got, "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(content, 10), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if !got.Checkpoint.holds(keyOf(t, want.PrivateKey).Public().Key) {
		t.Error("the checkpoint does not hold")
	}
}

func keyOf(t *testing.T, pem string) signature.PrivateKey {
	t.Helper()
	key, err := signature.ParsePrivateKey([]byte(pem), nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func makeVectors(t *testing.T, pem string) vectors {
	t.Helper()
	key := keyOf(t, pem)
	public := key.Public().Key
	w := chainWriter{hash: genesis(public)}
	v := vectors{PrivateKey: pem, PublicKey: hex.EncodeToString(public), Node: NodeOf(public), Genesis: w.hash}
	for _, r := range vectorRecords() {
		r.settle()
		w.append(r.Time.UnixMicro(), appendContent(nil, &r))
		body := bytes.Clone(w.link[hashBytes:])
		back, err := decodeBody(body)
		if err != nil {
			t.Fatal(err)
		}
		v.Records = append(v.Records, vector{back, hex.EncodeToString(body), w.hash})
	}
	v.Checkpoint = Checkpoint{Kind: checkpointKind, Node: v.Node, Sequence: w.last, Time: time.UnixMicro(1_767_225_600_000_003), Hash: w.hash, Bytes: w.total}
	v.Checkpoint.sign(key)
	v.Message = hex.EncodeToString(v.Checkpoint.message())
	v.Cut = v.Checkpoint
	v.Cut.Kind = cutKind
	v.Cut.sign(key)
	return v
}

func vectorRecords() []Record {
	at := time.UnixMicro(1_767_225_600_000_000)
	return []Record{
		{Time: at, Kind: Start, Principal: Server, Detail: "version 1"},
		{
			Time: at.Add(300 * time.Microsecond), Kind: Execution, Principal: "key:shop", Address: netip.MustParseAddr("2001:db8::7"), RequestID: "r-1",
			ExecutionID: ID{1, 2, 3, 15: 255}, TraceID: ID{15: 1}, Action: "execute", Target: "greet", Version: 3, Digest: Digest{0xab, 31: 1},
			Capabilities: []string{"http", "sql"}, Outcome: "limit_fuel", Status: 422, Code: "AVAP4001", Fuel: 1_000_000_007, MemoryBytes: 1 << 20,
			DurationUS: 1234, InputDigest: Digest{31: 9}, Input: `{"name":"Ána"}`, Count: 1,
		},
		{Time: at.Add(-time.Second), Kind: Denied, Principal: "anonymous", Status: 401, Count: 7}, // a clock that went back
	}
}

// What is decoded is what was encoded, byte by byte: nothing can be written in two
// ways.
func FuzzDecodeBody(f *testing.F) {
	for _, r := range vectorRecords() {
		r.settle()
		f.Add(appendBody(nil, &r))
	}
	f.Add([]byte{})
	f.Add([]byte{0x81, 0x00}) // one, in more bytes than it needs
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decodeBody(body)
		if err != nil {
			return
		}
		if again := appendBody(nil, &r); !bytes.Equal(again, body) {
			t.Errorf("%x became %x", body, again)
		}
	})
}

// Lines of an export that anybody may have written do not end the program.
func FuzzVerifyExport(f *testing.F) {
	f.Add(`{"type":"chain","node":"x","key":"00"}` + "\n" + `{"type":"record","node":"x","sequence":1}`)
	f.Add(`{"type":"checkpoint"}`)
	f.Fuzz(func(t *testing.T, text string) {
		report, err := VerifyExport(strings.NewReader(text), VerifyOptions{})
		if err == nil && report.OK && len(report.Chains) > 0 && report.Chains[0].Records > 0 {
			t.Skip("a right one")
		}
	})
}

// A text is cut where a character ends.
func TestClean(t *testing.T) {
	for _, c := range []struct {
		text, want string
		most       int
	}{
		{"abc", "abc", 3}, {"abcd", "abc", 3}, {"aéb", "aé", 3}, {"abé", "ab", 3}, {"a\xffb", "a?b", 3}, {"\x80\x80\x80\x80\x80\x80\x80\x80", "?", 6}, {"", "", 3},
	} {
		if got := clean(c.text, c.most); got != c.want {
			t.Errorf("%q cut to %d is %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

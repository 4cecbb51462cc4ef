package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/bits"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/server"
)

// attack is a script that means harm, as testdata/hostile tells it: the prose
// says what it tries, attack.avap is the script, want what becomes of it. A
// file named "repeated N" stands for {{repeated}} in the script, N times; in
// "numbered N" each # is the number of the repetition.
type attack struct {
	script  string
	request map[string]any
	// statuses are those that may come; code and result must, if given.
	statuses     []int
	code, result string
}

// hostileTime bounds an answer. It is less than the time limit of the server
// under attack, so that no script gets as far as that. The longest of them asks
// for three seconds itself; the rest is for the race detector, and for machines
// that do something else besides.
func hostileTime() time.Duration {
	if raceDetector {
		return 30 * time.Second
	}
	return 10 * time.Second
}

// TestHostileScripts attacks a server over HTTP with every script of
// testdata/hostile, each several times at once. Each must get its answer in
// bounded time, a harmless request in between its own, and when all is over
// the memory must be as it was.
func TestHostileScripts(t *testing.T) {
	target, e := startTarget(t)
	attacks := readAttacks(t)
	if len(attacks) < 40 {
		t.Fatalf("only %d attacks", len(attacks))
	}
	harmless(t, target)
	before := resident(t)
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		t.Run(name, func(t *testing.T) {
			body := attacks[name].body(t)
			answers := make(chan error, 2)
			for range cap(answers) {
				go func() { answers <- attacks[name].strike(target, body) }()
			}
			for range cap(answers) {
				if err := <-answers; err != nil {
					t.Error(err)
				}
			}
			harmless(t, target)
		})
	}
	after, cached := resident(t), e.Stats().Cache.Bytes
	t.Logf("resident memory: %d MiB before, %d MiB after, of which %d MiB are compiled scripts", before>>20, after>>20, cached>>20)
	if after > before+cached+residentSlack() {
		t.Errorf("resident memory was %d MiB and is %d MiB, and only %d MiB are compiled scripts", before>>20, after>>20, cached>>20)
	}
}

// residentSlack is what may stay besides the compiled scripts in the cache: idle
// guest memories, and what the runtime keeps for itself. The race detector keeps
// a shadow of all memory that ever was.
func residentSlack() int64 {
	if raceDetector {
		return 1 << 30
	}
	return 32 << 20
}

// startTarget serves as `avap serve` would, with lower limits, in this process,
// whose memory can then be looked at.
func startTarget(t *testing.T) (*Server, *engine.Engine) {
	t.Helper()
	c := config.Default()
	c.DataDir = t.TempDir()
	c.Limits.Fuel, c.Limits.TimeMS, c.LimitsMax.TimeMS = 200_000_000, 60_000, 60_000
	e := newEngine(t, server.EngineConfig(c))
	s := server.New(server.Options{Config: c, Engine: e, Log: slog.New(slog.DiscardHandler)})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &Server{URL: "http://" + listener.Addr().String(), client: &http.Client{Timeout: 2 * hostileTime()}}, e
}

func readAttacks(t *testing.T) map[string]*attack {
	t.Helper()
	files, err := filepath.Glob("../../testdata/hostile/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	attacks := make(map[string]*attack)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		a := &attack{request: map[string]any{}}
		if err := a.read(archive); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		attacks[strings.TrimSuffix(filepath.Base(file), ".txtar")] = a
	}
	return attacks
}

func (a *attack) read(archive *txtar.Archive) error {
	repeated := ""
	for _, f := range archive.Files {
		name, text := f.Name, strings.TrimSuffix(string(f.Data), "\n")
		kind, number, _ := strings.Cut(name, " ")
		n, _ := strconv.Atoi(number)
		switch kind {
		case "attack.avap":
			a.script = text
		case "request.json":
			if err := json.Unmarshal(f.Data, &a.request); err != nil {
				return err
			}
		case "deep":
			a.request["deep"] = json.RawMessage(strings.Repeat("[", n) + strings.Repeat("]", n))
		case "digits":
			a.request["n"] = json.RawMessage(strings.Repeat("7", n))
		case "repeated":
			repeated = strings.Repeat(strings.TrimPrefix(text, "|")+lineEnd(f.Data, text), n)
		case "numbered":
			for i := range n {
				repeated += strings.ReplaceAll(string(f.Data), "#", strconv.Itoa(i))
			}
		case "want":
			if err := a.expect(text); err != nil {
				return err
			}
		default:
			return fmt.Errorf("the file %q means nothing", name)
		}
	}
	a.script = strings.ReplaceAll(a.script, "{{repeated}}", repeated)
	return nil
}

// lineEnd is the line's end of a repeated text; one that starts with | is
// repeated within its line.
func lineEnd(data []byte, text string) string {
	if strings.HasPrefix(text, "|") {
		return ""
	}
	return strings.TrimPrefix(string(data), text)
}

var expectation = regexp.MustCompile(`^((?:\d{3} ?)+)(AVAP\d{4})?(\{.*\})?$`)

func (a *attack) expect(text string) error {
	parts := expectation.FindStringSubmatch(text)
	if parts == nil {
		return fmt.Errorf("the expectation %q is none", text)
	}
	for status := range strings.FieldsSeq(parts[1]) {
		n, err := strconv.Atoi(status)
		if err != nil {
			return err
		}
		a.statuses = append(a.statuses, n)
	}
	a.code, a.result = parts[2], parts[3]
	return nil
}

func (a *attack) body(t *testing.T) []byte {
	t.Helper()
	a.request["script"] = a.script
	body, err := json.Marshal(a.request)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// strike attacks once and tells what is wrong with the answer.
func (a *attack) strike(target *Server, body []byte) error {
	began := time.Now()
	got, err := target.Execute(context.Background(), "", body)
	if err != nil {
		return err
	}
	if took := time.Since(began); took > hostileTime() {
		return fmt.Errorf("the answer took %v", took)
	}
	var document struct {
		Code   string
		Result json.RawMessage
	}
	if err := json.Unmarshal(got.Body, &document); err != nil {
		return fmt.Errorf("%w: %s", err, brief(got.Body))
	}
	switch {
	case !slices.Contains(a.statuses, got.Status):
		return fmt.Errorf("status %d: %s", got.Status, brief(got.Body))
	case a.code != "" && document.Code != a.code:
		return fmt.Errorf("code %q: %s", document.Code, brief(got.Body))
	case a.result != "" && !SameValue(document.Result, json.RawMessage(a.result)):
		return fmt.Errorf("result %s", brief(got.Body))
	}
	return nil
}

// harmless is what every other client wants meanwhile.
func harmless(t *testing.T, target *Server) {
	t.Helper()
	a := attack{statuses: []int{http.StatusOK}, result: `{"x":"n=5"}`}
	if err := a.strike(target, []byte(`{"script":"addParam(n, v)\nx = \"n=\" + str(v)\naddResult(x)","n":5}`)); err != nil {
		t.Errorf("a harmless request: %v", err)
	}
}

// resident is the memory of this process, garbage given back.
func resident(t *testing.T) int64 {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text))
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestFloodedDictIsCharged gives a script keys that all collide under a seed
// that the sender knows. Each probe costs fuel, so that the work stays within
// the limit; under another seed the same keys cost next to nothing.
func TestFloodedDictIsCharged(t *testing.T) {
	const (
		known  = 0x1234567
		count  = 2000
		script = "d = {}\nstartLoop(i, 0, 1999)\n    d[keys[i]] = i\nendLoop()\nn = len(d)\naddResult(n)"
	)
	var keys []int64
	for k := int64(0); len(keys) < count; k++ {
		if hashOfInt(known, k)&0xfff == 0 {
			keys = append(keys, k)
		}
	}
	variables, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	fuel := func(seed uint64) int64 {
		e := newEngine(t, engine.Config{HashSeed: func() uint64 { return seed }})
		answer, err := e.Run(context.Background(), &engine.Request{Source: script, Variables: variables})
		if err != nil {
			t.Fatal(err)
		}
		return answer.Usage.FuelUsed
	}
	flooded, calm := fuel(known), fuel(known+1)
	t.Logf("fuel: %d with colliding keys, %d without", flooded, calm)
	if probes := int64(count) * count / 2; flooded < calm+probes/2 {
		t.Errorf("%d probes cost %d", probes, flooded-calm)
	}
}

// hashOfInt is the library's hash of an integer key, as runtime/guest has it.
func hashOfInt(seed uint64, key int64) uint32 {
	mix := func(x uint64) uint64 {
		x = (x ^ x>>33) * 0xff51afd7ed558ccd
		x = (x ^ x>>29) * 0xc4ceb9fe1a85ec53
		return x ^ x>>32
	}
	return uint32(mix(mix(uint64(key)^seed)+bits.RotateLeft64(seed, 32)) >> 32)
}

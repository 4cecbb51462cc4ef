package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/store"
)

// childLocation is the environment variable that makes a test binary the
// writer that testKilled kills.
const childLocation = "AVAP_STORETEST_LOCATION"

// Child turns the process into a writer if testKilled started it, and returns
// otherwise. Call it at the beginning of TestMain.
func Child(open func(ctx context.Context, location string) (store.Store, error)) {
	location, is := os.LookupEnv(childLocation)
	if !is {
		return
	}
	fmt.Fprintln(os.Stderr, write(context.Background(), location, open))
	os.Exit(1)
}

// write commits until it is killed, and says of each commit that it is
// acknowledged.
func write(ctx context.Context, location string, open func(context.Context, string) (store.Store, error)) error {
	s, err := open(ctx, location)
	if err != nil {
		return err
	}
	var revision int64
	for n := 0; ; n++ {
		content := []byte(strconv.Itoa(n))
		batch := store.Batch{
			Puts:      []store.Put{put("last", revision, string(content)), put(fmt.Sprintf("n%d", n), 0, string(content))},
			Artifacts: []store.Artifact{artifact(content)},
		}
		if revision, err = s.Commit(ctx, batch); err != nil {
			return err
		}
		if _, err := fmt.Println(revision); err != nil {
			return err
		}
	}
}

func testReopen(t *testing.T, b Backend) {
	location := b.New(t)
	s, err := b.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, put("a", 0, `1`), put("b", 0, `2`))
	commit(t, s, remove("a", 1))
	want, records := summary(t, s), all(t, s, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Summary(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a closed store: %v", err)
	}
	again := openAt(t, b, location)
	if got := summary(t, again); got != want {
		t.Errorf("%+v became %+v", want, got)
	}
	if diff := cmp.Diff(records, all(t, again, 0)); diff != "" {
		t.Error(diff)
	}
}

// testKilled kills a writing process: what it was told is there, whole, and
// the store goes on.
func testKilled(t *testing.T, b Backend) {
	location := b.New(t)
	for _, commits := range []int{1, 20, 7} {
		acknowledged := killAfter(t, location, commits)
		s := openAt(t, b, location)
		if got := summary(t, s); got.Revision < acknowledged {
			t.Fatalf("revision %d, acknowledged was %d", got.Revision, acknowledged)
		}
		for _, record := range all(t, s, 0) {
			content := record.Document
			if record.Deleted {
				continue // by the round before
			}
			if got, err := s.Artifact(t.Context(), artifact(content).Digest); err != nil || string(got) != string(content) {
				t.Fatalf("the artifact of %s: %q, %v", record.Name, got, err)
			}
		}
		commit(t, s, removeAll(t, s)...)
	}
}

// removeAll deletes everything, so that the next writer begins as the first did.
func removeAll(t *testing.T, s store.Store) []store.Put {
	t.Helper()
	var puts []store.Put
	for _, record := range all(t, s, 0) {
		if !record.Deleted {
			puts = append(puts, remove(record.Name, record.Revision))
		}
	}
	return puts
}

// killAfter starts a writer, kills it in the middle of its work, and returns
// the last revision that it was told.
func killAfter(t *testing.T, location string, commits int) (acknowledged int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^$") //nolint:gosec // this binary itself
	child.Env = append(os.Environ(), childLocation+"="+location)
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for n := 0; lines.Scan(); n++ {
		if n == commits {
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		if acknowledged, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Error(err)
		}
	}
	if err := child.Wait(); err == nil || acknowledged == 0 {
		t.Fatalf("the writer ended by itself after revision %d: %v", acknowledged, err)
	}
	return acknowledged
}

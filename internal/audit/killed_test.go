package audit_test

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/audit"
)

// TestKilled kills a server's log at some moment, again and again: what was
// acknowledged is there, and the chain is right and goes on.
func TestKilled(t *testing.T) {
	h := newHome(t)
	acknowledged, changes := map[int64]int{}, 0
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+h.dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if i, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				acknowledged[i]++
			} else {
				changes++
			}
			if n == 50+37*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
	}
	j := h.journal()
	verify(t, j, audit.VerifyOptions{Pinned: h.pinned()})
	l := open(t, h.config(j))
	if l.Stats().Broken {
		t.Error("the log is taken for damaged")
	}
	found, foundChanges := map[int64]int{}, 0
	for cursor := ""; ; {
		p, err := l.Page(t.Context(), audit.Filter{}, cursor, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Records {
			if e.Kind == audit.Change {
				foundChanges++
			} else {
				found[e.Fuel]++
			}
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	for i, n := range acknowledged {
		if found[i] < n {
			t.Errorf("execution %d was acknowledged %d times and is there %d times", i, n, found[i])
		}
	}
	if foundChanges < changes || changes == 0 || len(acknowledged) == 0 {
		t.Errorf("%d of %d changes are there, %d executions", foundChanges, changes, len(acknowledged))
	}
	note(t, l, audit.Record{Time: time.Now(), Kind: audit.Stop})
}

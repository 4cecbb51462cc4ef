package differential

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/avapd/avapd/internal/testservices"
	v8 "github.com/avapd/avapd/internal/v8"
)

var (
	programs  = flag.Int("programs", 500, "how many programs to compare")
	duration  = flag.Duration("duration", 0, "compare fresh programs for so long instead")
	seed      = flag.Uint64("seed", 1, "the first seed")
	rewritten = flag.Int("rewritten", 300, "how many programs to rewrite")
	keep      = flag.Bool("keep", false, "write what is found as regression files")
)

const (
	regressions = "../../testdata/differential"
	workers     = 2
	mostShrunk  = 10
)

// TestPrograms compares programs from seeds. What it finds is shown as small as the shrinker makes it.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b, began, found := start(t), time.Now(), 0
	first, next := seeds(*programs, batch)
	seen, err := b.search(t.Context(), workers, next, func(seed uint64, p program, d *disagreement) {
		if found++; found > mostShrunk {
			t.Errorf("seed %d: %s", seed, d)
			return
		}
		p, d = b.smaller(t.Context(), p, d)
		t.Errorf("seed %d: %s\n%s\n%s", seed, d, p.request(), numbered(p.Script))
		if *keep {
			write(t, &p, fmt.Sprintf("%s, found at seed %d", d.aspect, seed))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d programs from seed %d in %s: %d refused, %d open, %d in all engines, %d of these also not optimized; %d again until out of fuel",
		seen.programs, first, time.Since(began).Round(time.Second), seen.refused, seen.open, seen.inAll, seen.plain, seen.outOfFuel)
	if seen.refused+seen.open > seen.programs/10 {
		t.Error("too many programs are refused or open: the generator has lost its way")
	}
	if v8.Installed() && seen.programs >= batch && (seen.inAll < seen.programs*87/100 || seen.plain < seen.programs/20 || seen.outOfFuel < seen.programs/20) {
		t.Error("too few programs run in all engines, or to a limit")
	}
}

// seeds gives consecutive seeds, so many at a time: fresh ones as long as the flag says, otherwise count of them.
func seeds(count, size int) (first uint64, next func() (uint64, int)) {
	began, first := time.Now(), *seed
	if *duration > 0 {
		first = uint64(began.UnixNano())
	}
	at := first
	return first, func() (uint64, int) {
		n := size
		if *duration == 0 {
			n = min(n, count-int(at-first))
		} else if time.Since(began) > *duration {
			n = 0
		}
		at += uint64(n)
		return at - uint64(n), n
	}
}

// TestRegressions replays what was found.
func TestRegressions(t *testing.T) {
	files, err := filepath.Glob(regressions + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no regressions", err)
	}
	b := start(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := fromArchive(archive)
			if err != nil {
				t.Fatal(err)
			}
			if d := b.look(t.Context(), &p, v8.Installed()); d != nil {
				t.Errorf("%s\n%s", d, archive.Comment)
			}
			for c := range changes {
				if d, err := b.unchanged(&p, &changes[c]); d != nil || err != nil {
					t.Errorf("%s: %v, %v\n%s", changes[c].name, d, err, archive.Comment)
				}
			}
		})
	}
}

// write stores a program under the next number.
func write(t *testing.T, p *program, why string) {
	t.Helper()
	files, err := filepath.Glob(regressions + "/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s/%03d.txtar", regressions, len(files)+1)
	if err := os.WriteFile(name, txtar.Format(p.archive(why)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestShrink keeps the shrinker useful: of a program it leaves what a condition needs.
func TestShrink(t *testing.T) {
	p := generate(2)
	p.Script += "\nstartLoop(i, 0, 3)\nif(i, 1, =)\nneedle = [1, str((2 ** 3) + len(\"x\"))]\nend()\nendLoop()\n"
	got := shrink(p, func(candidate *program) bool {
		a, findings := candidate.compile(form{})
		return a != nil && !findings.HasErrors() && strings.Contains(candidate.Script, "2 ** 3")
	})
	if want := "needle=2 ** 3"; strings.ReplaceAll(strings.TrimSpace(got.Script), " = ", "=") != want {
		t.Errorf("left is\n%s", got.Script)
	}
}

// TestGenerate: a seed is a program for ever, and most programs compile.
func TestGenerate(t *testing.T) {
	refused := 0
	for seed := range uint64(200) {
		p := generate(seed)
		if again := generate(seed); again.Script != p.Script || again.request() != p.request() {
			t.Fatalf("seed %d gives two programs", seed)
		}
		if a, _ := p.compile(form{}); a == nil {
			refused++
		}
	}
	if refused > 10 {
		t.Errorf("%d of 200 programs do not compile", refused)
	}
}

func start(t *testing.T) *panel {
	t.Helper()
	if !v8.Installed() {
		if testservices.Required() {
			t.Fatal("node is not installed")
		}
		t.Log("node is not installed: V8 has no part in this")
	}
	b, err := newPanel()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func numbered(script string) string {
	lines := strings.Split(script, "\n")
	for i := range lines {
		lines[i] = fmt.Sprintf("%3d  %s", i+1, lines[i])
	}
	return strings.Join(lines, "\n")
}

// TestRename: what looks like a name within a text is none.
func TestRename(t *testing.T) {
	got, ok := rename(program{Script: "a12 = \"\\x00\" + b3\n"})
	if want := "a12_renamed = \"\\x00\" + b3_renamed\n"; !ok || got.Script != want {
		t.Errorf("got %s, want %s", got.Script, want)
	}
}

// TestChanges rewrites programs in ways that must not change what they do.
func TestChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b, began, found, count := start(t), time.Now(), 0, 0
	first, next := seeds(*rewritten, 1)
	for at, n := next(); n > 0; at, n = next() {
		count++
		for c := range changes {
			p := generate(at)
			d, err := b.unchanged(&p, &changes[c])
			if err != nil {
				t.Fatalf("seed %d: %v", at, err)
			}
			if d == nil {
				continue
			}
			if found++; found > mostShrunk {
				t.Errorf("seed %d: %s", at, d)
				continue
			}
			p, d = b.smallerUnchanged(p, &changes[c], d)
			t.Errorf("seed %d: %s\n%s\n%s", at, d, p.request(), numbered(p.Script))
			if *keep {
				write(t, &p, fmt.Sprintf("%s changes with %s, found at seed %d", d.aspect, changes[c].name, at))
			}
		}
	}
	t.Logf("%d programs from seed %d in %s", count, first, time.Since(began).Round(time.Second))
}

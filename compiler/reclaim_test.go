package compiler_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/compiler/emit"
	"github.com/avapd/avapd/wasmhost"
)

var (
	reclaimPrograms = flag.Int("reclaim.programs", 6, "number of random programs that run with and without giving memory back")
	reclaimSeed     = flag.Uint64("reclaim.seed", 1, "seed of the random programs")
)

// TestLoopsFitInMemory runs loops that make far more than 16 MiB of values, of
// which little is alive at any time, in a memory of 16 MiB.
func TestLoopsFitInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	scripts := []struct{ name, script, last string }{
		{"overwritten text", "startLoop(i, 1, 10000000)\n  t = 'a' + str(i)\nendLoop()\nlast = t", `"a10000000"`},
		{"temporaries consumed", "n = 0\nstartLoop(i, 1, 1000000)\n  n = n + len('a' + str(i))\nendLoop()\nlast = n", `6888896`},
		{"in a function", "function f(n){\n  startLoop(i, 1, n)\n    t = f'{i}:{i}'\n  endLoop()\n  return(t)\n}\nlast = f(1000000)", `"1000000:1000000"`},
		{"by a called function", "function f(i){\n  a = [i, str(i)]\n  return({'a': a})\n}\nstartLoop(i, 1, 500000)\n  r = f(i)\nendLoop()\nlast = r['a'][1]", `"500000"`},
		{"lists grown and dropped", "startLoop(i, 1, 20000)\n  l = []\n  startLoop(j, 1, 100)\n    l.append(str(j))\n  endLoop()\nendLoop()\nlast = l[99]", `"100"`},
		{"keys of a dict", "d = {}\nstartLoop(i, 1, 1000000)\n  k = 'k' + str(i % 10)\n  d[k] = d.get(k, 0) + 1\nendLoop()\nlast = d['k1']", `100000`},
		{"stored and replaced", "l = ['']\nstartLoop(i, 1, 1000000)\n  l[0] = 'v' + str(i)\nendLoop()\nlast = l[0]", `"v1000000"`},
		{"comprehensions", "startLoop(i, 1, 100000)\n  l = [str(x) for x in range(10)]\nendLoop()\nlast = l[9]", `"9"`},
		{"split and joined", "startLoop(i, 1, 200000)\n  l = 'a,b,c,d'.split(',')\n  s = '-'.join(l)\nendLoop()\nlast = s", `"a-b-c-d"`},
		{"text built", "s = ''\nstartLoop(i, 1, 1000000)\n  s = s + 'ab'\n  n = str(i)\nendLoop()\nlast = len(s)", `2000000`},
	}
	const pages16MiB = 256
	old := limits
	t.Cleanup(func() { limits = old })
	limits.Fuel, limits.MemoryPages, limits.Duration = 1<<40, pages16MiB, 5*time.Minute
	h := newHost(t, wasmhost.EngineCompiler)
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			o := execute(t, h, s.script+"\naddResult(last)\n", &wasmhost.Input{}, compiler.Options{})
			if want := `{"last":` + s.last + `}`; string(o.Result) != want {
				t.Errorf("got %s %s, want %s", o.Result, o.Message, want)
			}
		})
	}
}

// BenchmarkLeavingLoop measures a loop of 200,000 turns that leaves a few texts
// behind in each, with and without giving memory back.
func BenchmarkLeavingLoop(b *testing.B) {
	const script = "startLoop(i, 1, 200000)\n  t = 'a' + str(i)\n  u = f'{t}:{i}'\nendLoop()"
	for _, every := range []uint32{0, emit.RegionBytes} {
		b.Run(fmt.Sprint("every=", every), func(b *testing.B) {
			h := newHost(b, wasmhost.EngineCompiler)
			restore := compiler.CollectEvery(every)
			artifact, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{})
			restore()
			if artifact == nil {
				b.Fatal(findings.Error())
			}
			module, err := h.Load(artifact.Wasm, artifact.Manifest)
			if err != nil {
				b.Fatal(err)
			}
			defer module.Release()
			for b.Loop() {
				if _, _, failure := h.Run(context.Background(), module, &wasmhost.Input{}, limits, nil); failure != nil {
					b.Fatal(failure.Message)
				}
			}
		})
	}
}

// TestReclaimChangesNothing compares what random programs come to when memory
// is given back at every turn with what they come to when it never is. The
// programs alias and change texts, lists and dicts in nested loops and
// functions.
func TestReclaimChangesNothing(t *testing.T) {
	h := newHost(t, wasmhost.EngineCompiler)
	for n := range *reclaimPrograms {
		g := &loopProgram{random: rand.New(rand.NewPCG(*reclaimSeed, uint64(n)))}
		script := g.program()
		var first outcome
		for i, every := range []uint32{0, 1, 300, emit.RegionBytes} {
			for _, split := range []bool{false, true} {
				restore := func() {}
				if split {
					restore = compiler.SplitAll()
				}
				again := compiler.CollectEvery(every)
				o := execute(t, h, script, &wasmhost.Input{}, compiler.Options{})
				again()
				restore()
				o.FuelUsed, o.Failure = 0, nil
				if i == 0 && !split {
					first = o
				} else if diff := cmp.Diff(first, o); diff != "" {
					t.Fatalf("program %d, every %d bytes, split %t:\n%s\n%s", n, every, split, diff, script)
				}
			}
		}
	}
}

// loopProgram writes a random program about a few texts, lists and dicts. Lists
// hold texts and pairs, dicts hold texts and lists, so that nothing comes to
// contain itself.
type loopProgram struct {
	random *rand.Rand
	out    strings.Builder
	loops  int
}

func (g *loopProgram) program() string {
	g.out.WriteString(`function grow(l, t){
  startLoop(k, 1, 5)
    t = t + str(k)
    l.append([t, k])
    if(None, None, "len(t) > 14")
      return(t)
    end()
  endLoop()
  l = [t]
  return(l[0][-6:])
}
function fill(d, n){
  startLoop(k, 1, n)
    key = 'f' + str(k % 4)
    d[key] = [key, {'in': [key + '!', k]}]
    e = d[key]
    e.append('after' + key)
  endLoop()
  return(key)
}
`)
	for i := range 3 {
		fmt.Fprintf(&g.out, "t%d = 'text%d'\nl%d = ['a', 'b']\nd%d = {'k': 'v'}\n", i, i, i, i)
	}
	g.loop("")
	g.loop("")
	for i := range 3 {
		fmt.Fprintf(&g.out, "addResult(t%d)\naddResult(l%d)\naddResult(d%d)\n", i, i, i)
	}
	return g.out.String()
}

func (g *loopProgram) loop(indent string) {
	g.loops++
	v := fmt.Sprint("i", g.loops)
	fmt.Fprintf(&g.out, "%sstartLoop(%s, 1, %d)\n", indent, v, 2+g.random.IntN(12))
	for range 3 + g.random.IntN(8) {
		g.statement(indent+"  ", v)
	}
	fmt.Fprintf(&g.out, "%sendLoop()\n", indent)
}

var loopStatements = []string{
	"$t = '$v' + str($i)",
	"$t = $t[-12:] + $u",
	"$t = $t + 'x'",
	"$t = $u[1:4]",
	"$t = f'{$i}/{$u[-9:]}'",
	"$t = '-'.join($u.split('x'))[-30:]",
	"$t = str(len($l)) + str(len($d))",
	"$t = $u.upper()[-20:]",
	"$t = $t[-40:]",
	"$l.append($t)",
	"$l.append([$t, $i])",
	"$l = [$t, $u]",
	"$l = $l[-8:]",
	"$l = $m",
	"$l.insert(0, $t + 'i')",
	"$l.extend([$t, [$u + 'e', 1.5]])",
	"$l[0] = $t",
	"$l[-1] = [$u, $t + $u]",
	"$l = [x for x in $m][-9:]",
	"$l = [str(x)[-7:] + $t for x in $m][-9:]",
	"$l.reverse()",
	"$d[$t] = $l",
	"$d[$t[-3:]] = $u",
	"$d['k'] = $l",
	"$d = {'a': $l, $t: $u + 'd'}",
	"$d.pop($t, None)",
	"$e = $d",
	"$t = grow($l, $u[-5:])",
	"$t = fill($d, 6)",
	"$l = list($d.keys())[-6:]",
	"$d = {str(x)[-4:]: [x, $t] for x in $l}",
	"$t = str($d.get('k', 'none'))[-25:]",
	"$d[$t] = {'deep': [$l[-2:], {'er': $u + str($i)}]}",
}

func (g *loopProgram) statement(indent, loop string) {
	switch n := g.random.IntN(12); {
	case n == 0 && len(indent) < 6:
		g.loop(indent)
		return
	case n == 1:
		fmt.Fprintf(&g.out, "%sif(None, None, \"%s %% 3 == 1\")\n", indent, loop)
		g.line(indent+"  ", loop)
		fmt.Fprintf(&g.out, "%send()\n", indent)
		return
	case n == 2:
		fmt.Fprintf(&g.out, "%stry()\n", indent)
		g.line(indent+"  ", loop)
		fmt.Fprintf(&g.out, "%s  raise('oops' + t1)\n%sexception(t0)\n", indent, indent)
		g.line(indent+"  ", loop)
		fmt.Fprintf(&g.out, "%send()\n", indent)
		return
	}
	g.line(indent, loop)
}

func (g *loopProgram) line(indent, loop string) {
	one := func(kind string) string { return fmt.Sprint(kind, g.random.IntN(3)) }
	line := loopStatements[g.random.IntN(len(loopStatements))]
	line = strings.NewReplacer("$t", one("t"), "$u", one("t"), "$l", one("l"), "$m", one("l"), "$d", one("d"), "$e", one("d"), "$i", loop, "$v", loop).Replace(line)
	fmt.Fprintf(&g.out, "%s%s\n", indent, line)
	// Keep them small.
	fmt.Fprintf(&g.out, "%sif(None, None, \"len(l0) + len(l1) + len(l2) > 60\")\n%s  l0 = l0[-5:]\n%s  l1 = ['cut']\n%s  l2 = [t0[-30:], t1[-30:]]\n%s  t2 = t2[-30:]\n%send()\n", indent, indent, indent, indent, indent, indent)
}

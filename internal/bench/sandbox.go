package main

import "fmt"

// endless are scripts that never end, each in another way: in the script's own
// code, in the library's, and in memory that grows and is given back.
var endless = map[string]string{
	"a loop over integers": "i = 0\nwhile(True)\n    i = (i + 1) % 1000\nend()",
	"sorting in the library": `items = []
startLoop(i, 1, 20000)
    items.append(i * 7919 % 20011)
endLoop()
while(True)
    ordered = sorted(items)
    n = len(ordered)
end()`,
}

// sandbox measures what one execution costs when its script is compiled
// already, and how soon one that never ends is gone.
func (b *bench) sandbox() error {
	e, err := b.startRole("engine", b.subject)
	if err != nil {
		return err
	}
	defer b.stopAll()
	scripts := []struct{ name, what, text string }{
		{"fresh", "an empty script: instances, memory, run, wipe, close, the answer written", "// nothing"},
		{"small", "a script of five lines", smallScript},
	}
	m, err := b.repeat(comparison{what: "sandbox", rounds: b.rounds, steady: "fresh.p50", once: func(r round) error {
		for _, s := range scripts {
			var a reply
			if err := e.ask(question{Run: s.text, Body: []byte(`{"name":"Ana"}`), Count: b.some(5000)}, &a); err != nil {
				return err
			}
			r[s.name+".p50"], r[s.name+".p99"] = float64(a.P50), float64(a.P99)
		}
		for name, script := range endless {
			var a reply
			if err := e.ask(question{Cancel: script, Count: b.some(100)}, &a); err != nil {
				return err
			}
			r[name+".p50"], r[name+".p99"] = float64(a.P50), float64(a.P99)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	t := b.table("one execution, in process", "p50", "p99")
	for _, s := range scripts {
		t.row(s.what, m.of(s.name+".p50", nanoseconds), m.of(s.name+".p99", nanoseconds))
	}
	b.fulfil("sandbox.fresh", m.of("fresh.p50", nanoseconds))
	t = b.table("from cancelling an endless script to its end", "p50", "p99")
	worst := figure{}
	for name := range endless {
		p99 := m.of(name+".p99", nanoseconds)
		t.row(name, m.of(name+".p50", nanoseconds), p99)
		if p99.Value >= worst.Value {
			worst = p99
		}
	}
	b.fulfil("sandbox.cancel", worst)
	return nil
}

// memory measures what an idle server takes, and what each script in its
// cache adds.
func (b *bench) memory() error {
	defer b.stopAll()
	scripts := 1000
	if b.quick {
		scripts = 50
	}
	m, err := b.repeat(comparison{what: "memory", rounds: min(3, b.rounds), steady: "idle", once: func(r round) error {
		s, err := b.serve()
		if err != nil {
			return err
		}
		defer b.stop(s.process)
		idle, err := s.memory()
		if err != nil {
			return err
		}
		e, err := b.startRole("engine", b.subject)
		if err != nil {
			return err
		}
		defer b.stop(e)
		var warm, a reply
		if err := e.ask(question{Keep: someScripts(0, 50)}, &warm); err != nil {
			return err
		}
		if err := e.ask(question{Keep: someScripts(50, scripts)}, &a); err != nil {
			return err
		}
		r["idle"], r["script"] = float64(idle), float64(a.Bytes)/float64(scripts)
		return nil
	}})
	if err != nil {
		return err
	}
	idle, script := m.of("idle", bytesUnit), m.of("script", bytesUnit)
	t := b.table("memory", "resident")
	t.row("`avap serve` that has answered nothing yet", idle)
	t.row(fmt.Sprintf("a cached script of five lines, mean of %d", scripts), script)
	b.fulfil("memory.idle", idle)
	b.fulfil("memory.script", script)
	return nil
}

func someScripts(from, n int) []string {
	var list []string
	for i := from; i < from+n; i++ {
		list = append(list, scriptOfLines(5, i))
	}
	return list
}

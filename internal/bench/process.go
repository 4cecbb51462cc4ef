package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/engine"
)

const smallScript = `addParam(name, who)
addVar(greeting, "Hello")
text = greeting + ", " + str(who) + "!"
addVar(count, 3)
addResult(text)`

// execute runs a script and gives the answer's result.
func (b *bench) execute(script string) (json.RawMessage, error) {
	answer, err := b.engine.Run(context.Background(), &engine.Request{
		Source: script, Body: []byte(`{"name":"Ana"}`), EchoVariables: true,
		Limits: engine.Limits{Duration: 5 * time.Second},
	})
	if err != nil {
		return nil, err
	}
	return answer.Result, nil
}

// sandbox prints what one execution costs when the script is already
// compiled: the sandbox alone, then with a small script in it.
func (b *bench) sandbox() error {
	b.heading("execution in process", "p50", "p99")
	for _, c := range []struct{ name, script string }{
		{"fresh sandbox, empty script", "// nothing"},
		{"warm execution, five lines", smallScript},
	} {
		if _, err := b.execute(c.script); err != nil {
			return err
		}
		var times []time.Duration
		for range b.rounds * 1000 {
			began := time.Now()
			if _, err := b.execute(c.script); err != nil {
				return err
			}
			times = append(times, time.Since(began))
		}
		b.row(c.name, quantile(times, 0.5), quantile(times, 0.99))
	}
	return nil
}

// kernels compares computations with native Go. The script's time includes its
// sandbox, since nobody runs one without.
func (b *bench) kernels() error {
	b.heading("computation", "avap", "Go", "avap / Go")
	for _, k := range kernels {
		result, err := b.execute(k.script)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		var got struct{ Answer float64 }
		if err := json.Unmarshal(result, &got); err != nil {
			return err
		}
		if want := k.native(); int64(got.Answer) != want {
			return fmt.Errorf("%s: the script says %v, Go says %d", k.name, got.Answer, want)
		}
		times, err := b.interleave(
			func() error { _, err := b.execute(k.script); return err },
			func() error {
				if k.native() == 0 {
					return fmt.Errorf("%s: the native answer is 0", k.name)
				}
				return nil
			},
		)
		if err != nil {
			return err
		}
		b.row(k.name, times[0], times[1], ratio(times[0], times[1]))
	}
	return nil
}

// compile prints how long a never-seen script takes: our compiler alone, and
// from source to first answer, the runtime's compiler included.
func (b *bench) compile() error {
	b.heading("never-seen script", "source to WebAssembly", "source to first answer", "module size")
	seen := 0
	for _, lines := range []int{5, 50, 500} {
		var size int
		script := scriptOfLines(lines)
		times, err := b.interleave(
			func() error {
				artifact, findings := compiler.Compile(compiler.Source{Name: "bench.avap", Text: script}, compiler.Options{})
				if findings.HasErrors() {
					return findings
				}
				size = len(artifact.Wasm)
				return nil
			},
			func() error {
				seen++
				_, err := b.execute(fmt.Sprintf("// %d\n%s", seen, script))
				return err
			},
		)
		if err != nil {
			return err
		}
		b.row(fmt.Sprintf("%d lines", lines), times[0], times[1], fmt.Sprintf("%.1f KB", float64(size)/1e3))
	}
	return nil
}

// scriptOfLines makes a script of the usual mixture: parameters, arithmetic,
// conditions, a loop, text, lists and dicts.
func scriptOfLines(lines int) string {
	const block = `addParam(amount%[1]d, raw%[1]d)
total%[1]d = 10 * %[1]d + 7
if(total%[1]d, 30, ">")
label%[1]d = "big " + str(total%[1]d)
end()
startLoop(i, 1, 3)
total%[1]d = total%[1]d + i
endLoop()
AddvariableToJSON("total", total%[1]d, report)
addResult(report)
`
	if lines <= 5 {
		return smallScript
	}
	var s strings.Builder
	for i := range lines / 10 {
		fmt.Fprintf(&s, block, i)
	}
	return s.String()
}

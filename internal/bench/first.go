package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/avapd/avapd/internal/bench/load"
)

// vocabulary are words of which never-seen scripts make their names.
var vocabulary = []string{
	"amount", "basket", "city", "discount", "email", "factor", "gross", "handling", "item", "journey",
	"kind", "level", "margin", "net", "order", "price", "quantity", "rate", "stock", "total",
}

// word is a name that depends on the script, and on what it is for in it.
func word(script, use int) string {
	n := len(vocabulary)
	return fmt.Sprintf("%s_%s%d", vocabulary[(script+use)%n], vocabulary[(script/n+3*use)%n], use)
}

// scriptOfLines makes a script of a usual mixture with the given number of
// lines, at least five. Each number makes another one: names, texts and
// constants differ.
func scriptOfLines(lines, number int) string {
	var s strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&s, format+"\n", arguments...) }
	written := 5
	if lines >= 16 {
		line("function %s(value, rate){", word(number, 1))
		line("    if(value, %d, \">\")", 100+number%1000)
		line("        return(value * rate + %d)", number%89)
		line("    end()")
		line("    return(value * %d.25)", 1+number%7)
		line("}")
		written += 6
	}
	line("addParam(\"name\", %s)", word(number, 0))
	line("addVar(%s, %d)", word(number, 2), number+17)
	line("%s = \"%s \" + str(%s)", word(number, 3), word(number, 4), word(number, 0))
	for block := 0; written+10 <= lines; block++ {
		n := 10 + 5*block
		line("addParam(\"%s\", %s)", word(number, n), word(number, n+1))
		line("%s = %s * %d + %d", word(number, n+2), word(number, 2), 3+number%31, number%1009)
		line("if(%s, %d, \">\")", word(number, n+2), 500+number)
		line("    %s = `large ${%s}`", word(number, n+3), word(number, n+2))
		line("else()")
		line("    %s = \"small\" + str(%d)", word(number, n+3), number)
		line("end()")
		line("startLoop(i, 1, %d)", 3+number%5)
		line("    %s = %s + i * %d", word(number, n+2), word(number, n+2), 2+number%11)
		line("endLoop()")
		written += 10
	}
	for ; written < lines; written++ {
		line("%s = %s + %d", word(number, 2), word(number, 2), written+number)
	}
	if lines >= 16 {
		line("%s = %s(%s, %d)", word(number, 5), word(number, 1), word(number, 2), 2+number%13)
	} else {
		line("%s = %s * %d", word(number, 5), word(number, 2), 2+number%13)
	}
	line("addResult(%s)", word(number, 5))
	return s.String()
}

// executeRequest is a request for an ad-hoc script.
func executeRequest(script string) []byte {
	body, err := json.Marshal(map[string]any{"script": script, "name": "Ana"})
	if err != nil {
		panic(err) // plain data
	}
	return load.Post("/api/v1/execute", body)
}

// first measures requests with scripts that the server has never seen: read,
// compiled by us and by the runtime, executed and answered.
func (b *bench) first() error {
	s, err := b.serve()
	if err != nil {
		return err
	}
	defer b.stopAll()
	generator, err := b.startRole("load", b.generator)
	if err != nil {
		return err
	}
	sizes := []struct{ lines, count int }{{5, 500}, {50, 200}}
	seen := 0
	m, err := b.repeat(comparison{what: "first answers", rounds: b.rounds, steady: "50.p50", once: func(r round) error {
		for _, size := range sizes {
			plan := load.Plan{Address: s.address, Once: true, Expect: `"success":true`, Connections: 1, Poll: true}
			for range b.some(size.count) {
				plan.Requests = append(plan.Requests, executeRequest(scriptOfLines(size.lines, seen)))
				seen++
			}
			var o load.Outcome
			if err := generator.ask(plan, &o); err != nil {
				return err
			}
			r.add(fmt.Sprint(size.lines), o)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	t := b.table("never-seen script", "p50", "p95", "p99")
	worst := figure{}
	for _, size := range sizes {
		name := fmt.Sprint(size.lines)
		p99 := m.of(name+".p99", nanoseconds)
		t.row(name+" lines", m.of(name+".p50", nanoseconds), m.of(name+".p95", nanoseconds), p99)
		b.fulfil("first."+name, m.of(name+".p50", nanoseconds))
		if p99.Value >= worst.Value {
			worst = p99
		}
	}
	b.fulfil("first.p99", worst)
	return nil
}

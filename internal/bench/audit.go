package main

import (
	"fmt"
)

// auditModes are what audit.durability can be, without an audit log first.
var auditModes = []string{"off", "async", "group"}

// audit compares what a greeting costs with the audit log in each of its modes,
// and without one.
func (b *bench) audit() error {
	var sides []competitor
	for _, mode := range auditModes {
		site, err := b.serve("--audit-durability", mode)
		if err != nil {
			return err
		}
		sides = append(sides, competitor{mode, site, "/api/v1/execute"})
	}
	generator, err := b.startRole("load", b.generator)
	if err != nil {
		return err
	}
	defer b.stopAll()
	t := b.table("connections", "audit.durability", "requests", "rate / off", "p50", "p99", "CPU per request")
	for _, connections := range connectionCounts {
		m, err := b.repeat(comparison{
			what: fmt.Sprintf("audit log, %d connections", connections), rounds: b.rounds, steady: "off.rate",
			once: func(r round) error { return b.compete(r, sides, generator, connections) },
		})
		if err != nil {
			return err
		}
		for _, s := range sides {
			t.row(connections, s.name, m.of(s.name+".rate", perSecond), m.ratio(s.name+".rate", "off.rate"),
				m.of(s.name+".p50", nanoseconds), m.of(s.name+".p99", nanoseconds), m.of(s.name+".cpu", nanoseconds))
		}
	}
	return nil
}

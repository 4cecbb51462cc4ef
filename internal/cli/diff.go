package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// The ways in which things change.
const (
	changeAdded   = "added"
	changeRemoved = "removed"
	changeChanged = "changed"
)

// change is one difference between two modules.
type change struct {
	Kind   string `json:"kind"`
	Change string `json:"change"`
	Name   string `json:"name"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	// More is set when the new module may do something that the old one could
	// not.
	More bool `json:"more"`
	// Callers is set when those who call the old module have to look at how they
	// call the new one.
	Callers bool `json:"callers,omitempty"`
}

// comparison is the JSON form of what diff found.
type comparison struct {
	Old     string   `json:"old"`
	New     string   `json:"new"`
	More    bool     `json:"more"`
	Callers bool     `json:"callers"`
	Changes []change `json:"changes"`
}

func diffCommand(p *Process) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Show what a new version of a module may do that the old one could not",
		Long: `Show what a new version of a module may do that the old one could not, and what
else changed about it: parameters, capabilities, functions of the host, what it
reads of the request, endpoints and variables, limits, signers. Scripts are
compared by their modules. What either computes is not looked at.

The exit code is 0 if the new one may do the same or less, and 5 if it may do
more or if callers notice: arguments go by position, so parameters must keep
their names, kinds and order.`,
		Example: `  avap diff deployed.wasm order.wasm
  avap diff deployed.wasm order.avap
  avap diff deployed.wasm order.wasm --output json`,
		Args: arguments(2, 2, "two files"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			return diffModules(p, args[0], args[1], output)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func diffModules(p *Process, before, after, output string) error {
	a, _, err := readFacts(p, before)
	if err != nil {
		return err
	}
	b, _, err := readFacts(p, after)
	if err != nil {
		return err
	}
	c := comparison{Old: a.File, New: b.File, Changes: compare(a, b)}
	c.More = slices.ContainsFunc(c.Changes, func(c change) bool { return c.More })
	c.Callers = slices.ContainsFunc(c.Changes, func(c change) bool { return c.Callers })
	if output == "json" {
		err = printJSON(p, c)
	} else {
		_, err = fmt.Fprint(p.Stdout, c.text())
		err = written(err)
	}
	if err == nil && (c.More || c.Callers) {
		err = &exitError{code: exitMore}
	}
	return err
}

func (c *comparison) text() string {
	var b strings.Builder
	for _, d := range c.Changes {
		sign := map[string]string{changeAdded: "+", changeRemoved: "-", changeChanged: "~"}[d.Change]
		fmt.Fprintf(&b, "%s %s %s", sign, d.Kind, d.Name)
		if d.Change == changeChanged {
			fmt.Fprintf(&b, ": %s, was %s", d.To, d.From)
		}
		if d.More {
			b.WriteString(" (more)")
		}
		if d.Callers {
			b.WriteString(" (callers notice)")
		}
		b.WriteByte('\n')
	}
	called := ""
	if c.Callers {
		called = ", but is called in another way"
	}
	switch {
	case c.More:
		fmt.Fprintf(&b, "%s may do more than %s\n", c.New, c.Old)
	case len(c.Changes) > 0:
		fmt.Fprintf(&b, "%s may do nothing that %s could not%s\n", c.New, c.Old, called)
	default:
		fmt.Fprintf(&b, "%s may do what %s could\n", c.New, c.Old)
	}
	return b.String()
}

// compare lists what differs between two modules, what counts most first.
func compare(a, b *facts) []change {
	d := differ{changes: []change{}}
	d.parameters(&a.Interface, &b.Interface)
	d.sets("capability", a.Capabilities, b.Capabilities, true)
	d.sets("host function", a.Host, b.Host, true)
	d.sets("foreign import", a.Foreign, b.Foreign, true)
	d.sets("reads", a.Interface.Reads, b.Interface.Reads, true)
	d.endpoints(a.Interface.Endpoints, b.Interface.Endpoints)
	d.limits(&a.Limits, &b.Limits)
	d.sets("variable", a.Interface.Variables, b.Interface.Variables, false)
	d.sets("export", a.Interface.Exports, b.Interface.Exports, false)
	d.made(a.Made, b.Made)
	d.sets("signer", signerNames(a), signerNames(b), false)
	return d.changes
}

type differ struct{ changes []change }

// sets compares what both have of a kind; what is added may be more.
func (d *differ) sets(kind string, before, after []string, more bool) {
	for _, name := range after {
		if !slices.Contains(before, name) {
			d.changes = append(d.changes, change{Kind: kind, Change: changeAdded, Name: name, More: more})
		}
	}
	for _, name := range before {
		if !slices.Contains(after, name) {
			d.changes = append(d.changes, change{Kind: kind, Change: changeRemoved, Name: name})
		}
	}
}

func (d *differ) value(kind, name, before, after string, more bool) {
	if before != after {
		d.changes = append(d.changes, change{Kind: kind, Change: changeChanged, Name: name, From: before, To: after, More: more})
	}
}

// parameters compares what calls give. Every difference concerns callers, as a
// call gives all arguments by position.
func (d *differ) parameters(before, after *interfaceFacts) {
	if !slices.Equal(before.Parameters, after.Parameters) {
		d.changes = append(d.changes, change{
			Kind: "interface", Change: changeChanged, Name: "parameters", From: before.signature(), To: after.signature(), Callers: true,
		})
	}
}

// endpoints compares endpoints by method and path. One that is added is more,
// and so is one that fewer functions stand before, which may have kept
// requests off.
func (d *differ) endpoints(before, after []endpointFacts) {
	old, current := byName(before), byName(after)
	d.sets("endpoint", slices.Sorted(maps.Keys(old)), slices.Sorted(maps.Keys(current)), true)
	for _, name := range slices.Sorted(maps.Keys(current)) {
		e, was := current[name], old[name]
		if was == nil {
			continue
		}
		fewer := slices.ContainsFunc(was.Middleware, func(m string) bool { return !slices.Contains(e.Middleware, m) })
		d.value("handler of", name, was.Handler, e.Handler, false)
		d.value("middleware of", name, strings.Join(was.Middleware, ", "), strings.Join(e.Middleware, ", "), fewer)
	}
}

func byName(endpoints []endpointFacts) map[string]*endpointFacts {
	out := map[string]*endpointFacts{}
	for i := range endpoints {
		out[endpoints[i].name()] = &endpoints[i]
	}
	return out
}

func (d *differ) limits(a, b *limitFacts) {
	d.value("limit", "memory_pages", pages(&a.MemoryPages), pages(&b.MemoryPages), b.MemoryPages > a.MemoryPages)
	larger := a.MemoryMaxPages != nil && (b.MemoryMaxPages == nil || *b.MemoryMaxPages > *a.MemoryMaxPages)
	d.value("limit", "memory_max_pages", pages(a.MemoryMaxPages), pages(b.MemoryMaxPages), larger)
	d.value("limit", "counts_fuel", strconv.FormatBool(a.CountsFuel), strconv.FormatBool(b.CountsFuel), a.CountsFuel)
	d.value("limit", "entry_fuel", strconv.FormatInt(a.EntryFuel, 10), strconv.FormatInt(b.EntryFuel, 10), false)
}

func pages(n *uint32) string {
	if n == nil {
		return "none"
	}
	return strconv.FormatUint(uint64(*n), 10)
}

func (d *differ) made(a, b *madeFacts) {
	if a == nil || b == nil {
		if a != b {
			d.value("manifest", "of avap build", strconv.FormatBool(a != nil), strconv.FormatBool(b != nil), false)
		}
		return
	}
	d.value("manifest", "compiler", a.Compiler, b.Compiler, false)
	d.value("manifest", "abi", strconv.Itoa(a.ABI), strconv.Itoa(b.ABI), false)
	d.value("manifest", "fuel_schedule", strconv.Itoa(a.FuelSchedule), strconv.Itoa(b.FuelSchedule), false)
	d.value("manifest", "source_sha256", a.SourceSHA256, b.SourceSHA256, false)
	d.value("manifest", "standalone", strconv.FormatBool(a.Standalone), strconv.FormatBool(b.Standalone), false)
	d.value("manifest", "logs", strconv.FormatBool(a.Logs), strconv.FormatBool(b.Logs), false)
}

// signerNames are the keys that the module's signatures name.
func signerNames(f *facts) []string {
	var out []string
	for _, s := range f.Signers {
		if s.Current && s.KeyID != "" {
			out = append(out, s.KeyID)
		}
	}
	return out
}

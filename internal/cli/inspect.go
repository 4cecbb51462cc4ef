package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/runtime/abi"
)

func inspectCommand(p *Process) *cobra.Command {
	var keys []string
	var output string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a module can do, how it was made and who signed it",
		Long: `Show what a module can do, how it was made and who signed it: its interface, the
capabilities that follow from its imports, limits, signers and the sizes of its
sections. Nothing is run. Of a script it shows what its module would be.

That a signature names a key proves nothing; with --key, those by the given keys
are verified.`,
		Example: `  avap inspect order.wasm
  avap inspect signed.wasm --key release.pub
  avap inspect order.wasm --output json`,
		Args: arguments(1, 1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			return inspect(p, args[0], keys, output)
		},
	}
	cmd.Flags().StringArrayVarP(&keys, "key", "k", nil, "`file` with public keys, to verify signatures; may be repeated")
	outputFlag(cmd, &output)
	return cmd
}

func inspect(p *Process, name string, keys []string, output string) error {
	ring, err := readKeyRing(p, keys)
	if err != nil {
		return err
	}
	f, module, err := readFacts(p, name)
	if err != nil {
		return err
	}
	// Who verifies nothing is told by the signers that stay unverified.
	if signers, err := signature.Verify(module, ring.keys); err == nil {
		f.verified(ring.shown(signers))
	}
	if output == "json" {
		return printJSON(p, f)
	}
	_, err = fmt.Fprint(p.Stdout, f.text())
	return written(err)
}

// verified marks the signatures of those who were found to have signed.
func (f *facts) verified(signers []signerShown) {
	for i := range f.Signers {
		for _, s := range signers {
			if f.Signers[i].Current && f.Signers[i].KeyID == s.KeyID {
				f.Signers[i].Verified = s.Key
			}
		}
	}
}

// text shows the facts in lines, each with what it is about before it.
func (f *facts) text() string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s %s\n", label, fmt.Sprintf(format, args...))
	}
	list := func(label string, values []string) {
		if len(values) > 0 {
			line(label, "%s", strings.Join(values, ", "))
		}
	}
	line("module", "%s, %d bytes", f.File, f.Bytes)
	line("sha256", "%s", f.SHA256)
	if m := f.Made; m != nil {
		line("made by", "compiler %s, contract %d, fuel schedule %d%s", m.Compiler, m.ABI, m.FuelSchedule, m.marks())
		line("source", "%s", strings.Join(m.Files, ", "))
		line("", "sha256 %s", m.SourceSHA256)
	} else {
		line("made by", "another compiler: there is no manifest")
	}
	if f.Made != nil {
		line("parameters", "%s", f.Interface.signature())
	}
	list("variables", f.Interface.Variables)
	list("reads", f.Interface.Reads)
	for i := range f.Interface.Endpoints {
		line("endpoint", "%s", f.Interface.Endpoints[i].text())
	}
	list("exports", f.Interface.Exports)
	if len(f.Capabilities) == 0 {
		line("capabilities", "none")
	}
	list("capabilities", f.Capabilities)
	list("host", f.Host)
	list("foreign", f.Foreign)
	line("limits", "%s", f.Limits.text())
	for _, s := range f.Signers {
		line("signer", "%s", s.text())
	}
	if len(f.Signers) == 0 {
		line("signer", "nobody")
	}
	for _, s := range f.Sections {
		line("section", "%8d bytes  %s", s.Bytes, s.Name)
	}
	return b.String()
}

func (m *madeFacts) marks() string {
	out := ""
	if m.Standalone {
		out += ", standalone"
	}
	if m.Logs {
		out += ", logs statements"
	}
	return out
}

func (e *endpointFacts) text() string {
	out := e.name() + " by " + e.Handler
	if len(e.Middleware) > 0 {
		out += " behind " + strings.Join(e.Middleware, ", ")
	}
	if e.Description != "" {
		out += ": " + e.Description
	}
	return out
}

func (l *limitFacts) text() string {
	out := fmt.Sprintf("memory from %d KiB", kibOf(l.MemoryPages))
	if l.MemoryMaxPages != nil {
		out += fmt.Sprintf(" to %d KiB", kibOf(*l.MemoryMaxPages))
	}
	if !l.CountsFuel {
		return out + "; counts no fuel"
	}
	return out + fmt.Sprintf("; counts fuel, %d to start with", l.EntryFuel)
}

func kibOf(pages uint32) int64 { return int64(pages) * abi.PageBytes >> 10 }

func (c *claimFacts) text() string {
	id := c.KeyID
	if id == "" {
		id = "a key without a name"
	}
	switch {
	case c.Verified != "":
		return id + ", verified by " + c.Verified
	case !c.Current:
		return id + ", of a module that this one is not"
	}
	return id + ", not verified"
}

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/diag"
)

const (
	codePrefix = "AVAP"
	// proseWidth is where explanations are broken into lines.
	proseWidth = 80
)

func explainCommand(p *Process) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "explain [CODE…]",
		Short: "Explain the codes of errors and warnings, with examples",
		Long: `Explain the codes of errors and warnings, with an example of each and its
correction. Without a code, all codes are listed. The letters may be left out.`,
		Example: `  avap explain
  avap explain AVAP3002
  avap explain 2104 3004
  avap explain 2104 --output json`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var words []string
			for _, e := range diag.Entries() {
				words = append(words, string(e.Code)+"\t"+e.Title)
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, codes []string) error {
			if err := chosen("output", output, "text", "json"); err != nil {
				return err
			}
			entries, err := entriesOf(codes)
			if err != nil {
				return err
			}
			if output == "json" {
				return printJSON(p, explained(entries))
			}
			text := listCodes()
			if len(codes) > 0 {
				text = explanations(entries)
			}
			_, err = fmt.Fprint(p.Stdout, text)
			return written(err)
		},
	}
	outputFlag(cmd, &output)
	completeFlag(cmd, "output", "text", "json")
	return cmd
}

// codeShown is a code as --output json tells it.
type codeShown struct {
	Code        string        `json:"code"`
	Group       string        `json:"group"`
	Title       string        `json:"title"`
	Explanation string        `json:"explanation"`
	NextStep    string        `json:"next_step"`
	Example     *exampleShown `json:"example,omitempty"`
}

type exampleShown struct {
	Bad  string `json:"bad"`
	Good string `json:"good"`
	// HTTP tells that both are requests, and no scripts.
	HTTP bool `json:"http"`
	// With are members of the request that runs the scripts.
	With string `json:"with,omitempty"`
}

func explained(entries []diag.Entry) []codeShown {
	list := make([]codeShown, len(entries))
	for i, e := range entries {
		list[i] = codeShown{Code: string(e.Code), Group: diag.Group(e.Code), Title: e.Title, Explanation: e.Explanation, NextStep: e.Next}
		if x := e.Example; x != nil {
			list[i].Example = &exampleShown{x.Bad, x.Good, x.HTTP, x.With}
		}
	}
	return list
}

// listCodes shows a line per code, in groups.
func listCodes() string {
	var b strings.Builder
	group := ""
	for _, e := range diag.Entries() {
		if g := diag.Group(e.Code); g != group {
			if group != "" {
				b.WriteByte('\n')
			}
			group = g
			fmt.Fprintf(&b, "%s\n", group)
		}
		fmt.Fprintf(&b, "  %s  %s\n", e.Code, e.Title)
	}
	return b.String()
}

// entriesOf finds what is said about codes, or about all of them.
func entriesOf(codes []string) ([]diag.Entry, error) {
	if len(codes) == 0 {
		return diag.Entries(), nil
	}
	var entries []diag.Entry
	for _, word := range codes {
		code := strings.ToUpper(word)
		if !strings.HasPrefix(code, codePrefix) {
			code = codePrefix + code
		}
		entry, ok := diag.Lookup(diag.Code(code))
		if !ok {
			var all []string
			for _, e := range diag.Entries() {
				all = append(all, string(e.Code))
			}
			return nil, usageError("there is no code %q; %s`avap explain` lists the codes", word, didYouMean(code, "", all))
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func explanations(entries []diag.Entry) string {
	parts := make([]string, len(entries))
	for i, e := range entries {
		parts[i] = explanation(e)
	}
	return strings.Join(parts, "\n")
}

func explanation(e diag.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n%s", e.Code, e.Title, wrap(e.Explanation))
	if x := e.Example; x != nil {
		fmt.Fprintf(&b, "\nThis has the problem:\n\n%s\nThis does not:\n\n%s", indented(x.Bad), indented(x.Good))
		if x.With != "" {
			fmt.Fprintf(&b, "\nBoth run with %s in the request.\n", x.With)
		}
	}
	fmt.Fprintf(&b, "\n%s", wrap("Next step: "+e.Next))
	return b.String()
}

// indented sets an example off from the prose.
func indented(s string) string {
	if s == "" {
		return "    (nothing)\n"
	}
	var b strings.Builder
	for line := range strings.Lines(s + "\n") {
		if line != "\n" {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// wrap breaks prose into lines.
func wrap(s string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(s) {
		switch width := len([]rune(word)); {
		case column == 0:
			column = width
		case column+1+width > proseWidth:
			b.WriteByte('\n')
			column = width
		default:
			b.WriteByte(' ')
			column += 1 + width
		}
		b.WriteString(word)
	}
	b.WriteByte('\n')
	return b.String()
}

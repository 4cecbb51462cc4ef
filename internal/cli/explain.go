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
	return &cobra.Command{
		Use:   "explain [CODE…]",
		Short: "Explain the codes of errors and warnings, with examples",
		Long: `Explain the codes of errors and warnings, with an example of each and its
correction. Without a code, all codes are listed. The letters may be left out.`,
		Example: `  avap explain
  avap explain AVAP3002
  avap explain 2104 3004`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var words []string
			for _, e := range diag.Entries() {
				words = append(words, string(e.Code)+"\t"+e.Title)
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, codes []string) error {
			text := listCodes()
			if len(codes) > 0 {
				var err error
				if text, err = explain(codes); err != nil {
					return err
				}
			}
			_, err := fmt.Fprint(p.Stdout, text)
			return written(err)
		},
	}
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

func explain(codes []string) (string, error) {
	var parts []string
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
			return "", usageError("there is no code %q; %s`avap explain` lists the codes", word, didYouMean(code, "", all))
		}
		parts = append(parts, explanation(entry))
	}
	return strings.Join(parts, "\n"), nil
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

package cli

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/spf13/pflag"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/api"
)

// callable are the registered commands that scripts may call, as --commands names
// them. Findings about unknown names follow it.
type callable struct{ text string }

func (c *callable) flag(flags *pflag.FlagSet) {
	flags.StringVar(&c.text, "commands", "", "`names` of the commands that are registered where the script will run, separated by commas, or @file with what avap list --output json prints; other names are reported")
}

// names gives them sorted, or nil if nothing was said.
func (c *callable) names(p *Process) ([]string, error) {
	if c.text == "" {
		return nil, nil
	}
	text := []byte(c.text)
	if file, isFile := strings.CutPrefix(c.text, "@"); isFile {
		var err error
		if text, err = readInput(p, file); err != nil {
			return nil, err
		}
	}
	names := []string{}
	if text = bytes.TrimSpace(text); bytes.HasPrefix(text, []byte("[")) {
		var list []api.Command
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, usageError("--commands takes names, or the list that avap list --output json prints")
		}
		for i := range list {
			names = append(names, list[i].Name)
		}
	} else {
		names = append(names, strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })...)
	}
	for _, name := range names {
		if !syntax.IsIdent(name) {
			return nil, usageError("--commands: %q is no name of a command; names are separated by commas", name)
		}
	}
	slices.Sort(names)
	return names, nil
}

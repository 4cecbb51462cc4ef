package config

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// masked stands for a secret that is set.
const masked = "********"

// shown is a value as it may be shown.
func (k Key) shown(value string) string {
	if k.Secret && value != "" {
		return masked
	}
	return value
}

// Print writes every setting on a line, and where it was written if that is
// asked for.
func (s *Settings) Print(w io.Writer, withOrigin bool) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, k := range table {
		value := k.shown(s.values[k.Name])
		if value == "" {
			value = "-"
		}
		if withOrigin {
			value += "\t" + s.Origin(k.Name)
		}
		fmt.Fprintf(columns, "%s\t%s\n", k.Name, value)
	}
	if err := columns.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printed is a setting in JSON.
type printed struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin,omitempty"`
	Secret bool   `json:"secret,omitempty"`
}

// PrintJSON writes the settings as a list in JSON.
func (s *Settings) PrintJSON(w io.Writer, withOrigin bool) error {
	list := make([]printed, len(table))
	for i, k := range table {
		list[i] = printed{Key: k.Name, Value: k.value(k.shown(s.values[k.Name])), Secret: k.Secret}
		if withOrigin {
			list[i].Origin = s.Origin(k.Name)
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(list); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

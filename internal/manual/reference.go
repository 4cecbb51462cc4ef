package manual

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/avapd/avapd/runtime/catalog"
)

// Sections are the generated parts of docs/language.md by the name in their
// markers. The notes are files named after a command, with what the catalogue
// cannot say and an example.
func Sections(notes fs.FS) map[string]string {
	return map[string]string{
		"commands": Commands(notes),
		"builtins": functionTable(catalog.Builtins(), "builtin"),
		"methods":  functionTable(catalog.Methods(), "method"),
	}
}

// Replace puts the generated sections between their markers in a document.
func Replace(markdown string, notes fs.FS) (string, error) {
	for name, text := range Sections(notes) {
		begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
		from, to := strings.Index(markdown, begin), strings.Index(markdown, end)
		if from < 0 || to < from {
			return "", fmt.Errorf("no markers for %s", name)
		}
		markdown = markdown[:from+len(begin)] + text + markdown[to:]
	}
	return markdown, nil
}

// Commands describes every command of the catalogue: an overview, then a part
// for each.
func Commands(notes fs.FS) string {
	var b strings.Builder
	b.WriteString("\n| command | does |\n| --- | --- |\n")
	for _, c := range catalog.Commands() {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", signature(&c), strings.ToLower(c.Name), cell(c.Doc))
	}
	for _, c := range catalog.Commands() {
		describe(&b, &c, notes)
	}
	return b.String() + "\n"
}

// signature is a command with its parameters as they are written.
func signature(c *catalog.Command) string {
	var names []string
	for _, p := range c.Params {
		name := p.Name
		if p.Optional {
			name += "?"
		}
		names = append(names, name)
	}
	return c.Name + "(" + strings.Join(names, ", ") + ")"
}

func describe(b *strings.Builder, c *catalog.Command, notes fs.FS) {
	fmt.Fprintf(b, "\n#### %s\n`%s`: %s\n", c.Name, signature(c), c.Doc)
	if len(c.Params) > 0 {
		b.WriteString("\n| parameter | kind | given | reading |\n| --- | --- | --- | --- |\n")
		for _, p := range c.Params {
			given := "required"
			if p.Optional {
				given = "optional"
			}
			fmt.Fprintf(b, "| `%s` | %c | %s | %s |\n", p.Name, p.Kind, given, reading(p))
		}
	}
	fmt.Fprintf(b, "\n%s\n", traits(c))
	if note, err := fs.ReadFile(notes, c.Name+".md"); err == nil {
		b.WriteString("\n" + strings.TrimSpace(string(note)) + "\n")
	}
}

// reading says in words how an argument is read.
func reading(p catalog.Param) string {
	switch {
	case p.Kind == catalog.Target:
		return "the variable that takes the result"
	case p.NameOnly:
		return "a name, bare or quoted"
	case p.Kind == catalog.Source:
		return "a bare or quoted word is a variable's name"
	case p.Raw:
		return "a value; unquoted text that starts like a pattern is taken as it stands"
	case p.OwnText:
		return "a value; a bare word is its own text"
	case p.LiteralKey:
		return "a value; a bare word that is a key of the dict is its own text"
	}
	return "a value"
}

// traits says what a call may do, needs and costs.
func traits(c *catalog.Command) string {
	var said []string
	if c.NoResult {
		said = append(said, "Has no result.")
	}
	if c.ReadsTarget {
		said = append(said, "Changes the target's present value.")
	}
	if c.Capability != "" {
		said = append(said, "Capability: `"+c.Capability+"`.")
	}
	return strings.Join(append(said, fmt.Sprintf("Fuel: %d, plus what the work takes.", c.FuelUnits)), " ")
}

func functionTable(functions []catalog.Function, heading string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %s | arguments | keywords | does |\n| --- | --- | --- | --- |\n", heading)
	for _, f := range functions {
		keywords := ""
		if len(f.Keywords) > 0 {
			keywords = "`" + strings.Join(f.Keywords, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, argumentCount(f), keywords, cell(f.Doc))
	}
	return b.String() + "\n"
}

func argumentCount(f catalog.Function) string {
	switch {
	case f.MaxArgs < 0 && f.MinArgs == 0:
		return "any number"
	case f.MaxArgs < 0:
		return fmt.Sprintf("%d or more", f.MinArgs)
	case f.MinArgs == f.MaxArgs:
		return fmt.Sprint(f.MinArgs)
	}
	return fmt.Sprintf("%d to %d", f.MinArgs, f.MaxArgs)
}

// cell makes text fit into a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

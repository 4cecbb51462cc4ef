package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Markdown is the text of docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(markdownHead)
	b.WriteString("| key | flag | environment variable | default | takes | what it does |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, k := range table {
		value, flag := "none", "none"
		if k.Default != "" {
			value = "`" + k.Default + "`"
		}
		if k.Flag() != "" {
			flag = "`--" + k.Flag() + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s | %s |\n", k.Name, flag, k.Env(), value, k.Range(), k.Doc+k.marks())
	}
	b.WriteString(markdownTail)
	return b.String()
}

// marks words what is special about a key.
func (k Key) marks() string {
	marks := ""
	if k.Secret {
		marks = "; a secret"
	}
	if k.Reload {
		marks += " (reloaded)"
	}
	return marks
}

// Example is the text of deploy/config.example.yaml: every setting with its
// default, commented out.
func Example() string {
	var b strings.Builder
	b.WriteString(exampleHead)
	for _, group := range groups() {
		b.WriteString("\n")
		indent := ""
		if group != "" {
			fmt.Fprintf(&b, "#%s:\n", group)
			indent = "  "
		}
		for _, k := range table {
			prefix, member, nested := strings.Cut(k.Name, ".")
			if !nested {
				prefix, member = "", k.Name
			}
			if prefix == group {
				fmt.Fprintf(&b, "##%s %s: %s\n#%s%s: %s\n", indent, k.Doc+k.marks(), k.Range(), indent, member, k.yaml())
			}
		}
	}
	return b.String()
}

const exampleHead = `## Settings of avap serve; see docs/configuration.md. Made from the key table in
## internal/config; "make generate" writes it.
##
## Two signs at the beginning of a line make a comment, one sign a setting with its
## default: take the sign away to set it, also before the name of its group.
`

// groups are the first parts of names in the order of the table, none first.
func groups() []string {
	list := []string{""}
	for _, k := range table {
		if group, _, nested := strings.Cut(k.Name, "."); nested && !slices.Contains(list, group) {
			list = append(list, group)
		}
	}
	return list
}

// yaml is the default in YAML.
func (k Key) yaml() string {
	switch {
	case k.list != nil:
		return "[" + k.Default + "]"
	case k.Default == "":
		return `""`
	default:
		return k.Default
	}
}

// value gives a text that was checked the type it has in JSON.
func (k Key) value(text string) any {
	switch {
	case k.number != nil:
		n, _ := strconv.ParseInt(text, 10, 64)
		return n
	case k.boolean != nil:
		return text == "true"
	case k.list != nil:
		return append([]string{}, splitList(text)...)
	default:
		return text
	}
}

// Schema is a JSON schema of files of settings.
func Schema() ([]byte, error) {
	root := map[string]any{}
	for _, k := range table {
		members, member := root, k.Name
		if group, rest, nested := strings.Cut(k.Name, "."); nested {
			if _, known := root[group]; !known {
				root[group] = object(map[string]any{})
			}
			members, member = root[group].(map[string]any)["properties"].(map[string]any), rest
		}
		members[member] = k.schema()
	}
	schema := object(root)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Settings of avap serve"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return append(text, '\n'), nil
}

// object is the schema of a group, which may be empty.
func object(members map[string]any) map[string]any {
	return map[string]any{"type": []string{"object", "null"}, "properties": members, "additionalProperties": false}
}

func (k Key) schema() map[string]any {
	s := map[string]any{"description": k.Doc, "default": k.value(k.Default)}
	switch {
	case k.number != nil:
		s["type"], s["minimum"], s["maximum"] = "integer", k.Min, k.Max
	case k.boolean != nil:
		s["type"] = "boolean"
	case k.list != nil:
		s["type"], s["items"] = []string{"array", "string"}, map[string]any{"type": "string", "pattern": "^[^,]*$"}
	case len(k.Allowed) > 0:
		s["enum"] = k.Allowed
	default:
		s["type"] = "string"
	}
	if k.Secret {
		s["writeOnly"] = true
	}
	return s
}

const markdownHead = `# Configuration
<!-- Made from the key table in internal/config; "make generate" writes it. -->

` + "`avap serve`" + ` needs no configuration. Every setting has a key, a flag and an
environment variable, and can be written into a file; the flag wins over the
variable, the variable over the file, the file over the default. A variable that
is set to the empty text counts as not set. All faults are reported at once, with
the place the value came from, and the server does not start (exit code 2).

`

const markdownTail = `
## Names that are left alone
An environment variable that begins with ` + "`AVAP_`" + ` and is no setting is refused,
because it is most likely a typing error. Exempt are the variables that
Kubernetes sets for services named ` + "`avap` or `avap-…`" + `: names ending in
` + "`_SERVICE_HOST`, `_SERVICE_PORT`, `_SERVICE_PORT_<name>`, `_PORT_<number>_<protocol>`" + `
with or without ` + "`_PROTO`, `_PORT`, `_ADDR`" + `, and names ending in ` + "`_PORT`" + ` whose value is
an address such as ` + "`tcp://10.0.0.1:80`" + `.

## Files
` + "`--config FILE`, which can be given several times, or `AVAP_CONFIG`" + ` with names
separated by commas names files of settings in YAML, TOML or JSON, by the ends of
their names. They are merged in their order: what a later one sets wins. Parts of a
key are groups:

` + "```yaml\nlimits:\n  fuel: 500000000\n  time_ms: 2000\negress:\n  hosts: [api.example.com, \"*.example.org\"]\n```" + `

[deploy/config.example.yaml](../deploy/config.example.yaml) has all of them. Unknown
keys, and keys that are there twice, are refused with file and line; aliases of YAML are not
read. ` + "`avap config check FILE`" + ` tells what is wrong with a file, ` + "`avap config print --origin`" + `
what holds and where it was written, ` + "`avap config schema`" + ` prints a JSON schema for editors.

## Reloading
SIGHUP, and any change of a file of settings, of a secret or of ` + "`connectors_file`" + `, make a
running server read everything anew and take what is marked as reloaded in the table. Anything
that is wrong is logged, all of it at once, and then nothing is changed. What is not marked
holds after a restart, which is logged as well.

## Secrets
A key that is marked as a secret is never shown. Its twin with ` + "`_file`" + ` at the end names a file
of one line that holds the value; white space around it is ignored. If both are set, the one
that wins is that of the flag, the variable or the later file; both in one place are a fault.

A secret, in either place, can also be the text ` + "`vault:PATH#FIELD`" + `: then it is in a field of what
the Vault or OpenBao at ` + "`vault.address`" + ` has at that path of its API, ` + "`secret/data/avap`" + ` with the second
version of the engine KV and ` + "`kv/avap`" + ` with the first. It is read at the start and with each reload. What
cannot be read is a fault with key, path and field.

## The token
` + "`admin.token`" + ` has 16 to 4096 characters without blanks. It has no flag, because what a
process was started with can be read by all who are on the machine. Callers send it as
` + "`Authorization: Bearer <token>`" + ` to routes that store something. An address that
other machines can reach is served only if there is a token.
`

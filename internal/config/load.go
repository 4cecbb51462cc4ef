package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/avapd/avapd/internal/diag"
)

// flagValue keeps a flag's text unchecked, so that all faults can be reported
// together.
type flagValue struct{ text, kind string }

func (v *flagValue) String() string         { return v.text }
func (v *flagValue) Set(value string) error { v.text = value; return nil }
func (v *flagValue) Type() string           { return v.kind }

// AddFlags adds a flag for every key, or for those that are named.
func AddFlags(flags *pflag.FlagSet, names ...string) {
	for _, k := range table {
		if len(names) > 0 && !slices.Contains(names, k.Name) {
			continue
		}
		flags.Var(&flagValue{k.Default, k.Type()}, k.Flag(), k.Doc+" ["+k.Env()+"]")
	}
}

// Load reads the configuration from flags made by AddFlags and from the
// environment, given as os.Environ gives it. Its error is of type Faults.
func Load(flags *pflag.FlagSet, environ []string) (*Config, error) {
	// A key must be found by its flag and by its variable.
	byFlag, byEnv := map[string]Key{}, map[string]Key{}
	defaults := map[string]any{}
	for _, k := range table {
		byFlag[k.Flag()], byEnv[k.Env()] = k, k
		defaults[k.Name] = k.Default
	}

	origins := map[string]string{GoMemoryVariable: "environment"}
	values := koanf.New(".")
	layers := []koanf.Provider{
		confmap.Provider(defaults, "."),
		env.Provider(".", env.Opt{
			Prefix:      EnvPrefix,
			EnvironFunc: func() []string { return environ },
			TransformFunc: func(name, value string) (string, any) {
				k, known := byEnv[name]
				// An empty variable is how a deployment file says "not set".
				if !known || value == "" {
					return "", nil
				}
				origins[k.Name] = "environment variable " + name
				return k.Name, value
			},
		}),
		posflag.ProviderWithFlag(flags, ".", nil, func(f *pflag.Flag) (string, any) {
			k, known := byFlag[f.Name]
			if !known || !f.Changed {
				return "", nil
			}
			origins[k.Name] = "flag --" + f.Name
			return k.Name, f.Value.String()
		}),
	}
	for _, layer := range layers {
		if err := values.Load(layer, nil); err != nil {
			return nil, Faults{{"configuration", "start", err.Error()}}
		}
	}

	origin := func(key string) string {
		if o, ok := origins[key]; ok {
			return o
		}
		return "default"
	}
	c := new(Config)
	faults := unknownVariables(environ, byEnv)
	for _, k := range table {
		if err := k.store(c, values.String(k.Name)); err != nil {
			faults = append(faults, Fault{k.Name, origin(k.Name), err.Error()})
		}
	}
	if len(faults) == 0 {
		faults = c.finish(origin, environ)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return c, nil
}

// Default is the configuration without flags and environment.
func Default() *Config {
	c, err := Load(pflag.NewFlagSet("", pflag.ContinueOnError), nil)
	if err != nil {
		panic(err) // a test holds the table's defaults to its own rules
	}
	return c
}

// serviceLink matches the variables that Kubernetes puts into every container
// for a service named avap or avap-something; they are not settings. A bare
// …_PORT is one only if its value is an address such as tcp://10.0.0.1:80.
var serviceLink = regexp.MustCompile(
	`^AVAP(_[A-Z0-9_]+)?_(SERVICE_HOST=.*|SERVICE_PORT(_[A-Z0-9_]+)?=.*|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*|PORT=(tcp|udp|sctp)://.*)$`)

// unknownVariables finds variables with our prefix that are no setting: most
// likely a typing error, which would otherwise go unnoticed.
func unknownVariables(environ []string, byEnv map[string]Key) Faults {
	var faults Faults
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		_, known := byEnv[name]
		switch name {
		case ServerVariable, TokenFileVariable, CAFileVariable:
			known = true
		}
		if !strings.HasPrefix(name, EnvPrefix) || known || serviceLink.MatchString(entry) {
			continue
		}
		problem := "there is no such setting"
		if hint := diag.DidYouMean(name, envNames()); hint != "" {
			problem += "; " + hint
		}
		faults = append(faults, Fault{name, "environment", problem})
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Key, b.Key) })
	return faults
}

func envNames() []string {
	names := make([]string, len(table))
	for i, k := range table {
		names[i] = k.Env()
	}
	return names
}

// Markdown is the text of docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(markdownHead)
	b.WriteString("| key | flag | environment variable | default | takes | what it does |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, k := range table {
		value := "none"
		if k.Default != "" {
			value = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | `%s` | %s | %s | %s |\n", k.Name, k.Flag(), k.Env(), value, k.Range(), k.Doc)
	}
	b.WriteString(markdownTail)
	return b.String()
}

const markdownHead = `# Configuration
<!-- Made from the key table in internal/config; "make generate" writes it. -->

` + "`avap serve`" + ` needs no configuration. Every setting has a key, a flag and an
environment variable; the flag wins over the variable, the variable over the
default. A variable that is set to the empty text counts as not set. All faults
are reported at once, with the place the value came from, and the server does
not start (exit code 2).

`

const markdownTail = `
## Names that are left alone
An environment variable that begins with ` + "`AVAP_`" + ` and is no setting is refused,
because it is most likely a typing error. Exempt are the variables that
Kubernetes sets for services named ` + "`avap` or `avap-…`" + `: names ending in
` + "`_SERVICE_HOST`, `_SERVICE_PORT`, `_SERVICE_PORT_<name>`, `_PORT_<number>_<protocol>`" + `
with or without ` + "`_PROTO`, `_PORT`, `_ADDR`" + `, and names ending in ` + "`_PORT`" + ` whose value is
an address such as ` + "`tcp://10.0.0.1:80`" + `.

## The token
` + "`admin.token_file`" + ` names a file that holds one token of 16 to 4096 characters
without blanks; white space around it is ignored. Callers send it as
` + "`Authorization: Bearer <token>`" + ` to routes that store something. An address that
other machines can reach is served only if there is a token.
`

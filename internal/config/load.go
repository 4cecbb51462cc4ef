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
	"github.com/avapd/avapd/internal/vault"
)

// flagValue keeps a flag's text unchecked, so that all faults can be reported
// together.
type flagValue struct{ text, kind string }

func (v *flagValue) String() string         { return v.text }
func (v *flagValue) Set(value string) error { v.text = value; return nil }
func (v *flagValue) Type() string           { return v.kind }

// filesFlag names the files to read.
const filesFlag = "config"

// AddFlags adds a flag for every key, or for those that are named, and one for
// files.
func AddFlags(flags *pflag.FlagSet, names ...string) {
	flags.StringArray(filesFlag, nil, "`FILE` of settings in YAML, TOML or JSON; can be given several times, the last one wins ["+FilesVariable+"]")
	for _, k := range table {
		if len(names) > 0 && !slices.Contains(names, k.Name) || k.Flag() == "" {
			continue
		}
		flags.Var(&flagValue{k.Default, k.Type()}, k.Flag(), k.Doc+" ["+k.Env()+"]")
	}
}

// Settings is what was read, value by value.
type Settings struct {
	Config *Config
	// values are texts by key, origins where they were written; what is not in
	// there is a default.
	values  map[string]string
	origins map[string]origin
	files   []string
	goLimit int64
	// digests are those of files that keys name.
	digests map[string]string
}

// origin is where a value was written. Of a secret and its twin the one of the
// higher layer counts.
type origin struct {
	layer int
	text  string
}

// Load reads the configuration from flags made by AddFlags, from the environment,
// given as os.Environ gives it, and from the files that one of them names. Its
// error is of type Faults.
func Load(flags *pflag.FlagSet, environ []string) (*Config, error) {
	s, err := Read(flags, environ)
	if err != nil {
		return nil, err
	}
	return s.Config, nil
}

// Read is Load, with where the values come from.
func Read(flags *pflag.FlagSet, environ []string) (*Settings, error) {
	s := &Settings{origins: map[string]origin{GoMemoryVariable: {text: "environment"}}, files: configFiles(flags, environ), goLimit: goMemoryLimit(environ)}
	faults := s.gather(flags, environ)
	faults = append(faults, s.build(faults)...)
	if len(faults) > 0 {
		return nil, faults
	}
	return s, nil
}

// ReadFiles reads files alone.
func ReadFiles(files []string) (*Settings, error) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	AddFlags(flags)
	for _, path := range files {
		if err := flags.Set(filesFlag, path); err != nil {
			return nil, Faults{{"config", path, err.Error()}}
		}
	}
	return Read(flags, nil)
}

// gather merges the layers and opens the files of secrets.
func (s *Settings) gather(flags *pflag.FlagSet, environ []string) Faults {
	// A key must be found by its flag and by its variable.
	byFlag, byEnv := map[string]Key{}, map[string]Key{}
	defaults := map[string]any{}
	for _, k := range table {
		byEnv[k.Env()] = k
		if k.Flag() != "" {
			byFlag[k.Flag()] = k
		}
		defaults[k.Name] = k.Default
	}
	faults := unknownVariables(environ, byEnv)
	layers := []koanf.Provider{confmap.Provider(defaults, ".")}
	for _, path := range s.files {
		file, more := readFile(path)
		faults = append(faults, more...)
		layers = append(layers, confmap.Provider(file.values, "."))
		for name, line := range file.lines {
			s.origins[name] = origin{len(layers), fmt.Sprintf("%s:%d", path, line)}
		}
	}
	layers = append(layers, env.Provider(".", env.Opt{
		Prefix:      EnvPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			k, known := byEnv[name]
			// An empty variable is how a deployment file says "not set".
			if !known || value == "" {
				return "", nil
			}
			s.origins[k.Name] = origin{len(layers) + 1, "environment variable " + name}
			return k.Name, value
		},
	}), posflag.ProviderWithFlag(flags, ".", nil, func(f *pflag.Flag) (string, any) {
		k, known := byFlag[f.Name]
		if !known || !f.Changed {
			return "", nil
		}
		s.origins[k.Name] = origin{len(layers) + 2, "flag --" + f.Name}
		return k.Name, f.Value.String()
	}))
	merged := koanf.New(".")
	for _, layer := range layers {
		if err := merged.Load(layer, nil); err != nil {
			return Faults{{"configuration", "start", err.Error()}}
		}
	}
	s.values = map[string]string{}
	for _, k := range table {
		s.values[k.Name] = merged.String(k.Name)
	}
	s.digestFiles()
	faults = append(faults, s.openSecrets()...)
	return append(faults, s.openVault()...)
}

// openSecrets reads the files that hold secrets.
func (s *Settings) openSecrets() Faults {
	var faults Faults
	for _, k := range table {
		path := s.values[k.Name]
		if k.holds == "" || path == "" {
			continue
		}
		own, file := s.origins[k.holds], s.origins[k.Name]
		switch {
		case s.values[k.holds] == "" || own.layer < file.layer:
		case own.layer > file.layer:
			continue
		default:
			faults = append(faults, Fault{k.Name, file.text, k.holds + " is set too; one of the two is enough"})
			continue
		}
		secret, err := readSecret(path)
		if held, _ := find(k.holds); err == nil && held.check != nil && !vault.IsReference(secret) {
			err = held.check(secret)
		}
		if err != nil {
			faults = append(faults, Fault{k.Name, file.text, err.Error()})
			secret = ""
		}
		s.values[k.holds], s.origins[k.holds] = secret, origin{file.layer, "file " + path}
	}
	return faults
}

// build makes the Config of the values.
func (s *Settings) build(known Faults) Faults {
	s.Config = new(Config)
	r := &review{origin: s.Origin, faulty: map[string]bool{}, goLimit: s.goLimit}
	for _, fault := range known {
		r.faulty[fault.Key] = true
	}
	for _, k := range table {
		if err := k.store(s.Config, s.values[k.Name]); err != nil {
			r.add(k.Name, "%v", err)
			// What depends on this key is checked as if it had not been set.
			_ = k.store(s.Config, k.Default)
		}
	}
	s.Config.finish(r)
	return r.faults
}

// Origin says where the value of a key was written.
func (s *Settings) Origin(key string) string {
	if o, ok := s.origins[key]; ok {
		return o.text
	}
	return "default"
}

// configFiles are the files to read, in order.
func configFiles(flags *pflag.FlagSet, environ []string) []string {
	if f := flags.Lookup(filesFlag); f != nil && f.Changed {
		files, _ := flags.GetStringArray(filesFlag)
		return files
	}
	var files []string
	for _, entry := range environ {
		if list, ok := strings.CutPrefix(entry, FilesVariable+"="); ok {
			files = splitList(list)
		}
	}
	return files
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
		case ServerVariable, TokenFileVariable, CAFileVariable, ClientCertFileVariable, ClientKeyFileVariable, FilesVariable:
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

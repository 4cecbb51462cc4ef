package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/avapd/avapd/internal/config"
)

const deployDir = "../../deploy"

// composition is what is checked of deploy/compose.yaml.
type composition struct {
	Services map[string]struct {
		Image       string
		User        string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Environment map[string]string
		Secrets     []string
		Volumes     []string
		Networks    []string
		Ports       []string
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		Healthcheck struct{ Test []string }
		MemLimit    string `yaml:"mem_limit"`
		PidsLimit   int    `yaml:"pids_limit"`
		Build       struct{ Context string }
	}
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]struct{}
	Secrets  map[string]struct{ File string }
}

func readComposition(t *testing.T) *composition {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(deployDir, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c := new(composition)
	if err := yaml.Unmarshal(content, c); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"avap", "postgres", "redis", "prometheus"} {
		if _, ok := c.Services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
	return c
}

// TestComposition holds deploy/compose.yaml to what it promises: every service is
// confined, bounded and watched, and all that it refers to is there.
func TestComposition(t *testing.T) {
	c := readComposition(t)
	for name, s := range c.Services {
		if user, _, _ := strings.Cut(s.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("%s runs as %q", name, s.User)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s is not confined", name)
		}
		if s.MemLimit == "" || s.PidsLimit == 0 || len(s.Healthcheck.Test) < 2 || !hasVersion(s.Image, s.Build.Context != "") {
			t.Errorf("%s has no limit, no health check or no fixed image", name)
		}
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "" {
				t.Errorf("%s has a secret %s that is nowhere", name, secret)
			}
		}
		for _, network := range s.Networks {
			if _, ok := c.Networks[network]; !ok {
				t.Errorf("%s is in a network %s that is nowhere", name, network)
			}
		}
		for other := range s.DependsOn {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s waits for %s, which is nowhere", name, other)
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if _, named := c.Volumes[source]; !named {
				exists(t, filepath.Join(deployDir, source))
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is open to other machines: %s", name, port)
			}
		}
		for variable, value := range s.Environment {
			file, isFile := strings.CutPrefix(value, "/run/secrets/")
			if isFile && !slices.Contains(s.Secrets, file) {
				t.Errorf("%s: %s is the file of no secret", name, variable)
			}
			if !isFile && strings.HasSuffix(variable, "PASSWORD") {
				t.Errorf("%s: %s is a secret in the open", name, variable)
			}
		}
	}
	for _, name := range []string{"postgres", "redis"} {
		if networks := c.Services[name].Networks; !slices.Equal(networks, []string{"back"}) || !c.Networks["back"].Internal {
			t.Errorf("%s can be reached from networks %v", name, networks)
		}
	}
	exists(t, filepath.Join(deployDir, c.Services["avap"].Build.Context, "Dockerfile"))
}

// hasVersion reports whether an image is the same tomorrow; one that is built here
// needs no version.
func hasVersion(image string, isBuilt bool) bool {
	name, tag, _ := strings.Cut(image, ":")
	return name != "" && tag != "latest" && (tag != "" || isBuilt)
}

func exists(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestCompositionSettings reads the settings of the server in deploy/compose.yaml as
// the server does, with secrets as deploy/make-secrets makes them.
func TestCompositionSettings(t *testing.T) {
	c := readComposition(t)
	dir := makeSecrets(t)
	var environ []string
	for name, value := range c.Services["avap"].Environment {
		if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok {
			value = filepath.Join(dir, filepath.Base(c.Secrets[secret].File))
		}
		environ = append(environ, name+"="+value)
	}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.AddFlags(flags)
	settings, err := config.Load(flags, environ)
	if err != nil {
		t.Fatal(err)
	}
	password, err := os.ReadFile(filepath.Join(dir, "postgres_password"))
	if err != nil || len(password) < 32 || !strings.Contains(settings.Postgres.URL, string(password)) {
		t.Errorf("%v: the password of PostgreSQL is not in its URL", err)
	}
	if health := c.Services["avap"].Healthcheck.Test; !strings.HasSuffix(health[len(health)-1], settings.Admin.Listen) {
		t.Errorf("the health check asks %v, operators are served on %s", health, settings.Admin.Listen)
	}
}

// makeSecrets runs deploy/make-secrets, twice as it must change nothing that is
// there, and checks that all secrets of deploy/compose.yaml came of it.
func makeSecrets(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	var first string
	for range 2 {
		if out, err := exec.CommandContext(t.Context(), filepath.Join(deployDir, "make-secrets"), dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		token, err := os.ReadFile(filepath.Join(dir, "token"))
		if err != nil || first != "" && first != string(token) {
			t.Fatalf("%v: the token is another one the second time", err)
		}
		first = string(token)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v: others get into the directory of the secrets: %v", err, info.Mode())
	}
	for _, secret := range readComposition(t).Secrets {
		exists(t, filepath.Join(dir, filepath.Base(secret.File)))
	}
	return dir
}

// TestPrometheusConfiguration has promtool check what Prometheus is given.
func TestPrometheusConfiguration(t *testing.T) {
	file := filepath.Join(deployDir, "prometheus.yml")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	admin := readComposition(t).Services["avap"].Environment["AVAP_ADMIN_LISTEN"]
	if !strings.Contains(string(content), `"avap`+admin+`"`) {
		t.Errorf("the server is not asked at avap%s", admin)
	}
	run(t, "promtool", "check", "config", file)
}

// TestUnit has systemd check deploy/avap.service, with a program that is there in
// place of an installed one.
func TestUnit(t *testing.T) {
	program, err := exec.LookPath("avap")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(deployDir, "avap.service"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(content), "ExecStart=/usr/local/bin/avap ", "ExecStart="+program+" ", 1)
	unit := filepath.Join(t.TempDir(), "avap.service")
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range config.Keys() {
		text = strings.Replace(text, key.Env()+"=", "", 1)
	}
	if i := strings.Index(text, config.EnvPrefix); i >= 0 {
		t.Errorf("there is no setting %.40q", text[i:])
	}
	if out := run(t, "systemd-analyze", "verify", "--man=no", unit); out != "" {
		t.Errorf("systemd-analyze verify says\n%s", out)
	}
	// The scale goes from 0, all that can be forbidden is, to 10.
	run(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
}

// run gives what a program of the machine says, which has to end well; without it
// the test is skipped.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s", program)
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

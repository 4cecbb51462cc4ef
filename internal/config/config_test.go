package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write what is made from the key table, and what tests expect")

func load(t *testing.T, args, environ []string) (*Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(flags, environ)
}

func TestDefaults(t *testing.T) {
	c, err := load(t, nil, []string{"HOME=/root"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8888" || c.Limits.Fuel != 1e9 || c.ReadTimeout().Seconds() != 30 {
		t.Errorf("defaults are %+v", c)
	}
	if c.Limits != c.LimitsMax {
		t.Errorf("maxima %+v do not follow the limits %+v", c.LimitsMax, c.Limits)
	}
}

// The defaults of the language's definition.
func TestDefaultLimits(t *testing.T) {
	c, err := load(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Limits{Fuel: 1e9, TimeMS: 5000, MemoryBytes: 1024 * 65536, CallDepth: 1000, OutputBytes: 8 << 20}
	if diff := cmp.Diff(want, c.Limits); diff != "" {
		t.Error(diff)
	}
	if c.SourceLimitBytes != 1<<20 {
		t.Errorf("source limit is %d", c.SourceLimitBytes)
	}
}

func TestPrecedence(t *testing.T) {
	environ := []string{"AVAP_LOG_LEVEL=warn", "AVAP_CACHE_BYTES=7000000", "AVAP_LOG_FORMAT="}
	c, err := load(t, []string{"--log-level=debug"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	if c.Log.Level != "debug" || c.CacheBytes != 7_000_000 || c.Log.Format != "json" {
		t.Errorf("got level %q, cache %d, format %q; want debug of the flag, 7000000 of the environment, json of the default", c.Log.Level, c.CacheBytes, c.Log.Format)
	}
}

func TestFaults(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		args    []string
		environ []string
		want    string
	}{
		{
			"all at once",
			[]string{"--cache-bytes=lots"},
			[]string{"AVAP_LOG_LEVEL=loud", "AVAP_LISTN=x"},
			"AVAP_LISTN (from environment): there is no such setting; did you mean AVAP_LISTEN?\n" +
				"log.level (from environment variable AVAP_LOG_LEVEL): \"loud\" is not one of debug, info, warn, error\n" +
				"cache.bytes (from flag --cache-bytes): \"lots\" is not a whole number from 1048576 to 68719476736",
		},
		{
			"out of range",
			[]string{"--limits-time-ms=0"},
			nil,
			`limits.time_ms (from flag --limits-time-ms): "0" is not a whole number from 1 to 3600000`,
		},
		{
			"beyond 64 bits",
			[]string{"--limits-fuel=99999999999999999999"},
			nil,
			`limits.fuel (from flag --limits-fuel): "99999999999999999999" is not a whole number from 1 to 1152921504606846976`,
		},
		{
			"above the maximum",
			[]string{"--limits-fuel-max=5"},
			nil,
			"limits.fuel (from default): 1000000000 is more than limits.fuel_max, which is 5; raise that too",
		},
		{
			"strangers",
			[]string{"--auth-anonymous=some", "--auth-anonymous-scopes=execute,keys:write", "--auth-hosts=build.lan:80"},
			nil,
			"auth.anonymous (from flag --auth-anonymous): \"some\" is not one of loopback, always, never\n" +
				"auth.anonymous_scopes (from flag --auth-anonymous-scopes): keys:write are only for those who are known\n" +
				"auth.hosts (from flag --auth-hosts): \"build.lan:80\" is no name of a host alone, such as build.lan",
		},
		{
			"no port",
			[]string{"--listen=localhost"},
			nil,
			`listen (from flag --listen): "localhost" is not host:port, such as 127.0.0.1:8888`,
		},
		{
			"reachable", nil,
			[]string{"AVAP_LISTEN=:8888"},
			"listen (from environment variable AVAP_LISTEN): :8888 can be reached by other machines; set AVAP_ADMIN_TOKEN_FILE to a file that holds a token of at least 16 characters, or listen on 127.0.0.1",
		},
		{
			"short token",
			[]string{"--admin-token-file", short},
			nil,
			"admin.token_file (from flag --admin-token-file): the token has 3 characters; it needs at least 16, such as `openssl rand -hex 32` makes",
		},
		{
			"no token file",
			[]string{"--admin-token-file", short + "er"},
			nil,
			"admin.token_file (from flag --admin-token-file): the file cannot be read: no such file or directory",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.args, test.environ)
			if err == nil {
				t.Fatal("no fault found")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReachableAddressWithToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("  0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, []string{"--listen=0.0.0.0:80"}, []string{"AVAP_ADMIN_TOKEN_FILE=" + path})
	if err != nil {
		t.Fatal(err)
	}
	if c.Admin.Token != "0123456789abcdef" {
		t.Errorf("token is %q", c.Admin.Token)
	}
}

func TestServiceLinks(t *testing.T) {
	links := []string{
		"AVAP_SERVICE_HOST=10.0.0.1", "AVAP_SERVICE_PORT=8888", "AVAP_SERVICE_PORT_HTTP=8888",
		"AVAP_PORT=tcp://10.0.0.1:8888", "AVAP_PORT_8888_TCP=tcp://10.0.0.1:8888", "AVAP_PORT_8888_TCP_ADDR=10.0.0.1",
		"AVAP_BLUE_GREEN_SERVICE_HOST=10.0.0.1", "AVAP_BLUE_PORT=udp://10.0.0.1:1",
	}
	if _, err := load(t, nil, links); err != nil {
		t.Error(err)
	}
	if _, err := load(t, nil, []string{"AVAP_PORT=8888"}); err == nil {
		t.Error("AVAP_PORT=8888 is not a service link, and no setting")
	}
}

// Every key has its own place, a unit last in the name of a quantity, and a
// default that passes its own check.
func TestTable(t *testing.T) {
	seen := map[any]string{}
	c := new(Config)
	for _, k := range Keys() {
		if k.holds != "" {
			if secret, known := find(k.holds); !known || !secret.Secret || k.Name != k.holds+"_file" {
				t.Errorf("%s is no twin of a secret", k.Name)
			}
			continue
		}
		var place any
		switch {
		case k.number != nil:
			place = k.number(c)
		case k.boolean != nil:
			place = k.boolean(c)
		case k.list != nil:
			place = k.list(c)
		default:
			place = k.text(c)
		}
		if other, taken := seen[reflect.ValueOf(place).Pointer()]; taken {
			t.Errorf("%s and %s share a place", k.Name, other)
		}
		seen[reflect.ValueOf(place).Pointer()] = k.Name
		if err := k.store(c, k.Default); err != nil {
			t.Errorf("default of %s: %v", k.Name, err)
		}
		if k.Doc == "" || strings.HasSuffix(k.Doc, ".") {
			t.Errorf("doc line of %s: %q", k.Name, k.Doc)
		}
	}
}

func TestDocumentationIsFresh(t *testing.T) {
	for path, want := range map[string]string{"docs/configuration.md": Markdown(), "deploy/config.example.yaml": Example()} {
		golden(t, filepath.Join("..", "..", filepath.FromSlash(path)), want)
	}
}

// golden compares a file with what it should be, or writes it.
func golden(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("%s is not what the key table says; run make generate: %s", path, diff)
	}
}

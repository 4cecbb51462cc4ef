package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/egress"
	"github.com/avapd/avapd/internal/memory"
	"github.com/avapd/avapd/internal/ratelimit"
)

// The headers in which proxies say who a request comes from.
const (
	XForwardedFor = "x-forwarded-for"
	Forwarded     = "forwarded"
)

// What becomes of members whose name is there twice.
const (
	LastDuplicate    = "last"
	RefuseDuplicates = "refuse"
)

// Config is the whole configuration, checked.
type Config struct {
	Listen  string
	DataDir string
	Log     struct{ Level, Format string }
	// Auth says who is answered who shows no credentials, and under which names;
	// Scopes are what AnonymousScopes names.
	Auth struct {
		Anonymous              string
		AnonymousScopes, Hosts []string
		Scopes                 auth.Scope
		// PublicURL is what clients believe the server's address to be, SignatureWindowMS
		// how long signatures of requests may hold, and SignatureNonces how many of
		// them are remembered.
		PublicURL                          string
		SignatureWindowMS, SignatureNonces int64
	}
	// TLS names the files of the certificates.
	TLS struct{ CertFile, KeyFile, ClientCAFile string }
	// Listen is where operators ask, or empty.
	Admin struct{ Token, Listen string }
	HTTP  struct {
		BodyLimitBytes   int64
		HeaderLimitBytes int64
		Connections      int64
		ReadTimeoutMS    int64
		WriteTimeoutMS   int64
		IdleTimeoutMS    int64
		// TrustedProxies are believed what ForwardedHeader says; ProxyPrefixes is
		// what they are.
		TrustedProxies  []string
		ProxyPrefixes   []netip.Prefix
		ForwardedHeader string
		// JSONDepth and JSONMembers bound bodies.
		JSONDepth, JSONMembers     int64
		JSONDuplicates             string
		CompressBytes, HSTSSeconds int64
	}
	// CORS says which pages may use the API.
	CORS struct {
		Origins       []string
		MaxAgeSeconds int64
	}
	// Rates are texts that ratelimit.ParseRate reads.
	Rates struct {
		Address, Client, Execute, Change, Read string
		Keys                                   int64
	}
	// Admission bounds the executions under way.
	Admission struct{ DelayMS, Places, QueueLength, ClientQueueLength, WaitMS int64 }
	// Quotas bound what a client uses in a window.
	Quotas struct{ WindowSeconds, Fuel, TimeMS, MemoryMiBSeconds int64 }
	// Idempotency bounds what is kept of requests with a key.
	Idempotency struct{ Keys, Bytes, KeepSeconds int64 }
	// Limits hold for a request that names none, LimitsMax bound what a request
	// may name.
	Limits, LimitsMax Limits
	SourceLimitBytes  int64
	// Egress says which servers scripts may reach over HTTP.
	Egress struct {
		Allow, Deny, Hosts []string
		// AllowPrefixes and DenyPrefixes are what the lists name.
		AllowPrefixes, DenyPrefixes []netip.Prefix
		// Requests bounds those under way at once, ClientRequests those of one
		// client.
		Requests, ClientRequests int64
	}
	// Data is the database of scripts.
	Data struct {
		URL               string
		RequireParameters bool
		// Connections bounds those to each PostgreSQL database, ClientConnections
		// those of one client.
		Connections, ClientConnections int64
	}
	// Postgres is the database of the server's own data.
	Postgres struct{ URL string }
	// Vault is where secrets are that settings only refer to. Token, SecretID or JWT
	// shows who asks, as Auth says.
	Vault struct {
		Address, Namespace, CAFile string
		Auth, AuthMount, Role      string
		Token, SecretID, JWT       string
		TimeoutMS                  int64
	}
	// Redis is what nodes share.
	Redis struct{ URL string }
	// Registry is about the registered commands.
	Registry struct {
		ArtifactLimitBytes, KeepUnusedMS, RefreshMS int64
		// CompileAheadPercent is of CacheBytes.
		CompileAheadPercent       int64
		SigningKeyFile, TrustFile string
	}
	// Time says what dates without a zone mean; Location is Zone's.
	Time struct {
		Zone     string
		Location *time.Location
	}
	Connectors struct {
		File   string
		Tokens bool
	}
	CacheBytes int64
	// Batch bounds the items of one request, together and at once.
	Batch struct{ Items, Parallelism, TimeMS, OutputBytes int64 }
	// Executions says how many are kept that have ended.
	Executions struct{ Kept int64 }
	// Audit is about the audit log.
	Audit struct {
		Durability, Inputs              string
		AtRiskMS, WaitMS, BufferRecords int64
		CheckpointRecords, CheckpointMS int64
		KeepDays, KeepBytes             int64
	}
	// MemoryTotalBytes bounds all executions together, MemoryClientBytes those of
	// one client.
	MemoryTotalBytes, MemoryClientBytes int64
	// Memory is how that of the process is shared out.
	Memory  memory.Parts
	Compute struct{ Slots, QueueLength, ClientQueueLength int64 }
	// Tracing says where spans go; nowhere without an endpoint.
	Tracing struct {
		Endpoint, Protocol, Headers string
		RequestsPerMillion          int64
		ParentBased                 bool
	}
	// GC are the garbage collector's settings.
	GC struct{ Percent, MemoryBytes int64 }

	// Trial is what the first runs of a script may use before it is compiled to
	// machine code.
	Trial struct{ Fuel int64 }
	// Shadow is the share of executions that are repeated.
	Shadow struct{ RunsPerMillion int64 }

	ShutdownTimeoutMS, ShutdownUnreadyMS int64
	// Hardening says what the server gives up when it has started.
	Hardening struct {
		Landlock              string
		ReadPaths, WritePaths []string
	}
}

// Limits bound one execution.
type Limits struct {
	Fuel        int64
	TimeMS      int64
	MemoryBytes int64
	CallDepth   int64
	OutputBytes int64
}

// ReadTimeout is the time a client has to send a request.
func (c *Config) ReadTimeout() time.Duration { return milliseconds(c.HTTP.ReadTimeoutMS) }

// WriteTimeout is the time a client has to take an answer.
func (c *Config) WriteTimeout() time.Duration { return milliseconds(c.HTTP.WriteTimeoutMS) }

// IdleTimeout is the time a connection may stay open between requests.
func (c *Config) IdleTimeout() time.Duration { return milliseconds(c.HTTP.IdleTimeoutMS) }

// BatchTime is the time that all items of a batch have together.
func (c *Config) BatchTime() time.Duration { return milliseconds(c.Batch.TimeMS) }

// SignatureWindow is how long signatures of requests may hold.
func (c *Config) SignatureWindow() time.Duration { return milliseconds(c.Auth.SignatureWindowMS) }

// ShutdownTimeout is the time running requests have to end after a stop signal.
func (c *Config) ShutdownTimeout() time.Duration { return milliseconds(c.ShutdownTimeoutMS) }

// ShutdownUnready is the time after a stop signal in which requests are still taken.
func (c *Config) ShutdownUnready() time.Duration { return milliseconds(c.ShutdownUnreadyMS) }

// RegistryKeepUnused is how long is kept what nothing names any more; 0 is for good.
func (c *Config) RegistryKeepUnused() time.Duration { return milliseconds(c.Registry.KeepUnusedMS) }

// RegistryRefresh is how often the commands are compared with the store.
func (c *Config) RegistryRefresh() time.Duration { return milliseconds(c.Registry.RefreshMS) }

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// Fault is one thing that is wrong with the configuration.
type Fault struct {
	// Key is the dotted name, or the name of the environment variable when no
	// key has it.
	Key string `json:"key"`
	// Origin says where the value was written.
	Origin string `json:"origin"`
	// Problem says what is wrong with it and what would be right.
	Problem string `json:"problem"`
}

func (f Fault) Error() string { return fmt.Sprintf("%s (from %s): %s", f.Key, f.Origin, f.Problem) }

// Faults are all things that are wrong with the configuration.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// review checks what concerns several keys, and fills in what follows from
// others. It tells no fault of a key that has one already, or that is measured by
// such a key.
type review struct {
	origin func(key string) string
	faulty map[string]bool
	faults Faults
	// goLimit is what the environment told the Go runtime.
	goLimit int64
}

func (r *review) add(key, format string, args ...any) {
	if !r.faulty[key] {
		r.faulty[key] = true
		r.faults = append(r.faults, Fault{key, r.origin(key), fmt.Sprintf(format, args...)})
	}
}

func (c *Config) finish(r *review) {
	for _, pair := range c.limitPairs() {
		if *pair.most == 0 {
			*pair.most = pair.usual
		}
		if pair.usual > *pair.most && !r.faulty[pair.mostKey] {
			r.add(pair.key, "%d is more than %s, which is %d; raise that too", pair.usual, pair.mostKey, *pair.most)
		}
	}
	if c.SourceLimitBytes > c.HTTP.BodyLimitBytes && !r.faulty["http.body_limit_bytes"] {
		r.add("limits.source_bytes", "%d is more than http.body_limit_bytes, which is %d; raise that too", c.SourceLimitBytes, c.HTTP.BodyLimitBytes)
	}
	c.shareMemory(memory.LimitBytes(), r.goLimit, r.add)
	var err error
	if c.Egress.AllowPrefixes, err = egress.ParsePrefixes(strings.Join(c.Egress.Allow, ",")); err != nil {
		r.add("egress.allow", "%v", err)
	}
	if c.Egress.DenyPrefixes, err = egress.ParsePrefixes(strings.Join(c.Egress.Deny, ",")); err != nil {
		r.add("egress.deny", "%v", err)
	}
	c.finishAuth(r)
	c.checkVault(r.add)
	if c.HTTP.ProxyPrefixes, err = egress.ParsePrefixes(strings.Join(c.HTTP.TrustedProxies, ",")); err != nil {
		r.add("http.trusted_proxies", "%v", err)
	}
	if err := checkOrigins(c.CORS.Origins); err != nil {
		r.add("cors.origins", "%v", err)
	}
	location, err := time.LoadLocation(c.Time.Zone)
	if err != nil || c.Time.Zone == "Local" {
		r.add("time.zone", "there is no time zone %q; names look like Europe/Madrid", c.Time.Zone)
	}
	c.Time.Location = location
	if err := c.checkListen(); err != nil && !r.faulty["admin.token"] && !r.faulty["admin.token_file"] {
		r.add("listen", "%v", err)
	}
}

// Words of auth.anonymous.
const (
	AnonymousLoopback = "loopback"
	AnonymousAlways   = "always"
	AnonymousNever    = "never"
)

// harmless are the scopes that strangers can be given.
const harmless = auth.Execute | auth.Check | auth.ReadCommands | auth.ReadApps | auth.ReadExecutions | auth.ReadMetrics

func (c *Config) finishAuth(r *review) {
	scopes, err := auth.ParseScopes(c.Auth.AnonymousScopes)
	switch {
	case err != nil:
		r.add("auth.anonymous_scopes", "%v", err)
	case scopes&^harmless != 0:
		r.add("auth.anonymous_scopes", "%s are only for those who are known", scopes&^harmless)
	}
	c.Auth.Scopes = scopes
	if c.Auth.PublicURL != "" {
		u, err := url.Parse(c.Auth.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			r.add("auth.public_url", "%q is no address without a path, such as https://avap.example.com", c.Auth.PublicURL)
		}
	}
	switch {
	case c.TLS.CertFile != "" && c.TLS.KeyFile == "":
		r.add("tls.cert_file", "tls.key_file is needed, too")
	case c.TLS.CertFile == "" && c.TLS.KeyFile != "":
		r.add("tls.key_file", "tls.cert_file is needed, too")
	case c.TLS.CertFile == "" && c.TLS.ClientCAFile != "":
		r.add("tls.client_ca_file", "clients show certificates only to a server that has one; set tls.cert_file and tls.key_file")
	}
	for _, host := range c.Auth.Hosts {
		if strings.ContainsAny(host, ":/*") {
			r.add("auth.hosts", "%q is no name of a host alone, such as build.lan", host)
		}
	}
}

// maxSecretBytes bounds a file that holds a secret.
const maxSecretBytes = 64 << 10

// readSecret reads a file that holds one line.
func readSecret(path string) (string, error) {
	content, err := readBounded(path, maxSecretBytes)
	if err != nil {
		return "", err
	}
	return oneLine(string(content))
}

// oneLine takes the white space around a secret off.
func oneLine(text string) (string, error) {
	secret := strings.TrimSpace(text)
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", errors.New("what is there is not one line")
	}
	return secret, nil
}

// readBounded reads a whole file, if it is not too large.
func readBounded(path string, maxBytes int64) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", errors.Unwrap(err))
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the file cannot be read: %w", errors.Unwrap(err))
	case int64(len(content)) > maxBytes:
		return nil, fmt.Errorf("the file has more than %d bytes", maxBytes)
	}
	return content, nil
}

type limitPair struct {
	key, mostKey string
	usual        int64
	most         *int64
}

func (c *Config) limitPairs() []limitPair {
	return []limitPair{
		{"limits.fuel", "limits.fuel_max", c.Limits.Fuel, &c.LimitsMax.Fuel},
		{"limits.time_ms", "limits.time_max_ms", c.Limits.TimeMS, &c.LimitsMax.TimeMS},
		{"limits.memory_bytes", "limits.memory_max_bytes", c.Limits.MemoryBytes, &c.LimitsMax.MemoryBytes},
		{"limits.call_depth", "limits.call_depth_max", c.Limits.CallDepth, &c.LimitsMax.CallDepth},
		{"limits.output_bytes", "limits.output_max_bytes", c.Limits.OutputBytes, &c.LimitsMax.OutputBytes},
	}
}

// checkListen refuses an address that other machines can reach unless there is
// a token: whoever can reach the port can run scripts on this machine.
func (c *Config) checkListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as 127.0.0.1:8888", c.Listen)
	}
	if IsLoopback(host) || c.Admin.Token != "" {
		return nil
	}
	return fmt.Errorf("%s can be reached by other machines; set %sADMIN_TOKEN_FILE to a file that holds a token of at least %d characters, or listen on 127.0.0.1",
		c.Listen, EnvPrefix, minTokenLength)
}

// IsLoopback reports whether a host of a listen address is this machine only.
// Names other than localhost count as reachable: what they resolve to may
// change.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

const (
	minTokenLength  = 16
	maxTokenLength  = 4096
	tokenCharacters = "letters, digits and punctuation without blanks"
)

// ReadToken reads a file that holds a token. The token must be sendable in a header.
func ReadToken(path string) (string, error) {
	token, err := readSecret(path)
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return "", err
	}
	return token, nil
}

// checkRate refuses what is no rate.
func checkRate(text string) error {
	_, err := ratelimit.ParseRate(text)
	return err
}

// checkOrigins refuses what no browser sends as an origin.
func checkOrigins(origins []string) error {
	for _, origin := range origins {
		if origin == "*" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+strings.ToLower(u.Host) != origin {
			return fmt.Errorf("%q is no origin; origins look like https://app.example.com, in small letters and without a slash at the end", origin)
		}
	}
	return nil
}

// checkAddress refuses what is no address to listen on.
func checkAddress(address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("%q is not host:port, such as 127.0.0.1:8889", address)
	}
	return nil
}

func checkToken(token string) error {
	switch {
	case len(token) < minTokenLength:
		return fmt.Errorf("the token has %d characters; it needs at least %d, such as `openssl rand -hex 32` makes", len(token), minTokenLength)
	case len(token) > maxTokenLength:
		return fmt.Errorf("the token has more than %d characters", maxTokenLength)
	case slices.ContainsFunc([]byte(token), func(b byte) bool { return b <= ' ' || b >= 0x7f }):
		return errors.New("a token consists of " + tokenCharacters)
	}
	return nil
}

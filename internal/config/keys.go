package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/avapd/avapd/internal/vault"
)

// EnvPrefix begins the name of every environment variable of the product.
const EnvPrefix = "AVAP_"

// Variables that the command line reads when it talks to a server. They are no
// settings of the server, which does not mind them.
const (
	ServerVariable         = EnvPrefix + "SERVER"
	TokenFileVariable      = EnvPrefix + "TOKEN_FILE"
	CAFileVariable         = EnvPrefix + "CA_FILE"
	ClientCertFileVariable = EnvPrefix + "CLIENT_CERT_FILE"
	ClientKeyFileVariable  = EnvPrefix + "CLIENT_KEY_FILE"
)

// FilesVariable names the files of settings, separated by commas.
const FilesVariable = EnvPrefix + "CONFIG"

// Key is one line of the table.
type Key struct {
	// Name is the dotted name; a unit stands last in it.
	Name string
	// Default is the value in the form a user would write it.
	Default string
	// Doc says what the setting does, in one sentence without a final stop.
	Doc string
	// Allowed lists the values of a setting that takes one of a few words.
	Allowed []string
	// Min and Max bound a number.
	Min, Max int64
	// Secret marks a value that is never shown. The key has a twin with "_file"
	// at the end of its name, which names a file that holds the value.
	Secret bool
	// Reload marks a setting that a running server takes anew.
	Reload bool

	// Exactly one of these points at the setting's place in a Config; a twin has
	// the name of its secret instead.
	text    func(*Config) *string
	number  func(*Config) *int64
	boolean func(*Config) *bool
	list    func(*Config) *[]string
	holds   string
	// isFile marks the path of a file that a running server reads anew.
	isFile bool
	// check says what else is wrong with a text, without showing it; nil for
	// nothing.
	check func(string) error
}

// Env is the name of the key's environment variable.
func (k Key) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// Flag is the name of the key's flag, without dashes. Tokens have none: who is on
// the machine can read what a process was started with.
func (k Key) Flag() string {
	switch k.Name {
	case "admin.token", "vault.token", "vault.secret_id", "vault.jwt":
		return ""
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(k.Name)
}

// Type is a word for what the key takes, as help texts show it.
func (k Key) Type() string {
	switch {
	case k.number != nil:
		return "number"
	case k.boolean != nil:
		return "true|false"
	case k.list != nil:
		return "list"
	case len(k.Allowed) > 0:
		return strings.Join(k.Allowed, "|")
	case strings.HasSuffix(k.Name, "_file"), strings.HasSuffix(k.Name, "_dir"):
		return "path"
	default:
		return "text"
	}
}

// Range words what values the key accepts.
func (k Key) Range() string {
	switch {
	case k.number != nil:
		return fmt.Sprintf("a whole number from %d to %d", k.Min, k.Max)
	case k.boolean != nil:
		return "true or false"
	case k.list != nil:
		return "a list, in text separated by commas"
	case len(k.Allowed) > 0:
		return "one of " + strings.Join(k.Allowed, ", ")
	case k.Name == "listen", strings.HasSuffix(k.Name, ".listen"):
		return "host:port"
	default:
		return "any " + k.Type()
	}
}

// store checks the text and writes it into the configuration.
func (k Key) store(c *Config, value string) error {
	switch {
	case k.holds != "": // the file was read already
	case k.number != nil:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < k.Min || n > k.Max {
			return k.refuse(value)
		}
		*k.number(c) = n
	case k.boolean != nil:
		if value != "true" && value != "false" {
			return k.refuse(value)
		}
		*k.boolean(c) = value == "true"
	case k.list != nil:
		*k.list(c) = splitList(value)
	case len(k.Allowed) > 0 && !slices.Contains(k.Allowed, value):
		return k.refuse(value)
	default:
		if k.check != nil && value != "" {
			if err := k.check(value); err != nil {
				return err
			}
		}
		*k.text(c) = value
	}
	return nil
}

func (k Key) refuse(value string) error { return fmt.Errorf("%q is not %s", value, k.Range()) }

// splitList reads the items of a list, separated by commas.
func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30

	hourMS = 60 * 60 * 1000
)

// Keys returns the table, in the order in which it is documented.
func Keys() []Key { return table }

var table = withTwins([]Key{
	{
		Name: "listen", Default: "127.0.0.1:8888",
		Doc:  "Address to serve HTTP on; port 0 takes a free one and prints it; an address other machines can reach needs admin.token",
		text: func(c *Config) *string { return &c.Listen },
	},
	{
		Name: "data_dir", Default: "avap-data",
		Doc:  "Directory for the server's own data, made when it starts",
		text: func(c *Config) *string { return &c.DataDir },
	},
	{
		Name: "log.level", Reload: true, Default: "info", Allowed: []string{"debug", "info", "warn", "error"},
		Doc:  "Least severe log lines to write",
		text: func(c *Config) *string { return &c.Log.Level },
	},
	{
		Name: "log.format", Default: "json", Allowed: []string{"json", "text"},
		Doc:  "Form of the log lines on standard error",
		text: func(c *Config) *string { return &c.Log.Format },
	},
	{
		Name: "admin.token", Secret: true, Reload: true, Default: "", check: checkToken,
		Doc:  "Token for routes that store something; without it they refuse",
		text: func(c *Config) *string { return &c.Admin.Token },
	},
	{
		Name: "admin.listen", Default: "", check: checkAddress,
		Doc:  "Address to serve the probes and the metrics on besides, for operators: it has connections of its own, and answers when those of listen are used up; nothing can be run or changed there; none means no such address",
		text: func(c *Config) *string { return &c.Admin.Listen },
	},
	{
		Name: "auth.anonymous", Reload: true, Default: AnonymousLoopback, Allowed: []string{AnonymousLoopback, AnonymousAlways, AnonymousNever},
		Doc:  "Who is answered without a key: those on this machine who ask under a name of it, everybody, or nobody",
		text: func(c *Config) *string { return &c.Auth.Anonymous },
	},
	{
		Name: "auth.anonymous_scopes", Reload: true, Default: "execute,check,commands:read,apps:read,metrics:read",
		Doc:  "Scopes of those who are answered without a key",
		list: func(c *Config) *[]string { return &c.Auth.AnonymousScopes },
	},
	{
		Name: "auth.hosts", Reload: true, Default: "",
		Doc:  "Names besides localhost under which this machine can be asked without a key; a page on the web could make any other name point here",
		list: func(c *Config) *[]string { return &c.Auth.Hosts },
	},
	{
		Name: "auth.signature_window_ms", Reload: true, Default: "60000", Min: 1000, Max: hourMS,
		Doc:    "Longest time for which the signature of a request may hold",
		number: func(c *Config) *int64 { return &c.Auth.SignatureWindowMS },
	},
	{
		Name: "auth.signature_nonces", Default: "100000", Min: 1, Max: 10_000_000,
		Doc:    "Signed requests that are remembered so that none is taken twice, twice as many at the most; when there are more within their time, further ones are answered 503",
		number: func(c *Config) *int64 { return &c.Auth.SignatureNonces },
	},
	{
		Name: "auth.public_url", Reload: true, Default: "",
		Doc:  "Address under which clients ask, such as https://avap.example.com, where a proxy asks under another: signatures of requests are about it",
		text: func(c *Config) *string { return &c.Auth.PublicURL },
	},
	{
		Name: "tls.cert_file", Reload: true, isFile: true, Default: "",
		Doc:  "Certificate of the server with those between it and its root, as PEM; with one the server speaks TLS 1.3 alone",
		text: func(c *Config) *string { return &c.TLS.CertFile },
	},
	{
		Name: "tls.key_file", Reload: true, isFile: true, Default: "",
		Doc:  "Private key of the server's certificate, as PEM",
		text: func(c *Config) *string { return &c.TLS.KeyFile },
	},
	{
		Name: "tls.client_ca_file", Reload: true, isFile: true, Default: "",
		Doc:  "Certificates, as PEM, of those who vouch for certificates of clients; a key of the kind certificate says what a client may do",
		text: func(c *Config) *string { return &c.TLS.ClientCAFile },
	},
	{
		Name: "http.body_limit_bytes", Default: "8388608", Min: kib, Max: gib,
		Doc:    "Largest request body, counted before and after decompression",
		number: func(c *Config) *int64 { return &c.HTTP.BodyLimitBytes },
	},
	{
		Name: "http.header_limit_bytes", Default: "16384", Min: kib, Max: mib,
		Doc:    "Largest request line and headers together",
		number: func(c *Config) *int64 { return &c.HTTP.HeaderLimitBytes },
	},
	{
		Name: "http.connections", Default: "10000", Min: 1, Max: 1_000_000,
		Doc:    "Most connections open at once; further ones are answered 503",
		number: func(c *Config) *int64 { return &c.HTTP.Connections },
	},
	{
		Name: "http.read_timeout_ms", Default: "30000", Min: 10, Max: hourMS,
		Doc:    "Time a client has to send a whole request",
		number: func(c *Config) *int64 { return &c.HTTP.ReadTimeoutMS },
	},
	{
		Name: "http.write_timeout_ms", Default: "30000", Min: 10, Max: hourMS,
		Doc:    "Time a client has to take the whole answer",
		number: func(c *Config) *int64 { return &c.HTTP.WriteTimeoutMS },
	},
	{
		Name: "http.idle_timeout_ms", Default: "60000", Min: 10, Max: hourMS,
		Doc:    "Time a connection may stay open between two requests",
		number: func(c *Config) *int64 { return &c.HTTP.IdleTimeoutMS },
	},
	{
		Name: "http.trusted_proxies", Reload: true, Default: "",
		Doc:  "Addresses or address prefixes of proxies that are believed who a request comes from, such as 10.0.0.0/8; none means that it comes from whoever is connected",
		list: func(c *Config) *[]string { return &c.HTTP.TrustedProxies },
	},
	{
		Name: "http.forwarded_header", Reload: true, Default: XForwardedFor, Allowed: []string{XForwardedFor, Forwarded},
		Doc:  "Header in which trusted proxies say who a request comes from; the other one counts for nothing",
		text: func(c *Config) *string { return &c.HTTP.ForwardedHeader },
	},
	{
		Name: "http.json_depth", Reload: true, Default: "1000", Min: 8, Max: 10_000,
		Doc:    "Deepest nesting of objects and arrays in a JSON body; what a script is given of it has 500 levels at most in any case",
		number: func(c *Config) *int64 { return &c.HTTP.JSONDepth },
	},
	{
		Name: "http.json_members", Reload: true, Default: "100000", Min: 16, Max: 100_000_000,
		Doc:    "Most members that all objects in a JSON body have together",
		number: func(c *Config) *int64 { return &c.HTTP.JSONMembers },
	},
	{
		Name: "http.json_duplicates", Reload: true, Default: LastDuplicate, Allowed: []string{LastDuplicate, RefuseDuplicates},
		Doc:  "What becomes of a member whose name its object has twice: the last one counts, as the language has it, or the body is refused",
		text: func(c *Config) *string { return &c.HTTP.JSONDuplicates },
	},
	{
		Name: "http.compress_bytes", Reload: true, Default: "1024", Min: 0, Max: gib,
		Doc:    "Smallest answer that is compressed if the client accepts gzip, br or zstd; 0 compresses none",
		number: func(c *Config) *int64 { return &c.HTTP.CompressBytes },
	},
	{
		Name: "http.hsts_s", Reload: true, Default: "31536000", Min: 0, Max: 63_072_000,
		Doc:    "Time for which browsers are told to use nothing but TLS, over connections with TLS; 0 tells them nothing",
		number: func(c *Config) *int64 { return &c.HTTP.HSTSSeconds },
	},
	{
		Name: "cors.origins", Reload: true, Default: "",
		Doc:  "Origins whose pages may use the API from a browser, such as https://app.example.com; * means all; none means that no other site may",
		list: func(c *Config) *[]string { return &c.CORS.Origins },
	},
	{
		Name: "cors.max_age_s", Reload: true, Default: "600", Min: 0, Max: 86_400,
		Doc:    "Time for which a browser need not ask again what an origin may do",
		number: func(c *Config) *int64 { return &c.CORS.MaxAgeSeconds },
	},
	{
		Name: "rates.address", Reload: true, Default: "", check: checkRate,
		Doc:  "Requests of one address, such as 100/s or 600/m:50, where 50 may come at once; none means as many as one likes",
		text: func(c *Config) *string { return &c.Rates.Address },
	},
	{
		Name: "rates.client", Reload: true, Default: "", check: checkRate,
		Doc:  "Requests of one client, which is who has shown credentials, or else an address",
		text: func(c *Config) *string { return &c.Rates.Client },
	},
	{
		Name: "rates.execute", Reload: true, Default: "", check: checkRate,
		Doc:  "Requests of one client that run or compile something",
		text: func(c *Config) *string { return &c.Rates.Execute },
	},
	{
		Name: "rates.change", Reload: true, Default: "", check: checkRate,
		Doc:  "Requests of one client that store or remove something",
		text: func(c *Config) *string { return &c.Rates.Change },
	},
	{
		Name: "rates.read", Reload: true, Default: "", check: checkRate,
		Doc:  "Requests of one client for anything else",
		text: func(c *Config) *string { return &c.Rates.Read },
	},
	{
		Name: "rates.keys", Default: "100000", Min: 1000, Max: 10_000_000,
		Doc:    "Addresses and clients whose requests are counted in memory; others take the places of those that came long ago",
		number: func(c *Config) *int64 { return &c.Rates.Keys },
	},
	{
		Name: "admission.delay_ms", Reload: true, Default: "50", Min: 0, Max: hourMS,
		Doc:    "Time that an execution is to wait for its turns to compute at most, on top of as long as it computes; when it is more on average, fewer are under way at once; 0 means that always admission.places are",
		number: func(c *Config) *int64 { return &c.Admission.DelayMS },
	},
	{
		Name: "admission.places", Reload: true, Default: "0", Min: 0, Max: 1_000_000,
		Doc:    "Most executions under way at once, of which a single client has half; 0 means twice compute.slots and compute.queue_length together",
		number: func(c *Config) *int64 { return &c.Admission.Places },
	},
	{
		Name: "admission.queue_length", Reload: true, Default: "1024", Min: 1, Max: 1_000_000,
		Doc:    "Executions that may wait to be under way; further ones are answered 503",
		number: func(c *Config) *int64 { return &c.Admission.QueueLength },
	},
	{
		Name: "admission.client_queue_length", Reload: true, Default: "0", Min: 0, Max: 1_000_000,
		Doc:    "Executions of one client that may wait to be under way; further ones are answered 429; 0 means half of admission.queue_length",
		number: func(c *Config) *int64 { return &c.Admission.ClientQueueLength },
	},
	{
		Name: "admission.wait_ms", Reload: true, Default: "1000", Min: 1, Max: hourMS,
		Doc:    "Longest time that an execution waits to be under way; who would wait longer is answered 503 at once",
		number: func(c *Config) *int64 { return &c.Admission.WaitMS },
	},
	{
		Name: "quotas.window_s", Reload: true, Default: "3600", Min: 1, Max: 31_622_400,
		Doc:    "Length of the windows in which it is counted what clients use",
		number: func(c *Config) *int64 { return &c.Quotas.WindowSeconds },
	},
	{
		Name: "quotas.fuel", Reload: true, Default: "0", Min: 0, Max: 1 << 60,
		Doc:    "Fuel of all executions of one client in a window; 0 means no quota",
		number: func(c *Config) *int64 { return &c.Quotas.Fuel },
	},
	{
		Name: "quotas.time_ms", Reload: true, Default: "0", Min: 0, Max: 1 << 50,
		Doc:    "Time of all executions of one client in a window; 0 means no quota",
		number: func(c *Config) *int64 { return &c.Quotas.TimeMS },
	},
	{
		Name: "quotas.memory_mib_s", Reload: true, Default: "0", Min: 0, Max: 1 << 40,
		Doc:    "Memory of all executions of one client in a window, in mebibytes times seconds; 0 means no quota",
		number: func(c *Config) *int64 { return &c.Quotas.MemoryMiBSeconds },
	},
	{
		Name: "idempotency.keys", Default: "10000", Min: 4, Max: 10_000_000,
		Doc:    "Requests with an Idempotency-Key that are remembered in memory, of which one client has a quarter; with redis.url they are remembered there",
		number: func(c *Config) *int64 { return &c.Idempotency.Keys },
	},
	{
		Name: "idempotency.bytes", Default: "67108864", Min: mib, Max: 64 * gib,
		Doc:    "Memory for the answers to them; an answer of more than a sixteenth of it is not kept",
		number: func(c *Config) *int64 { return &c.Idempotency.Bytes },
	},
	{
		Name: "idempotency.keep_s", Default: "86400", Min: 1, Max: 31_622_400,
		Doc:    "Time for which an answer to a request with an Idempotency-Key is kept",
		number: func(c *Config) *int64 { return &c.Idempotency.KeepSeconds },
	},
	{
		Name: "limits.fuel", Reload: true, Default: "1000000000", Min: 1, Max: 1 << 60,
		Doc:    "Fuel of an execution whose request names none",
		number: func(c *Config) *int64 { return &c.Limits.Fuel },
	},
	{
		Name: "limits.fuel_max", Reload: true, Default: "0", Min: 0, Max: 1 << 60,
		Doc:    "Most fuel a request may ask for; 0 means limits.fuel",
		number: func(c *Config) *int64 { return &c.LimitsMax.Fuel },
	},
	{
		Name: "limits.time_ms", Reload: true, Default: "5000", Min: 1, Max: hourMS,
		Doc:    "Time of an execution whose request names none",
		number: func(c *Config) *int64 { return &c.Limits.TimeMS },
	},
	{
		Name: "limits.time_max_ms", Reload: true, Default: "0", Min: 0, Max: hourMS,
		Doc:    "Most time a request may ask for; 0 means limits.time_ms",
		number: func(c *Config) *int64 { return &c.LimitsMax.TimeMS },
	},
	{
		Name: "limits.memory_bytes", Default: "67108864", Min: MinMemoryBytes, Max: 4 * gib,
		Doc:    "Memory of an execution whose request names none, in whole pages of 65536 bytes",
		number: func(c *Config) *int64 { return &c.Limits.MemoryBytes },
	},
	{
		Name: "limits.memory_max_bytes", Default: "0", Min: 0, Max: 4 * gib,
		Doc:    "Most memory a request may ask for; 0 means limits.memory_bytes",
		number: func(c *Config) *int64 { return &c.LimitsMax.MemoryBytes },
	},
	{
		Name: "limits.call_depth", Reload: true, Default: "1000", Min: 1, Max: 100_000,
		Doc:    "Depth of script calls in an execution whose request names none",
		number: func(c *Config) *int64 { return &c.Limits.CallDepth },
	},
	{
		Name: "limits.call_depth_max", Reload: true, Default: "0", Min: 0, Max: 100_000,
		Doc:    "Greatest depth a request may ask for; 0 means limits.call_depth",
		number: func(c *Config) *int64 { return &c.LimitsMax.CallDepth },
	},
	{
		Name: "limits.output_bytes", Reload: true, Default: "8388608", Min: kib, Max: gib,
		Doc:    "Size of the answer of an execution whose request names none",
		number: func(c *Config) *int64 { return &c.Limits.OutputBytes },
	},
	{
		Name: "limits.output_max_bytes", Reload: true, Default: "0", Min: 0, Max: gib,
		Doc:    "Largest answer a request may ask for; 0 means limits.output_bytes",
		number: func(c *Config) *int64 { return &c.LimitsMax.OutputBytes },
	},
	{
		Name: "limits.memory_total_bytes", Default: "0", Min: 0, Max: 1 << 50,
		Doc:    "Memory of all executions together, those apart that are repeated, which have a quarter of it; 0 means seven eighths of what the machine or the control group has, less GOMEMLIMIT or gc.memory_bytes, with the repeated",
		number: func(c *Config) *int64 { return &c.MemoryTotalBytes },
	},
	{
		Name: "limits.memory_client_bytes", Default: "0", Min: 0, Max: 1 << 50,
		Doc:    "Memory of all executions of one client together; 0 means half of limits.memory_total_bytes",
		number: func(c *Config) *int64 { return &c.MemoryClientBytes },
	},
	{
		Name: "limits.source_bytes", Reload: true, Default: "1048576", Min: 1, Max: 64 * mib,
		Doc:    "Largest script source",
		number: func(c *Config) *int64 { return &c.SourceLimitBytes },
	},
	{
		Name: "egress.allow", Reload: true, Default: "",
		Doc:  "Address prefixes that scripts may reach over HTTP although they are not public, such as 127.0.0.0/8",
		list: func(c *Config) *[]string { return &c.Egress.Allow },
	},
	{
		Name: "egress.deny", Reload: true, Default: "",
		Doc:  "Address prefixes that scripts may not reach over HTTP although they are public",
		list: func(c *Config) *[]string { return &c.Egress.Deny },
	},
	{
		Name: "egress.hosts", Reload: true, Default: "",
		Doc:  "The only hosts that scripts may reach over HTTP, such as api.example.com,*.example.org; none means all",
		list: func(c *Config) *[]string { return &c.Egress.Hosts },
	},
	{
		Name: "egress.requests", Default: "256", Min: 1, Max: 65_536,
		Doc:    "HTTP requests of scripts under way at once; further ones wait",
		number: func(c *Config) *int64 { return &c.Egress.Requests },
	},
	{
		Name: "egress.client_requests", Default: "32", Min: 1, Max: 65_536,
		Doc:    "HTTP requests of one client's scripts under way at once; further ones wait and keep nobody else waiting",
		number: func(c *Config) *int64 { return &c.Egress.ClientRequests },
	},
	{
		Name: "data.connections", Default: "8", Min: 1, Max: 1000,
		Doc:    "Connections to each PostgreSQL database; further statements wait",
		number: func(c *Config) *int64 { return &c.Data.Connections },
	},
	{
		Name: "data.client_connections", Default: "0", Min: 0, Max: 1000,
		Doc:    "Connections to each PostgreSQL database that one client's scripts can have; 0 means half of data.connections",
		number: func(c *Config) *int64 { return &c.Data.ClientConnections },
	},
	{
		Name: "data.url", Secret: true, Default: "",
		Doc:  "URL of the PostgreSQL database of the orm commands; without one it is the file data.db in data_dir",
		text: func(c *Config) *string { return &c.Data.URL },
	},
	{
		Name: "postgres.url", Secret: true, Default: "",
		Doc:  "URL of the PostgreSQL database of the server's own data, with several hosts separated by commas for failover; without one it is the file avapd.db in data_dir",
		text: func(c *Config) *string { return &c.Postgres.URL },
	},
	{
		Name: "redis.url", Secret: true, Default: "",
		Doc:  "URL of the Redis that nodes share artifacts and announcements by; without one they find changes by themselves",
		text: func(c *Config) *string { return &c.Redis.URL },
	},
	{
		Name: "vault.address", Reload: true, Default: "", check: vault.CheckAddress,
		Doc:  "URL of the Vault or OpenBao that holds secrets whose settings are vault:PATH#FIELD, such as https://vault.example.com:8200",
		text: func(c *Config) *string { return &c.Vault.Address },
	},
	{
		Name: "vault.namespace", Reload: true, Default: "",
		Doc:  "Namespace of all secrets and logins in Vault",
		text: func(c *Config) *string { return &c.Vault.Namespace },
	},
	{
		Name: "vault.ca_file", Reload: true, isFile: true, Default: "",
		Doc:  "Certificates, as PEM, of those who vouch for Vault; without one those that the machine believes",
		text: func(c *Config) *string { return &c.Vault.CAFile },
	},
	{
		Name: "vault.timeout_ms", Reload: true, Default: "5000", Min: 1, Max: hourMS,
		Doc:    "Time that Vault has to answer all that is asked of it at a start or a reload",
		number: func(c *Config) *int64 { return &c.Vault.TimeoutMS },
	},
	{
		Name: "vault.auth", Reload: true, Default: vault.Token, Allowed: []string{vault.Token, vault.AppRole, vault.Kubernetes},
		Doc:  "How the server shows Vault who it is: by a token, or by a login of an AppRole or of a service account of Kubernetes",
		text: func(c *Config) *string { return &c.Vault.Auth },
	},
	{
		Name: "vault.auth_mount", Reload: true, Default: "",
		Doc:  "Where the login is mounted below auth/ in Vault; none means under the name that vault.auth has",
		text: func(c *Config) *string { return &c.Vault.AuthMount },
	},
	{
		Name: "vault.role", Reload: true, Default: "",
		Doc:  "Identifier of the AppRole, or name of the role of Kubernetes",
		text: func(c *Config) *string { return &c.Vault.Role },
	},
	{
		Name: "vault.token", Secret: true, Reload: true, Default: "", check: checkVaultSecret,
		Doc:  "Token for Vault; an agent of Vault can keep the file of it new",
		text: func(c *Config) *string { return &c.Vault.Token },
	},
	{
		Name: "vault.secret_id", Secret: true, Reload: true, Default: "", check: checkVaultSecret,
		Doc:  "SecretID of the AppRole",
		text: func(c *Config) *string { return &c.Vault.SecretID },
	},
	{
		Name: "vault.jwt", Secret: true, Reload: true, Default: "", check: checkVaultSecret,
		Doc:  "Token of the service account of Kubernetes, whose file is /var/run/secrets/kubernetes.io/serviceaccount/token",
		text: func(c *Config) *string { return &c.Vault.JWT },
	},
	{
		Name: "registry.artifact_limit_bytes", Default: "16777216", Min: 64 * kib, Max: 64 * mib,
		Doc:    "Largest module that can be uploaded as a command",
		number: func(c *Config) *int64 { return &c.Registry.ArtifactLimitBytes },
	},
	{
		Name: "registry.compile_ahead_percent", Default: "25", Min: 0, Max: 100,
		Doc:    "Share of cache.bytes for commands that are compiled before anyone calls them; 0 leaves it to their first calls",
		number: func(c *Config) *int64 { return &c.Registry.CompileAheadPercent },
	},
	{
		Name: "registry.keep_unused_ms", Default: "86400000", Min: 0, Max: 30 * 24 * hourMS,
		Doc:    "Time for which modules are kept that no version of a command has any more, and traces of what was deleted; 0 is for good",
		number: func(c *Config) *int64 { return &c.Registry.KeepUnusedMS },
	},
	{
		Name: "registry.refresh_ms", Default: "500", Min: 10, Max: hourMS,
		Doc:    "Time after which the server compares its commands with the store, in case that an announcement was lost",
		number: func(c *Config) *int64 { return &c.Registry.RefreshMS },
	},
	{
		Name: "registry.signing_key_file", Default: "",
		Doc:  "Private key, without a passphrase, that signs what the server builds from source; without one it builds nothing",
		text: func(c *Config) *string { return &c.Registry.SigningKeyFile },
	},
	{
		Name: "registry.trust_file", Default: "",
		Doc:  "JSON file of signers that are trusted from the start, in the form of GET /api/v1/signers",
		text: func(c *Config) *string { return &c.Registry.TrustFile },
	},
	{
		Name: "sql.require_parameters", Reload: true, Default: "false",
		Doc:     "Refuse SQL that a script puts together without keeping its values apart",
		boolean: func(c *Config) *bool { return &c.Data.RequireParameters },
	},
	{
		Name: "time.zone", Default: "UTC",
		Doc:  "Time zone of dates that name none, by its IANA name, such as Europe/Madrid",
		text: func(c *Config) *string { return &c.Time.Zone },
	},
	{
		Name: "connectors_file", Reload: true, isFile: true, Default: "",
		Doc:  "JSON file that describes the connectors of avapConnector by name",
		text: func(c *Config) *string { return &c.Connectors.File },
	},
	{
		Name: "connectors.tokens", Reload: true, Default: "false",
		Doc:     "Let scripts describe an API by a token for avapConnector",
		boolean: func(c *Config) *bool { return &c.Connectors.Tokens },
	},
	{
		Name: "cache.bytes", Default: "67108864", Min: mib, Max: 64 * gib,
		Doc:    "Memory for compiled scripts; those that are rarely wanted go first; those of apps stay, and have at most half of it",
		number: func(c *Config) *int64 { return &c.CacheBytes },
	},
	{
		Name: "compute.slots", Default: "0", Min: 0, Max: 4096,
		Doc:    "Executions that compute at the same time; 0 means one per CPU",
		number: func(c *Config) *int64 { return &c.Compute.Slots },
	},
	{
		Name: "compute.queue_length", Default: "1024", Min: 1, Max: 1_000_000,
		Doc:    "Executions that may wait for a slot; further ones are answered 503",
		number: func(c *Config) *int64 { return &c.Compute.QueueLength },
	},
	{
		Name: "compute.client_queue_length", Default: "0", Min: 0, Max: 1_000_000,
		Doc:    "Executions of one client that may wait for a slot; further ones are answered 429; 0 means half of compute.queue_length",
		number: func(c *Config) *int64 { return &c.Compute.ClientQueueLength },
	},
	{
		Name: "batch.items", Default: "100", Min: 1, Max: 10_000,
		Doc:    "Items that a batch may have",
		number: func(c *Config) *int64 { return &c.Batch.Items },
	},
	{
		Name: "batch.parallelism", Default: "10", Min: 1, Max: 1000,
		Doc:    "Items of a batch under way at once, unless the batch asks for fewer",
		number: func(c *Config) *int64 { return &c.Batch.Parallelism },
	},
	{
		Name: "batch.time_ms", Default: "60000", Min: 1, Max: hourMS,
		Doc:    "Time that a batch has; then items that run are cancelled, and others do not begin",
		number: func(c *Config) *int64 { return &c.Batch.TimeMS },
	},
	{
		Name: "batch.output_bytes", Default: "33554432", Min: kib, Max: gib,
		Doc:    "Answers of a batch together, where they are not sent line by line; what does not fit is left out",
		number: func(c *Config) *int64 { return &c.Batch.OutputBytes },
	},
	{
		Name: "executions.kept", Default: "1000", Min: 0, Max: 10_000,
		Doc:    "Executions that have ended and can still be asked for; the oldest make room",
		number: func(c *Config) *int64 { return &c.Executions.Kept },
	},
	{
		Name: "tracing.endpoint", Reload: true, Default: "", check: checkEndpoint,
		Doc:  "URL of the collector that gets the spans of requests by OTLP, such as http://127.0.0.1:4317; none means that nothing is traced",
		text: func(c *Config) *string { return &c.Tracing.Endpoint },
	},
	{
		Name: "tracing.protocol", Reload: true, Default: "grpc", Allowed: []string{"grpc", "http"},
		Doc:  "How spans are sent to the collector; http adds /v1/traces to a URL without a path",
		text: func(c *Config) *string { return &c.Tracing.Protocol },
	},
	{
		Name: "tracing.headers", Reload: true, Secret: true, Default: "", check: checkTracingHeaders,
		Doc:  "Headers that go with the spans, such as authorization=Bearer TOKEN, separated by commas",
		text: func(c *Config) *string { return &c.Tracing.Headers },
	},
	{
		Name: "tracing.requests_per_million", Reload: true, Default: "1000000", Min: 0, Max: 1_000_000,
		Doc:    "How many of a million requests are traced",
		number: func(c *Config) *int64 { return &c.Tracing.RequestsPerMillion },
	},
	{
		Name: "tracing.parent_based", Reload: true, Default: "true",
		Doc:     "Trace a request if its caller traces, and not if the caller does not, whatever tracing.requests_per_million says of others",
		boolean: func(c *Config) *bool { return &c.Tracing.ParentBased },
	},
	{
		Name: "audit.durability", Default: "async", Allowed: []string{"async", "group", "off"},
		Doc:  "When executions are answered: async at once, with their records durable within audit.at_risk_ms; group when their records are durable; off keeps no audit log at all",
		text: func(c *Config) *string { return &c.Audit.Durability },
	},
	{
		Name: "audit.at_risk_ms", Default: "100", Min: 20, Max: hourMS,
		Doc:    "Age at which a record that is not durable yet keeps executions from beginning",
		number: func(c *Config) *int64 { return &c.Audit.AtRiskMS },
	},
	{
		Name: "audit.wait_ms", Default: "2000", Min: 1, Max: hourMS,
		Doc:    "Time that executions and changes wait for the audit log before they are answered 503",
		number: func(c *Config) *int64 { return &c.Audit.WaitMS },
	},
	{
		Name: "audit.buffer_records", Default: "8192", Min: 16, Max: 1_000_000,
		Doc:    "Executions under way and records that are not durable yet, together; further executions wait",
		number: func(c *Config) *int64 { return &c.Audit.BufferRecords },
	},
	{
		Name: "audit.checkpoint_records", Default: "10000", Min: 1, Max: 1_000_000_000,
		Doc:    "Records after which the audit log is signed",
		number: func(c *Config) *int64 { return &c.Audit.CheckpointRecords },
	},
	{
		Name: "audit.checkpoint_ms", Default: "10000", Min: 1000, Max: 24 * hourMS,
		Doc:    "Time after which the audit log is signed, if there are records that are not",
		number: func(c *Config) *int64 { return &c.Audit.CheckpointMS },
	},
	{
		Name: "audit.keep_days", Reload: true, Default: "90", Min: 0, Max: 36_500,
		Doc:    "Days that records of the audit log are kept; 0 means for ever",
		number: func(c *Config) *int64 { return &c.Audit.KeepDays },
	},
	{
		Name: "audit.keep_bytes", Reload: true, Default: "4294967296", Min: 0, Max: 1 << 50,
		Doc:    "Records of the audit log that are kept, in bytes without their hashes; 0 means any number",
		number: func(c *Config) *int64 { return &c.Audit.KeepBytes },
	},
	{
		Name: "audit.inputs", Reload: true, Default: "digest", Allowed: []string{"none", "digest", "whole"},
		Doc:  "What the audit log keeps of the inputs of executions: their digest, which is that of the body, or the first 65536 bytes of the body, too",
		text: func(c *Config) *string { return &c.Audit.Inputs },
	},
	{
		Name: "gc.percent", Reload: true, Default: "1600", Min: 10, Max: 10_000,
		Doc:    "Garbage that may pile up before it is collected, in percent of what is in use; the Go runtime's variable GOGC wins",
		number: func(c *Config) *int64 { return &c.GC.Percent },
	},
	{
		Name: "gc.memory_bytes", Default: "0", Min: 0, Max: 1 << 50,
		Doc:    "Memory, other than that of scripts, from which garbage is collected sooner; 0 means three eighths of what the machine or the control group has, or less if limits.memory_total_bytes leaves less; GOMEMLIMIT wins",
		number: func(c *Config) *int64 { return &c.GC.MemoryBytes },
	},
	{
		Name: "trial.fuel", Default: "4000", Min: 0, Max: 1_000_000,
		Doc:    "Fuel that the first runs of a script without effects may use on the interpreter, before it is compiled to machine code; 0 compiles every script at once",
		number: func(c *Config) *int64 { return &c.Trial.Fuel },
	},
	{
		Name: "shadow.runs_per_million", Default: "0", Min: 0, Max: 1_000_000,
		Doc:    "How many of a million executions that depend on their input alone are repeated on the interpreter afterwards and compared; an artifact whose executions differ runs there from then on",
		number: func(c *Config) *int64 { return &c.Shadow.RunsPerMillion },
	},
	{
		Name: "hardening.landlock", Default: "auto", Allowed: []string{"auto", "required", "off"},
		Doc:  "Whether the server gives up all files that it does not need, and running programs, once it has started: where the kernel can keep it from them, or else not start, or not at all",
		text: func(c *Config) *string { return &c.Hardening.Landlock },
	},
	{
		Name: "hardening.read_paths", Default: "",
		Doc:  "Files and directories, with all below them, that the server may read besides those that its settings name",
		list: func(c *Config) *[]string { return &c.Hardening.ReadPaths },
	},
	{
		Name: "hardening.write_paths", Default: "",
		Doc:  "Files and directories, with all below them, that the server may change besides data_dir, such as that of an SQLite database of a connector that comes later",
		list: func(c *Config) *[]string { return &c.Hardening.WritePaths },
	},
	{
		Name: "shutdown.timeout_ms", Default: "15000", Min: 0, Max: hourMS,
		Doc:    "Time running requests have to end after a stop signal; then they are cancelled",
		number: func(c *Config) *int64 { return &c.ShutdownTimeoutMS },
	},
	{
		Name: "shutdown.unready_ms", Default: "0", Min: 0, Max: hourMS,
		Doc:    "Part of shutdown.timeout_ms in which /readyz says 503 while requests are still taken, so that a balancer sees it before connections are refused",
		number: func(c *Config) *int64 { return &c.ShutdownUnreadyMS },
	},
})

// withTwins puts behind every secret the key of the file that holds it.
func withTwins(keys []Key) []Key {
	var all []Key
	for _, k := range keys {
		all = append(all, k)
		if k.Secret {
			all = append(all, Key{
				Name: k.Name + "_file", Doc: "File that holds " + k.Name, Reload: k.Reload, holds: k.Name,
			})
		}
	}
	return all
}

// find gives a key by its name.
func find(name string) (Key, bool) {
	i := slices.IndexFunc(table, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return table[i], true
}

// MinMemoryBytes is the least memory an execution can start in: the guest
// library's data, the script's and a first piece of heap.
const MinMemoryBytes = 4 * 64 * kib

// Package commands binds the commands of the catalogue that have an effect to
// what they do, a file per area: time, random text, HTTP, SQL and connectors.
//
// A Set is shared by all executions of a process. What it costs a script is
// charged through the Call; what the script may reach is decided by the Config
// and, below it, by the packages egress and datasource.
package commands

import (
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/internal/egress"
	"github.com/avapd/avapd/wasmhost"
)

// Config says what scripts may reach. The zero Config reaches every public
// HTTP server and no database.
type Config struct {
	Egress egress.Config
	Data   Data
	// Connectors are what avapConnector finds by name; those of the file, if it
	// is not empty, are added.
	Connectors     map[string]Connector
	ConnectorsFile string
	// AllowTokens lets scripts describe an API of their own by a token.
	AllowTokens bool
	// Log takes what scripts must not see; nil for none.
	Log *slog.Logger
	// Now is the clock; nil for the system's.
	Now func() time.Time
}

// Set is the commands with the connections they share.
type Set struct {
	config     Config
	client     *egress.Client
	data       *source
	connectors map[string]*connector
}

// New makes a Set. It connects to nothing yet.
func New(config Config) (*Set, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	named := maps.Clone(config.Connectors)
	if config.ConnectorsFile != "" {
		more, err := ReadConnectors(config.ConnectorsFile)
		if err != nil {
			return nil, err
		}
		if named == nil {
			named = more
		}
		maps.Copy(named, more)
	}
	client, err := egress.New(config.Egress)
	if err != nil {
		return nil, err
	}
	s := &Set{config: config, client: client, data: newSource(config.Data, config.Log)}
	if err := s.openConnectors(named); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Table gives each command by the field under which scripts import it.
func (s *Set) Table() map[string]wasmhost.Command {
	return map[string]wasmhost.Command{
		"time_now":         s.timeNow,
		"random_string":    s.randomString,
		"http_get":         s.httpGet,
		"http_post":        s.httpPost,
		"sql_direct":       s.sqlDirect,
		"sql_check_table":  s.sqlCheckTable,
		"sql_create_table": s.sqlCreateTable,
		"sql_select":       s.sqlSelect,
		"sql_insert":       s.sqlInsert,
		"sql_update":       s.sqlUpdate,
		"sql_delete":       s.sqlDelete,
		"connector":        s.connector,
		"connector_call":   s.connectorCall,
	}
}

// DataPool is how the connections to the PostgreSQL database of the orm commands
// are; false if there are none.
func (s *Set) DataPool() (datasource.PoolStats, bool) { return s.data.pool() }

// Close ends the connections. No command may be running.
func (s *Set) Close() error {
	s.client.Close()
	errs := []error{s.data.close()}
	for _, c := range s.connectors {
		if c.data != nil {
			errs = append(errs, c.data.close())
		}
	}
	return errors.Join(errs...)
}

// warn writes to the server's log what a script did.
func (s *Set) warn(c *wasmhost.Call, message string, more ...any) {
	_, line := c.Line()
	s.config.Log.WarnContext(c.Context(), message, append([]any{"script", c.Script(), "line", line}, more...)...)
}

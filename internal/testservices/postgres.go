// Package testservices finds or starts the services that integration tests
// need, without containers and also as root.
//
// A service that cannot be found skips its tests, unless the environment has
// TEST_SERVICES=required, as the project's own pipeline does.
package testservices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrMissing says that a service is not installed on this machine.
var ErrMissing = errors.New("the service is not installed")

// Required reports whether tests must not be skipped for want of a service.
func Required() bool { return os.Getenv("TEST_SERVICES") == "required" }

// Need ends a test whose service did not start: it is skipped where the
// service is missing and may be, and fails otherwise.
func Need(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && !Required() {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Postgres is a PostgreSQL server for the tests of one binary.
type Postgres struct {
	admin   url.URL // as the superuser, of the database postgres
	dir     string
	process *process
	names   atomic.Int64
}

const (
	startTimeout = 60 * time.Second
	startPause   = 20 * time.Millisecond
)

// StartPostgres gives the server that TEST_POSTGRES_URL names (as a
// superuser), or starts one on a free port. Call it from TestMain.
func StartPostgres() (*Postgres, error) {
	if given := os.Getenv("TEST_POSTGRES_URL"); given != "" {
		admin, err := url.Parse(given)
		if err != nil {
			return nil, err
		}
		return &Postgres{admin: *admin}, nil
	}
	bin, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "avap-pg-") // not a test's directory: the server's user must get in
	if err != nil {
		return nil, err
	}
	p := &Postgres{dir: dir}
	if err := p.start(bin); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

// postgresBinaries finds the newest server, which Debian keeps off the PATH.
func postgresBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", fmt.Errorf("PostgreSQL: %w", ErrMissing)
	}
	return filepath.Dir(path), nil
}

func (p *Postgres) start(bin string) error {
	attributes, err := asServerUser(p.dir)
	if err != nil {
		return err
	}
	ctx := context.Background()
	data := filepath.Join(p.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", //nolint:gosec // the server's own binary
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	initdb.Dir = p.dir
	initdb.SysProcAttr = attributes
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	p.admin = url.URL{Scheme: "postgres", User: url.User("postgres"), Host: net.JoinHostPort("127.0.0.1", port), Path: "/postgres", RawQuery: "sslmode=disable"}
	server := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", //nolint:gosec // as above
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200")
	server.Dir, server.SysProcAttr = p.dir, attributes
	output := &bytes.Buffer{}
	server.Stdout, server.Stderr = output, output
	if p.process, err = launch(server); err != nil {
		return err
	}
	if err := await(ctx, p.ping); err != nil {
		return errors.Join(err, p.Stop(), errors.New(output.String()))
	}
	return nil
}

// ping opens a session. That the server takes connections is not enough: it
// answers them that it is starting up.
func (p *Postgres) ping(ctx context.Context) error {
	conn, err := pgconn.Connect(ctx, p.admin.String())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// URL is the server as its superuser sees it.
func (p *Postgres) URL() string { return p.admin.String() }

// Exec runs statements in a database ("" for the first one) as the superuser.
func (p *Postgres) Exec(ctx context.Context, database, statements string) error {
	target := p.admin
	if database != "" {
		target.Path = "/" + database
	}
	conn, err := pgconn.Connect(ctx, target.String())
	if err != nil {
		return err
	}
	return errors.Join(conn.Exec(ctx, statements).Close(), conn.Close(ctx))
}

// Schema makes an empty schema, owned by a role without further rights, and
// gives the URL for that role, whose tables are made there. It is dropped with
// the role when the test ends. It is much faster than a database of its own.
func (p *Postgres) Schema(t testing.TB) string {
	t.Helper()
	name := p.role(t)
	p.must(t, "CREATE SCHEMA "+name+" AUTHORIZATION "+name)
	t.Cleanup(func() {
		p.must(t, "DROP SCHEMA "+name+" CASCADE")
		p.must(t, "DROP ROLE "+name)
	})
	return p.as(name, p.admin.Path)
}

func (p *Postgres) role(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("avap_%d_%d", os.Getpid(), p.names.Add(1))
	p.must(t, "CREATE ROLE "+name+" LOGIN PASSWORD '"+password(name)+"' NOSUPERUSER NOCREATEDB NOCREATEROLE")
	return name
}

func password(role string) string { return "secret-" + role }

func (p *Postgres) as(role, path string) string {
	target := p.admin
	target.User, target.Path = url.UserPassword(role, password(role)), path
	return target.String()
}

func (p *Postgres) must(t testing.TB, statement string) {
	t.Helper()
	if err := p.Exec(context.Background(), "", statement); err != nil {
		t.Error(err)
	}
}

// Stop ends a server that was started, and removes its files.
func (p *Postgres) Stop() error {
	if p == nil || p.process == nil {
		return nil
	}
	// SIGQUIT ends it at once; there is nothing to keep.
	return errors.Join(p.process.stop(syscall.SIGQUIT), os.RemoveAll(p.dir))
}

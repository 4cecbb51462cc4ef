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
	"strconv"
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
	dir     string  // empty: the server is not ours
	bin     string
	process *Process // nil while it is down
	names   atomic.Int64

	attributes *syscall.SysProcAttr // of the server's user
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
	return NewPostgres()
}

// NewPostgres starts a server on a free port.
func NewPostgres() (*Postgres, error) {
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

// start makes a database and its server.
func (p *Postgres) start(bin string) error {
	attributes, err := asServerUser(p.dir)
	if err != nil {
		return err
	}
	p.bin, p.attributes = bin, attributes
	if err := p.tool("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"); err != nil {
		return err
	}
	return p.serve()
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// tool runs one of the programs that come with the server.
func (p *Postgres) tool(name string, args ...string) error {
	tool := exec.CommandContext(context.Background(), filepath.Join(p.bin, name), args...) //nolint:gosec // the server's own binary
	tool.Dir, tool.SysProcAttr = p.dir, p.own()
	if out, err := tool.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// own are the attributes of a process of the server's user.
func (p *Postgres) own() *syscall.SysProcAttr {
	attributes := *p.attributes
	return &attributes
}

// serve starts the server on a free port.
func (p *Postgres) serve() error {
	port, err := freePort(context.Background())
	if err != nil {
		return err
	}
	p.admin = url.URL{Scheme: "postgres", User: url.User("postgres"), Host: net.JoinHostPort("127.0.0.1", port), Path: "/postgres", RawQuery: "sslmode=disable"}
	return p.run()
}

// run starts the server at its address.
func (p *Postgres) run() error {
	ctx := context.Background()
	server := exec.CommandContext(ctx, filepath.Join(p.bin, "postgres"), "-D", p.data(), "-p", p.admin.Port(), "-c", "listen_addresses=127.0.0.1", //nolint:gosec // as above
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200")
	server.Dir, server.SysProcAttr = p.dir, p.own()
	output := &bytes.Buffer{}
	server.Stdout, server.Stderr = output, output
	var err error
	if p.process, err = Launch(server); err != nil {
		return err
	}
	if err := await(ctx, p.ping); err != nil {
		return errors.Join(err, p.kill(), errors.New(output.String()))
	}
	return nil
}

// kill ends the server at once, without any order in its files.
func (p *Postgres) kill() error {
	if p.process == nil {
		return nil
	}
	server := p.process
	p.process = nil
	return server.Stop(syscall.SIGQUIT)
}

// Kill ends the server and all of its processes as kill -9 does.
func (p *Postgres) Kill() error {
	if p.process == nil {
		return nil
	}
	server := p.process
	p.process = nil
	sessions := children(server.Pid())
	// The next server does not start on memory that one of them still has.
	return errors.Join(server.Stop(syscall.SIGKILL), killAll(sessions))
}

// Restart starts a server that is down, at the same address; otherwise it does
// nothing.
func (p *Postgres) Restart() error {
	if p.process != nil {
		return nil
	}
	return p.run()
}

// Pids are the processes of the sessions of an application.
func (p *Postgres) Pids(ctx context.Context, application string) ([]int, error) {
	conn, err := pgconn.Connect(ctx, p.URL())
	if err != nil {
		return nil, err
	}
	result := conn.ExecParams(ctx, "SELECT pid FROM pg_stat_activity WHERE application_name = $1", [][]byte{[]byte(application)}, nil, nil, nil).Read()
	var pids []int
	for _, row := range result.Rows {
		pid, err := strconv.Atoi(string(row[0]))
		if err != nil {
			return nil, errors.Join(err, conn.Close(ctx))
		}
		pids = append(pids, pid)
	}
	return pids, errors.Join(result.Err, conn.Close(ctx))
}

// Down ends the server at once, as a crash would. It fails the test where the
// server is not ours.
func (p *Postgres) Down(t testing.TB) {
	t.Helper()
	if p.process == nil {
		t.Fatal("the PostgreSQL server was not started by the test")
	}
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
}

// Up starts a server that is down, at the same address; otherwise it does
// nothing.
func (p *Postgres) Up(t testing.TB) {
	t.Helper()
	if p.process != nil || p.dir == "" {
		return
	}
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
}

// Ours reports whether the server was started here, and may be ended.
func (p *Postgres) Ours() bool { return p.dir != "" }

// Standby starts a server that follows this one, until the test ends. From
// then on this one acknowledges only what the standby has too.
func (p *Postgres) Standby(t testing.TB) *Postgres {
	t.Helper()
	dir, err := os.MkdirTemp("", "avap-pg-") //nolint:usetesting // the server's user must get in
	if err != nil {
		t.Fatal(err)
	}
	s := &Postgres{dir: dir, bin: p.bin}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	if s.attributes, err = asServerUser(dir); err != nil {
		t.Fatal(err)
	}
	source := p.admin
	source.RawQuery = "sslmode=disable&application_name=standby"
	err = s.tool("pg_basebackup", "-D", s.data(), "-d", source.String(), "-R", "-X", "stream", "-c", "fast", "--no-sync")
	if err == nil {
		err = s.serve()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.must(t, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
	p.must(t, "SELECT pg_reload_conf()")
	p.must(t, `DO $$ BEGIN
		WHILE NOT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync') LOOP
			PERFORM pg_sleep(0.005);
			PERFORM pg_stat_clear_snapshot(); -- the view stays as it was seen first in a transaction
		END LOOP;
	END $$`)
	return s
}

// Promote makes a standby take writes.
func (p *Postgres) Promote(t testing.TB) {
	t.Helper()
	p.must(t, "SELECT pg_promote()")
}

// Address is host and port.
func (p *Postgres) Address() string { return p.admin.Host }

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
	if p == nil || p.dir == "" {
		return nil
	}
	return errors.Join(p.kill(), os.RemoveAll(p.dir))
}

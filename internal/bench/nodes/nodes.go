// Package nodes runs several servers on one machine that share a PostgreSQL and
// a Redis of their own, and does to them what happens to servers: commands are
// uploaded, activated, rolled back and revoked under load, processes are killed
// and started again, all of them in turn behind a balancer.
package nodes

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
	"github.com/avapd/avapd/internal/testservices"
)

// Options say what is run.
type Options struct {
	// Serve makes the command of a server out of the arguments behind `avap`.
	Serve func(arguments ...string) *exec.Cmd
	// Nodes is how many servers there are.
	Nodes int
	// Dir is for their files.
	Dir string
	// Log is for what the servers log.
	Log io.Writer
	// Flags are for all servers, behind those that they have anyway.
	Flags []string
}

// Cluster is servers with what they share.
type Cluster struct {
	Postgres *testservices.Postgres
	Redis    *testservices.Redis
	Nodes    []*Node
	// TokenFile holds the token that changes need.
	TokenFile string

	options Options
	token   string
	shared  []string // flags that all of them have
}

// Node is one of the servers.
type Node struct {
	// Name is printed: node 1.
	Name string
	// URL is where it listens, also after it was started again.
	URL string

	// Dir is where its copy is.
	Dir string

	cluster *Cluster
	flags   []string
	process *testservices.Process
	api     *client.Client
	// up is set while requests may be sent to it.
	up atomic.Bool
}

const (
	// patience bounds every wait; nothing waits that long unless it is broken.
	patience = 30 * time.Second
	// look is between two looks at something that is waited for.
	look = 5 * time.Millisecond
)

// PatientFlags have executions wait longer for the audit log, where a slow disk
// must not be taken for a mistake and nothing is measured.
var PatientFlags = []string{"--audit-wait-ms", "10000"}

// Start starts the services, and servers on them.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{options: o}
	err := c.start(ctx)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) (err error) {
	if c.Postgres, err = testservices.NewPostgres(); err != nil {
		return err
	}
	if c.Redis, err = testservices.StartRedis(); err != nil {
		return err
	}
	if err := c.write(); err != nil {
		return err
	}
	for range c.options.Nodes {
		if _, err := c.Add(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Add starts one more server, with flags of its own behind those that all have.
func (c *Cluster) Add(ctx context.Context, flags ...string) (*Node, error) {
	number := len(c.Nodes) + 1
	n := &Node{Name: fmt.Sprintf("node %d", number), Dir: filepath.Join(c.options.Dir, fmt.Sprintf("node%d", number)), cluster: c, flags: flags}
	c.Nodes = append(c.Nodes, n)
	return n, n.Start(ctx)
}

// write makes the files that the servers share.
func (c *Cluster) write() error {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	c.token = hex.EncodeToString(random[:])
	for _, file := range []struct{ flag, name, content string }{
		{"--postgres-url-file", "postgres-url", c.Postgres.URL()},
		{"--redis-url-file", "redis-url", c.Redis.URL("")},
		{"--admin-token-file", "token", c.token},
	} {
		path := filepath.Join(c.options.Dir, file.name)
		if err := os.WriteFile(path, []byte(file.content), 0o600); err != nil {
			return err
		}
		c.shared = append(c.shared, file.flag, path)
	}
	c.shared = append(c.shared, c.options.Flags...)
	c.TokenFile = filepath.Join(c.options.Dir, "token")
	return nil
}

// Close ends everything at once.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.end(syscall.SIGKILL))
		if n.api != nil {
			n.api.Close()
		}
	}
	return errors.Join(append(errs, c.Redis.Stop(), c.Postgres.Stop())...)
}

// Start starts the server and waits until it is ready.
func (n *Node) Start(ctx context.Context) error {
	listen := "127.0.0.1:0"
	if n.URL != "" {
		listen = strings.TrimPrefix(n.URL, "http://")
	}
	command := n.cluster.options.Serve(append([]string{"serve", "--listen", listen, "--data-dir", n.Dir, "--log-level", "warn", "--egress-allow", "127.0.0.0/8"}, append(slices.Clip(n.cluster.shared), n.flags...)...)...)
	command.Stderr = n.cluster.options.Log
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if n.process, err = testservices.Launch(command); err != nil {
		n.process = nil
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		return fmt.Errorf("%s says %q instead of its address: %w", n.Name, line, err)
	}
	n.URL = address
	if n.api == nil {
		if n.api, err = client.New(client.Options{Server: n.URL, Token: n.cluster.token, Timeout: patience}); err != nil {
			return err
		}
	}
	if err := n.await(ctx, "is ready", func(ctx context.Context) bool { _, err := n.Health(ctx); return err == nil }); err != nil {
		return err
	}
	n.up.Store(true)
	return nil
}

// Kill ends the server as kill -9 does.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Stop ends the server as an operator does, and waits for it.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

func (n *Node) end(signal syscall.Signal) error {
	if n.process == nil {
		return nil
	}
	p := n.process
	n.process = nil
	n.up.Store(false)
	return p.Stop(signal)
}

// Pid is the number of the server's process.
func (n *Node) Pid() int { return n.process.Pid() }

// Health asks the server how it is; the error says that it is not ready.
func (n *Node) Health(ctx context.Context) (api.Health, error) {
	var state struct{ Registry api.Health }
	a, err := n.ask(ctx, http.MethodGet, "/readyz?verbose", "", nil)
	if err != nil {
		return api.Health{}, err
	}
	if a.status != http.StatusOK {
		return api.Health{}, fmt.Errorf("%s is not ready: %s", n.Name, a.body)
	}
	return state.Registry, json.Unmarshal(a.body, &state)
}

// await asks until something is so.
func (n *Node) await(ctx context.Context, what string, is func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !is(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %s: %w", n.Name, what, ctx.Err())
		}
	}
	return nil
}

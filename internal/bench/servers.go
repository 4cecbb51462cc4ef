package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/avapd/avapd/internal/bench/machine"
)

// site is a server under load.
type site struct {
	*process
	address string
}

// build compiles the product with the code that is delivered.
func (b *bench) build() error {
	if b.built {
		return nil
	}
	b.built = true
	if b.product != "" {
		return machine.Settle(b.product)
	}
	b.progress("building avap")
	path := filepath.Join(b.dir, "avap")
	cmd := exec.CommandContext(b.ctx, "go", "build", "-ldflags", "-s -w", "-o", path, "./cmd/avap")
	cmd.Dir = b.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build avap: %w\n%s", err, out)
	}
	b.product = path
	return machine.Settle(path)
}

// serve starts the product with its settings for production. Without log
// lines it does what the echo does; a busy server is run that way.
func (b *bench) serve(arguments ...string) (*site, error) {
	dir, err := os.MkdirTemp(b.dir, "data")
	if err != nil {
		return nil, err
	}
	return b.serveFrom(dir, arguments...)
}

// serveFrom starts the product with a directory that may hold commands.
func (b *bench) serveFrom(dir string, arguments ...string) (*site, error) {
	if err := b.build(); err != nil {
		return nil, err
	}
	arguments = append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", dir, "--log-level", "warn"}, arguments...)
	p, err := b.start(b.subject, exec.CommandContext(b.ctx, b.product, arguments...))
	if err != nil {
		return nil, err
	}
	return b.listening(p)
}

func (b *bench) serveEcho() (*site, error) {
	p, err := b.startRole("echo", b.subject)
	if err != nil {
		return nil, err
	}
	return b.listening(p)
}

// listening reads the address that a server prints.
func (b *bench) listening(p *process) (*site, error) {
	line, err := bufio.NewReader(p.out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on http://")
	if err != nil || !ok {
		b.stop(p)
		return nil, fmt.Errorf("%s says %q instead of its address: %w", p.name(), line, err)
	}
	return &site{p, address}, nil
}

package testservices

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Haproxy is a HAProxy on this machine, with the configuration that operators take.
type Haproxy struct {
	// URL is where it listens.
	URL string

	dir, stats string
	process    *Process
	output     bytes.Buffer
}

// haproxyBinary finds the program, which Debian keeps where only root looks.
func haproxyBinary() (string, error) {
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("HAProxy: %w", ErrMissing)
}

// CheckHaproxy has HAProxy look at a configuration.
func CheckHaproxy(ctx context.Context, file string) error {
	binary, err := haproxyBinary()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, binary, "-c", "-f", file).CombinedOutput() //nolint:gosec // the program's own binary
	if err == nil && bytes.Contains(out, []byte("[WARNING]")) {
		err = errors.New("it warns")
	}
	if err != nil {
		return fmt.Errorf("haproxy -c -f %s: %w\n%s", file, err, out)
	}
	return nil
}

// StartHaproxy starts a HAProxy by a configuration file in which servers are
// 10.0.0.11:8888 and so on, at free ports of this machine and as who we are.
func StartHaproxy(ctx context.Context, file string, servers []string) (*Haproxy, error) {
	binary, err := haproxyBinary()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "avap-haproxy-")
	if err != nil {
		return nil, err
	}
	h := &Haproxy{dir: dir}
	if err := h.start(ctx, binary, file, servers); err != nil {
		return nil, errors.Join(err, h.Stop(), errors.New(h.Output()))
	}
	return h, nil
}

func (h *Haproxy) start(ctx context.Context, binary, file string, servers []string) error {
	template, err := os.ReadFile(file) //nolint:gosec // what the test names
	if err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	statsPort, err := freePort(ctx)
	if err != nil {
		return err
	}
	h.URL, h.stats = "http://127.0.0.1:"+port, "http://127.0.0.1:"+statsPort+"/stats;csv"
	// The kernel would not end another user's process together with ours.
	changes := [][2]string{
		{"    user haproxy\n    group haproxy\n", ""},
		{"log /dev/log local0", "log stderr format raw local0"},
		{"bind :80\n", "bind 127.0.0.1:" + port + "\n"},
		{"bind 127.0.0.1:8404", "bind 127.0.0.1:" + statsPort},
	}
	for i, server := range servers {
		changes = append(changes, [2]string{fmt.Sprintf(" 10.0.0.1%d:8888\n", i+1), " " + server + "\n"})
	}
	content := string(template)
	for _, change := range changes {
		if strings.Count(content, change[0]) != 1 {
			return fmt.Errorf("%s does not have %q once", file, change[0])
		}
		content = strings.Replace(content, change[0], change[1], 1)
	}
	own := filepath.Join(h.dir, "haproxy.cfg")
	if err := os.WriteFile(own, []byte(content), 0o600); err != nil { //nolint:gosec // in a directory of ours
		return err
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), binary, "-db", "-f", own) //nolint:gosec // the program's own binary
	command.Stdout, command.Stderr = &h.output, &h.output
	if h.process, err = Launch(command); err != nil {
		h.process = nil
		return err
	}
	return await(ctx, func(ctx context.Context) error { _, err := h.Up(ctx); return err })
}

// Up tells which servers of the backend get requests, by their names in the
// configuration.
func (h *Haproxy) Up(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.stats, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	rows, err := csv.NewReader(response.Body).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("the statistics of HAProxy: %w", err)
	}
	const backend, server, status = 0, 1, 17 // columns, by HAProxy's management guide, 9.1
	up := map[string]bool{}
	for _, row := range rows[1:] {
		if row[backend] == "avap" && row[server] != "BACKEND" && row[server] != "FRONTEND" {
			up[row[server]] = row[status] == "UP"
		}
	}
	return up, nil
}

// Stop ends it at once and gives what it said of errors of its own.
func (h *Haproxy) Stop() error {
	if h == nil {
		return nil
	}
	var err error
	if h.process != nil {
		err = h.process.Stop(syscall.SIGKILL)
		h.process = nil
	}
	return errors.Join(err, os.RemoveAll(h.dir))
}

// Output is what it wrote: one line for each request, and who went and came. It
// is to be read after the end.
func (h *Haproxy) Output() string { return h.output.String() }

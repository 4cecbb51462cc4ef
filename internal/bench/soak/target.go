package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/avapd/avapd/internal/bench/machine"
)

const (
	// deadline is what an execution has by its settings.
	deadline = 2 * time.Second
	// readTimeout is what a client has to send a request.
	readTimeout = 5 * time.Second
	// startTime bounds the start and the end of the program.
	startTime = time.Minute
	token     = "soaked-soaked-soaked"
)

// target is the program under load.
type target struct {
	options

	command    *exec.Cmd
	url, admin string
	settings   string // the file of settings that are reloaded
	log        *logLines
	// ended is closed when the program has ended, by exit.
	ended chan struct{}
	exit  error
}

// startTarget starts the program on its cores.
func startTarget(ctx context.Context, o options) (*target, error) {
	t := &target{options: o, settings: filepath.Join(o.dir, "avap.yaml"), log: &logLines{}, ended: make(chan struct{})}
	key, secret := filepath.Join(o.dir, "server.key"), filepath.Join(o.dir, "token")
	if out, err := o.avap("keygen", "--out", key).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("avap keygen: %w\n%s", err, out)
	}
	if err := errors.Join(t.configure(goodSettings[0]), os.WriteFile(secret, []byte(token), 0o600)); err != nil {
		return nil, err
	}
	t.command = o.avap("serve", "--config", t.settings, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--data-dir", t.data(), "--log-level", "warn", "--admin-token-file", secret, "--registry-signing-key-file", key,
		"--limits-time-ms", milliseconds(deadline), "--http-read-timeout-ms", milliseconds(readTimeout),
		// Small, so that it is full, and the heap of one size, from the beginning on.
		"--cache-bytes", "16777216", "--gc-percent", "100")
	t.command.Stderr = t.log
	out, err := t.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	_, subject := machine.Cores()
	if err := machine.Start(t.command, subject); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	if t.url, err = announced(lines, "listening on "); err == nil {
		t.admin, err = announced(lines, "for operators: ")
	}
	go func() {
		defer close(t.ended)
		t.exit = t.command.Wait()
	}()
	if err != nil {
		t.kill()
		return nil, fmt.Errorf("%w\n%s", err, t.log.tail())
	}
	return t, ctx.Err()
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (t *target) data() string { return filepath.Join(t.dir, "data") }

func announced(lines *bufio.Reader, what string) (string, error) {
	line, err := lines.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), what)
	if err != nil || !ok {
		return "", fmt.Errorf("avap serve says %q where %q is due: %w", line, what, err)
	}
	return address, nil
}

// prepare stores a command and an app.
func (t *target) prepare(ctx context.Context) error {
	return errors.Join(
		t.put(ctx, "/api/v1/commands/soaked?activate=true", "addParam(n, n)\ntwice = int(n) * 2\naddResult(twice)\n"),
		t.put(ctx, "/api/v1/apps/soaked", "function greet(){\n    addParam(name, who)\n    text = \"Hello, \" + str(who)\n    addResult(text)\n}\nregisterEndpoint(\"/greet\", \"POST\", [], \"greets\", greet, text)\n"))
}

func (t *target) put(ctx context.Context, path, script string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, t.url+path, strings.NewReader(script))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/plain")
	request.Header.Set("Authorization", "Bearer "+token)
	body, err := fetch(request)
	if err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	return nil
}

// fetch asks on a connection of its own and wants a yes.
func fetch(request *http.Request) ([]byte, error) {
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s", request.Method, request.URL.Path, response.Status)
	}
	return body, err
}

// capacity is how much the program serves in a second to some clients of whom
// each asks when it has its answer. The best of some rounds counts: the first
// ones compile, and others may have been at work on the machine.
func (t *target) capacity(ctx context.Context) (most float64) {
	for range 4 {
		tr := newTraffic(t.url, all())
		tr.run(ctx, within(t.duration/40, time.Second, 10*time.Second), 0)
		most = max(most, tr.servedRate())
	}
	return most
}

// load has clients of all kinds ask, and settings change, for a while.
func (t *target) load(ctx context.Context, d time.Duration, rate float64) *traffic {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	tr := newTraffic(t.url, all())
	var others sync.WaitGroup
	for _, n := range nuisances {
		others.Go(func() { n.repeat(ctx, strings.TrimPrefix(t.url, "http://"), tr) })
	}
	others.Go(func() { t.operate(ctx, within(d/20, 500*time.Millisecond, 10*time.Second), tr) })
	tr.run(ctx, d, rate)
	cancel()
	others.Wait()
	return tr
}

// metrics reads the metrics, by their names with labels.
func (t *target) metrics(ctx context.Context) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.admin+"/api/v1/metrics", nil)
	if err != nil {
		return nil, err
	}
	body, err := fetch(request)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, ok := cutLast(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if values[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return values, nil
}

func cutLast(s, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// holding is what the program holds.
type holding struct {
	goroutines, descriptors int
	resident                int64
	// busy is what is still under way: executions, requests, connections, records.
	busy float64
}

func (t *target) holding(ctx context.Context) (h holding, err error) {
	m, err := t.metrics(ctx)
	if err != nil {
		return h, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", t.command.Process.Pid))
	if err != nil {
		return h, err
	}
	h.resident, err = machine.Resident(t.command.Process.Pid)
	h.goroutines, h.descriptors = int(m["go_goroutines"]), len(files)
	h.busy = m["avap_executions_running"] + m["avap_http_connections_open"] + m["avap_compute_queue_length"] + m["avap_audit_at_risk_records"]
	return h, err
}

// A holding is settled when it has not become less for so long: fasthttp keeps
// a goroutine of a connection that has gone for ten seconds.
const settleTime = 12 * time.Second

// settled waits until nothing is under way and nothing becomes less.
func (t *target) settled(ctx context.Context) (least holding, err error) {
	since := time.Now()
	err = t.await(ctx, startTime+settleTime, func(h holding) bool {
		if least.goroutines == 0 || h.busy > 0 || h.goroutines < least.goroutines || h.descriptors < least.descriptors {
			least, since = h, time.Now()
		}
		return time.Since(since) > settleTime
	})
	return least, err
}

// returned waits until the program holds no more than before, and gives what it
// holds then or in the end.
func (t *target) returned(ctx context.Context, before holding, patience time.Duration) (last holding, err error) {
	err = t.await(ctx, patience, func(h holding) bool {
		last = h
		return h.busy == 0 && h.within(before)
	})
	return last, err
}

// await looks at what the program holds until it is as wanted or time is up.
func (t *target) await(ctx context.Context, patience time.Duration, is func(holding) bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(patience)
	for time.Now().Before(end) {
		h, err := t.holding(ctx)
		if err != nil {
			return err
		}
		if is(h) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// stop ends the program as an operator does; the error is how it ended.
func (t *target) stop() error {
	if err := t.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-t.ended:
		return t.exit
	case <-time.After(startTime):
		return errors.New("it does not end after SIGTERM")
	}
}

// kill ends what may still run.
func (t *target) kill() {
	_ = t.command.Process.Kill() // it may have ended
	<-t.ended
}

// auditLog is what the audit log has.
type auditLog struct {
	// executions are counted by their outcomes, reloads too.
	executions, reloads map[string]int
	verified            error
}

// readAudit reads the audit log of the program that has ended, by its commands.
func (t *target) readAudit(ctx context.Context) (*auditLog, error) {
	a := &auditLog{executions: map[string]int{}, reloads: map[string]int{}}
	if out, err := t.avap("audit", "verify", "--data-dir", t.data()).CombinedOutput(); err != nil {
		a.verified = fmt.Errorf("%w\n%s", err, out)
	}
	export := t.avap("audit", "export", "--data-dir", t.data())
	export.Stderr = t.log
	out, err := export.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := export.Start(); err != nil {
		return nil, err
	}
	err = a.count(out)
	if err != nil {
		_ = export.Process.Kill()
	}
	return a, errors.Join(err, export.Wait(), ctx.Err())
}

func (a *auditLog) count(lines io.Reader) error {
	decoder := json.NewDecoder(lines)
	for {
		var record struct{ Kind, Outcome string }
		switch err := decoder.Decode(&record); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("avap audit export: %w", err)
		}
		switch record.Kind {
		case "execution":
			a.executions[record.Outcome]++
		case "reload":
			a.reloads[record.Outcome]++
		}
	}
}

// logLines keeps the last lines that the program logs, and whether it panicked.
type logLines struct {
	mu       sync.Mutex
	last     []byte
	panicked bool
}

func (l *logLines) Write(p []byte) (int, error) {
	const kept = 16 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Contains(p, []byte("panic:")) || bytes.Contains(p, []byte("fatal error:")) {
		l.panicked = true
	}
	if !l.panicked { // the beginning of a panic tells most
		l.last = append(l.last, p...)
		l.last = l.last[max(0, len(l.last)-kept):]
	} else if len(l.last) < 4*kept {
		l.last = append(l.last, p...)
	}
	return len(p), nil
}

func (l *logLines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.last)
}

func (l *logLines) hasPanic() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.panicked
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/confine"
)

func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path+".new", []byte(content), 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// TestHardened runs the program as an operator would: it reads no file that it was
// not told of, gains no privileges, and still does all that it is for.
func TestHardened(t *testing.T) {
	if confine.Level() == 0 {
		t.Skip("the kernel has no landlock")
	}
	const token = "0123456789abcdef"
	dir := t.TempDir()
	settings, elsewhere := filepath.Join(dir, "settings", "avap.yaml"), filepath.Join(dir, "elsewhere", "token")
	temporary := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	replace(t, filepath.Join(dir, "settings", "token"), token)
	replace(t, elsewhere, "another-token-that-is-out-of-reach")
	replace(t, filepath.Join(dir, "connectors", "c.json"), `{"shop": {"type": "sqlite", "file": "data/shop.db"}}`)
	replace(t, filepath.Join(dir, "connectors", "data", "keep"), "")
	text := "hardening: {landlock: required}\negress: {allow: [127.0.0.0/8, '::1/128']}\nconnectors_file: " + filepath.Join(dir, "connectors", "c.json") + "\n"
	replace(t, settings, text+"admin: {token_file: "+filepath.Join(dir, "settings", "token")+"}\n")
	p := startProcess(t, []string{"TMPDIR=" + temporary}, "--config", settings, "--data-dir", filepath.Join(dir, "data"))
	p.awaitLog(`"msg":"files are out of reach","level":` + strconv.Itoa(confine.Level()))

	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil || !strings.Contains(string(status), "NoNewPrivs:\t1\n") {
		t.Errorf("%v: the process may gain privileges: %s", err, status)
	}
	p.checkWork(t)
	if got, body := p.ask(http.MethodPut, "/api/v1/apps/shop", token, "function f(){\n    addResult(x)\n}\nregisterEndpoint(\"/shop\", \"GET\", [], \"\", f, out)\nx = 1"); got != http.StatusCreated {
		t.Errorf("%d %s", got, body)
	}
	if got, body := p.ask(http.MethodGet, "/api/v1/audit", token, ""); got != http.StatusOK || !strings.Contains(body, "app.put") {
		t.Errorf("%d %s", got, body)
	}
	if got, body := p.ask(http.MethodGet, "/api/v1/metrics", token, ""); got != http.StatusOK || !strings.Contains(body, "\nprocess_start_time_seconds ") {
		t.Errorf("%d %s", got, body)
	}

	replace(t, settings, text+"admin: {token_file: "+elsewhere+"}\n")
	p.awaitLog("the file cannot be read: permission denied")
	replace(t, settings, text+"admin: {token_file: "+filepath.Join(dir, "settings", "token")+"}\nlimits: {fuel: 123456}\n")
	p.awaitLog(`"new":"123456"`)
	p.stop()
}

// checkWork runs scripts that need files, and names of machines.
func (p *process) checkWork(t *testing.T) {
	t.Helper()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a": 1}`)) }))
	defer target.Close()
	_, port, _ := net.SplitHostPort(target.Listener.Addr().String())
	for _, c := range []struct{ script, want string }{
		{`addResult(x)`, `"x":`},
		{"ormDirect(\"CREATE TABLE t (a TEXT)\", made)\normDirect(\"INSERT INTO t VALUES ('one')\", filled)\normDirect(\"SELECT a FROM t ORDER BY a\", rows)\naddResult(rows)", `"one"`},
		{"RequestGet(\"http://localhost:" + port + "/\", , , got)\naddResult(got)", `"got":"{\"a\": 1}"`},
	} {
		body, err := json.Marshal(map[string]any{"script": c.script, "variables": map[string]any{"x": 1}})
		if err != nil {
			t.Fatal(err)
		}
		if got, answer := p.ask(http.MethodPost, "/api/v1/execute", "", string(body)); got != http.StatusOK || !strings.Contains(answer, c.want) {
			t.Errorf("%s: %d %s", c.script, got, answer)
		}
	}
}

// TestNotify is the service manager of the program.
func TestNotify(t *testing.T) {
	dir := t.TempDir()
	socket, settings := filepath.Join(dir, "notify"), filepath.Join(dir, "avap.yaml")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		for b := make([]byte, 4096); ; {
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("no %s: %v", want, err)
			}
			switch got := string(b[:n]); {
			case strings.HasPrefix(got, want):
				return
			case got == "WATCHDOG=1": // it may come between any two
			default:
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
	replace(t, settings, "limits: {fuel: 1000000}\n")
	p := startProcess(t, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=20000"}, "--config", settings, "--data-dir", filepath.Join(dir, "data"))
	expect("READY=1")
	expect("WATCHDOG=1")
	if got, body := p.ask(http.MethodGet, "/readyz", "", ""); got != http.StatusOK {
		t.Errorf("ready is said too early: %d %s", got, body)
	}
	if err := p.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	expect("RELOADING=1\nMONOTONIC_USEC=")
	expect("READY=1")
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect("STOPPING=1")
	if err := p.command.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.logged())
	}
}

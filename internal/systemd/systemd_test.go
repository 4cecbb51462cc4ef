//go:build unix

package systemd

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manager is a socket of a service manager.
func manager(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn, path
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestStates(t *testing.T) {
	conn, path := manager(t)
	m, err := Open(environment(map[string]string{"NOTIFY_SOCKET": path}))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Ready(), m.Reloading(), m.Stopping(), m.Close()); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, conn); got != "READY=1" {
		t.Errorf("got %q", got)
	}
	first, clock, _ := strings.Cut(receive(t, conn), "\nMONOTONIC_USEC=")
	if n, err := strconv.ParseInt(clock, 10, 64); first != "RELOADING=1" || err != nil || n < 0 {
		t.Errorf("got %q and %q", first, clock)
	}
	if got := receive(t, conn); got != "STOPPING=1" {
		t.Errorf("got %q", got)
	}
	if err := m.Ready(); err == nil {
		t.Error("a closed manager was told")
	}
}

func TestWatchdog(t *testing.T) {
	conn, path := manager(t)
	m, err := Open(environment(map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())}))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := receive(t, conn); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		limit, pid string
		want       time.Duration
	}{
		"every half": {"30000000", "", 15 * time.Second},
		"another's":  {"30000000", "1", 0},
		"none":       {"", "", 0},
		"garbage":    {"soon", "", 0},
		"negative":   {"-1", "", 0},
		"too long":   {"9223372036854775807", "", 0},
	} {
		if got := watchdog(environment(map[string]string{"WATCHDOG_USEC": c.limit, "WATCHDOG_PID": c.pid})); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A manager that does not read does not keep the process waiting.
func TestDeafManager(t *testing.T) {
	_, path := manager(t)
	m, err := Open(environment(map[string]string{"NOTIFY_SOCKET": path}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 100_000 {
		if err := m.Ready(); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the socket takes everything")
}

// Without a manager nothing is told; one that cannot be reached is a fault.
func TestNobody(t *testing.T) {
	m, err := Open(environment(nil))
	if m != nil || err != nil {
		t.Fatal(m, err)
	}
	if err := errors.Join(m.Ready(), m.Reloading(), m.Stopping(), m.Close()); err != nil {
		t.Error(err)
	}
	if _, err := Open(environment(map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "none")})); err == nil {
		t.Error("a manager that is not there was reached")
	}
}

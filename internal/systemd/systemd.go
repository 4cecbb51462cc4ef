// Package systemd tells the service manager how the process is, by the protocol of
// sd_notify(3).
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// sendTime is how long a manager that does not read may keep the process.
const sendTime = time.Second

// Manager is a service manager that wants to know; a nil one does not.
type Manager struct {
	conn *net.UnixConn
	// every is how often it wants to hear that the process is alive; 0 is never.
	every time.Duration

	stop, stopped chan struct{}
}

// Open connects to the manager that started the process, if the environment names
// one.
func Open(getenv func(string) string) (*Manager, error) {
	address := getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil, nil //nolint:nilnil // see Manager
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	m := &Manager{conn: conn, every: watchdog(getenv), stop: make(chan struct{}), stopped: make(chan struct{})}
	go m.beat()
	return m, nil
}

// watchdog is half of the time after which a process that says nothing counts as
// hanging.
func watchdog(getenv func(string) string) time.Duration {
	limit, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if pid := getenv("WATCHDOG_PID"); err != nil || limit <= 0 || limit > int64(time.Hour/time.Microsecond) || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(limit) * time.Microsecond / 2
}

// beat says that the process is alive until Close.
func (m *Manager) beat() {
	defer close(m.stopped)
	if m.every == 0 {
		return
	}
	ticker := time.NewTicker(m.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = m.send("WATCHDOG=1") // a manager that hears nothing acts by itself
		case <-m.stop:
			return
		}
	}
}

// Ready says that the process can do its work, with its settings as they are now.
func (m *Manager) Ready() error { return m.send("READY=1") }

// Reloading says that the process takes its settings anew; Ready follows.
func (m *Manager) Reloading() error {
	return m.send("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(monotonicUS(), 10))
}

// Stopping says that the process ends.
func (m *Manager) Stopping() error { return m.send("STOPPING=1") }

func (m *Manager) send(state string) error {
	if m == nil {
		return nil
	}
	if err := m.conn.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	if _, err := m.conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

// Close says nothing more.
func (m *Manager) Close() error {
	if m == nil {
		return nil
	}
	close(m.stop)
	<-m.stopped
	if err := m.conn.Close(); err != nil {
		return fmt.Errorf("close NOTIFY_SOCKET: %w", err)
	}
	return nil
}

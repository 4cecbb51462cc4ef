package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal gives both ends of a terminal: what a person sees and types, and
// what a program has.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("needs terminals: ", err)
	}
	t.Cleanup(func() { person.Close() })
	raw, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number, failed := 0, error(nil)
	err = raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if failed == nil {
			failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100})
		}
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("needs terminals: ", err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

func modesOf(t *testing.T, terminal *os.File) unix.Termios {
	t.Helper()
	modes, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *modes
}

// On a terminal avap top draws until a key ends it, and leaves the terminal as it
// was.
func TestTopOnTerminal(t *testing.T) {
	s := startServe(t)
	for name, key := range map[string]string{"q": "q", "Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			person, program := openTerminal(t)
			before := modesOf(t, program)
			ended := make(chan int, 1)
			go func() {
				ended <- Main(t.Context(), Process{
					Args: []string{"top", "--server", s.url, "--interval-ms", "50"}, Stdin: program, Stdout: program, Stderr: program,
				})
			}()
			var seen strings.Builder
			until := func(want string, least int) {
				t.Helper()
				part := make([]byte, 4096)
				for strings.Count(seen.String(), want) < least {
					n, err := person.Read(part)
					if err != nil {
						t.Fatalf("%v after %q", err, seen.String())
					}
					seen.Write(part[:n])
				}
			}
			until(ansiHome, 2) // two frames
			if out := seen.String(); !strings.HasPrefix(out, ansiEnter) || !strings.Contains(out, "latency ") || strings.Contains(out, ansiLeave) {
				t.Errorf("%q", out)
			}
			if modes := modesOf(t, program); modes.Lflag&(unix.ECHO|unix.ICANON) != 0 {
				t.Error("keys are shown, or wait for the end of a line")
			}
			if _, err := person.WriteString("x" + key); err != nil {
				t.Fatal(err)
			}
			until(ansiLeave, 1)
			if code := <-ended; code != exitOK {
				t.Errorf("code %d, %q", code, seen.String())
			}
			if after := modesOf(t, program); after != before {
				t.Errorf("the terminal is %+v, was %+v", after, before)
			}
		})
	}
}

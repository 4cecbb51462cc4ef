package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// childVariable names the directory of a child that confines itself.
const childVariable = "CONFINE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child prints what came of each attempt after it has confined itself, which
// cannot be taken back in a process.
func child(dir string) {
	open, err := os.Open(filepath.Join(dir, "forbidden", "open"))
	check := func(what string, err error) {
		result := "ok"
		switch {
		case errors.Is(err, fs.ErrPermission):
			result = "refused"
		case err != nil:
			result = err.Error()
		}
		fmt.Printf("%s: %s\n", what, result)
	}
	check("open", err)
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	read := func(name string) error { _, err := os.ReadFile(name); return err }
	write := func(name string) error { return os.WriteFile(name, []byte("x"), 0o600) }
	check("enter", Enter(Paths{
		Read:  []string{in("read"), in("one"), in("missing"), "/etc", "/proc/self"},
		Write: []string{in("write")},
	}))
	check("read below read", read(in("read", "deep", "file")))
	check("write below read", write(in("read", "file")))
	check("read one file", read(in("one")))
	check("write below write", write(in("write", "new")))
	check("make below write", os.MkdirAll(in("write", "a", "b"), 0o700))
	check("rename below write", os.Rename(in("write", "new"), in("write", "newer")))
	check("remove below write", os.Remove(in("write", "newer")))
	check("read elsewhere", read(in("forbidden", "file")))
	check("list elsewhere", func() error { _, err := os.ReadDir(in("forbidden")); return err }())
	check("write elsewhere", write(in("forbidden", "new")))
	check("run", exec.Command("/bin/true").Run())
	_, err = open.Read(make([]byte, 1))
	check("read what was open", err)
	results := make(chan error, 1)
	go func() { results <- read(in("forbidden", "file")) }()
	check("read elsewhere in another thread", <-results)
	_, err = net.LookupHost("localhost")
	check("look up", err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check("listen", err)
	if err == nil {
		_, err = net.Dial("tcp", listener.Addr().String())
		check("connect", err)
	}
	status, err := os.ReadFile("/proc/self/status")
	check("read /proc", err)
	fmt.Println(strings.Contains(string(status), "NoNewPrivs:\t1\n"))
}

const confined = `open: ok
enter: ok
read below read: ok
write below read: refused
read one file: ok
write below write: ok
make below write: ok
rename below write: ok
remove below write: ok
read elsewhere: refused
list elsewhere: refused
write elsewhere: refused
run: refused
read what was open: ok
read elsewhere in another thread: refused
look up: ok
listen: ok
connect: ok
read /proc: ok
true
`

func TestEnter(t *testing.T) {
	if Level() == 0 {
		t.Skip("the kernel has no landlock")
	}
	dir := t.TempDir()
	for _, name := range []string{"read/deep/file", "one", "write/old", "forbidden/file", "forbidden/open"} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("content"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+dir)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if string(output) != confined {
		t.Errorf("the child says\n%swant\n%s", output, confined)
	}
}

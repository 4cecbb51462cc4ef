package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/cli"
)

// example is a curl line of the README and the answer printed below it.
var example = regexp.MustCompile("(?s)```sh\n(curl .*?)\n```\n[^`]*```json\n(.*?)\n?```")

// TestReadme runs the README's curl lines. What it prints must be what a
// newcomer sees.
func TestReadme(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("needs curl")
	}
	const path = "../../README.md"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	address := serve(t)
	examples := example.FindAllStringSubmatch(text, -1)
	if len(examples) < 2 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, e := range examples {
		command := strings.ReplaceAll(e[1], "127.0.0.1:8888", address)
		out, err := exec.CommandContext(t.Context(), "bash", "-c", command).Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		got := strings.TrimSuffix(string(out), "\n")
		if os.Getenv("UPDATE_SCRIPTS") != "" {
			text = strings.Replace(text, e[0], strings.Replace(e[0], "```json\n"+e[2], "```json\n"+got+strings.Repeat("\n", max(0, 1-len(e[2]))), 1), 1)
			continue
		}
		if diff := cmp.Diff(e[2], got); diff != "" {
			t.Errorf("%s\n%s", e[1], diff)
		}
	}
	if text != string(content) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// serve starts a server in this process and gives its address.
func serve(t *testing.T) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, cli.Process{
			Args: []string{"serve", "--listen", "127.0.0.1:0"}, Stdin: strings.NewReader(""), Stdout: writer, Stderr: io.Discard,
		})
		writer.Close()
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("the server ended with code %d", code)
		}
	})
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(strings.TrimSpace(line), "http://")
	return address
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example is a curl line of the README and the answer printed below it.
var example = regexp.MustCompile("(?s)```sh\n(curl .*?)\n```\n[^`]*```json\n(.*?)\n?```")

// script is a script of a document.
var script = regexp.MustCompile("(?s)```avap[^\n]*\n(.*?)```")

// TestReadme runs the curl lines of the README and of the manual, on a server
// that has the apps they show. What is printed must be what a newcomer sees.
func TestReadme(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("needs curl")
	}
	for document, least := range map[string]int{"README.md": 3, "docs/language.md": 1, "docs/cookbook.md": 1} {
		t.Run(document, func(t *testing.T) { checkDocument(t, "../../"+document, least) })
	}
}

// checkDocument runs the curl lines of a document, of which it has at least
// some.
func checkDocument(t *testing.T, path string, least int) {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	address := serve(t, apps(t, text)...)
	examples := example.FindAllStringSubmatch(text, -1)
	if len(examples) < least {
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

// apps gives the flags that deploy the scripts of a document which register
// endpoints.
func apps(t *testing.T, text string) []string {
	t.Helper()
	var flags []string
	for i, s := range script.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(s[1], "\nregisterEndpoint(") || strings.Contains(s[1], "// error:") {
			continue
		}
		file := filepath.Join(t.TempDir(), fmt.Sprintf("app%d.avap", i))
		if err := os.WriteFile(file, []byte(s[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "--app", file)
	}
	return flags
}

// serve starts a server in this process and gives its address.
func serve(t *testing.T, flags ...string) string {
	t.Helper()
	s, err := startServer(append([]string{"--data-dir", t.TempDir()}, flags...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if code := s.stop(); code != 0 {
			t.Errorf("the server ended with code %d", code)
		}
	})
	return strings.TrimPrefix(s.address, "http://")
}

// shell are the blocks of a document that are typed into a shell.
var shell = regexp.MustCompile("(?s)```sh\n(.*?)```")

// saved is a script that a document tells the reader to save, and its name.
var saved = regexp.MustCompile("(?s)Save this as `([^`]+)`:\n```avap\n(.*?)```")

// TestReadmeCommands types what the README says about the command line, signing
// and registered commands into a shell, with a program and a server that it does
// not have to make.
func TestReadmeCommands(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var lines []string
	for _, name := range []string{"The command line", "Sign and verify", "Registered commands"} {
		_, section, found := strings.Cut(string(content), "\n## "+name+"\n")
		if !found {
			t.Fatalf("there is no section %q", name)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, s := range saved.FindAllStringSubmatch(section, -1) {
			write(t, filepath.Join(dir, s[1]), s[2])
		}
		for _, block := range shell.FindAllStringSubmatch(section, -1) {
			if !strings.HasPrefix(block[1], "make build") {
				lines = append(lines, block[1])
			}
		}
	}
	write(t, filepath.Join(dir, "token"), "0123456789abcdef")
	address := serve(t, "--admin-token-file", filepath.Join(dir, "token"))
	out := typed(t, bash, dir, strings.Join(lines, ""), "AVAP_SERVER=http://"+address)
	for _, want := range []string{
		`{"total":30}`, "order.wasm: signed by", "cheap.avap may do nothing that order.wasm could not",
		"price: version 1, active", "36.3", "price: version 2 is active", "price: version 1 is active", "prices of 2027",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
}

// typed gives what a shell prints for lines in which avap is this program.
func typed(t *testing.T, bash, dir, lines string, environment ...string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test's program is avap when it is called so.
	if err := os.Symlink(program, filepath.Join(dir, "avap")); err != nil {
		t.Skip("needs symbolic links")
	}
	cmd := exec.CommandContext(t.Context(), bash, "-e", "-o", "pipefail", "-c", lines)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH")), environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// foreignModule is a module in a document, the lines that make it and run it, and
// what they print.
var foreignModule = regexp.MustCompile("(?s)This is `([^`]+)`:\n\n```wat\n(.*?)```\n```sh\n(.*?)```\n```json\n(.*?)```")

// TestForeignModuleOfDocument makes the module that docs/architecture.md shows to
// authors of other compilers.
func TestForeignModuleOfDocument(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if _, missing := exec.LookPath("wat2wasm"); err != nil || missing != nil {
		t.Skip("needs bash and wat2wasm")
	}
	content, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	example := foreignModule.FindStringSubmatch(string(content))
	if example == nil {
		t.Fatal("there is no module")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, example[1]), example[2])
	if diff := cmp.Diff(example[4], typed(t, bash, dir, example[3])); diff != "" {
		t.Errorf("(-document +printed):\n%s", diff)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"avap": main})
}

// fixtures is the directory of modules that our compiler did not make.
var fixtures string

// TestScripts runs the command lines of testdata/script/*.txtar. With
// UPDATE_SCRIPTS=1 the expected outputs are rewritten.
func TestScripts(t *testing.T) {
	var err error
	if fixtures, err = filepath.Abs("../../wasmhost/testdata/foreign"); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "foreign": foreign, "flip": flip, "server": server, "images": images},
		Setup:               withServer,
	})
}

// foreign is the script command `foreign NAME FILE`: it writes a module of
// wasmhost/testdata/foreign with a manifest.
func foreign(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: foreign NAME FILE")
	}
	module, err := os.ReadFile(filepath.Join(fixtures, args[0]+".wasm"))
	ts.Check(err)
	manifest, err := json.Marshal(abi.Manifest{Format: abi.ManifestFormat, ABI: abi.Version, DataEnd: abi.ScriptBase + abi.PageBytes})
	ts.Check(err)
	module = wasm.AppendCustom(module, wasm.Custom{Name: abi.ManifestSection, Bytes: manifest})
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), module, 0o600))
}

// flip is the script command `flip FILE AT OUT`: it writes a file in which the
// lowest bit of one byte is another, counted from the end if AT is negative.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: flip FILE AT OUT")
	}
	content := []byte(ts.ReadFile(args[0]))
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(content)
	}
	content[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), content, 0o600))
}

// exits is the script command `exits CODE PROGRAM ARG…`: it runs the program,
// which must end with just that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed := new(exec.ExitError)
		if !errors.As(err, &failed) {
			ts.Fatalf("%v", err)
		}
		code = failed.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

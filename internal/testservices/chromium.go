package testservices

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// browserTime is how long a page may take; a cold browser on a busy machine takes
// some seconds.
const browserTime = 60 * time.Second

// Browse gives the document that a page has become in Chromium, which reaches
// nothing but this machine, and what its console says. Without one the test is
// skipped, or fails where services are required.
func Browse(t testing.TB, url string) (document string, console []string) {
	t.Helper()
	binary, err := exec.LookPath("chromium")
	if err != nil {
		Need(t, fmt.Errorf("chromium: %w", ErrMissing))
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	defer cancel()
	browser := exec.CommandContext(ctx, binary, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", //nolint:gosec // found above
		"--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--user-data-dir="+t.TempDir(),
		"--enable-logging=stderr", "--dump-dom", url)
	var out, problems bytes.Buffer
	browser.Stdout, browser.Stderr, browser.WaitDelay = &out, &problems, time.Second
	if err := browser.Run(); err != nil {
		t.Fatal(err, problems.String())
	}
	for line := range strings.Lines(problems.String()) {
		if strings.Contains(line, ":CONSOLE") {
			console = append(console, line)
		}
	}
	return out.String(), console
}

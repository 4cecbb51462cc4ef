//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/audit"
)

// auditRun runs avap audit with arguments.
func auditRun(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(t.Context(), Process{Args: append([]string{"audit"}, args...), Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr})
	return code, stdout.String() + stderr.String()
}

func (s *instance) audited(token, query string) []api.AuditRecord {
	s.t.Helper()
	status, body := s.call(http.MethodGet, "/api/v1/audit"+query, token, "")
	var page api.AuditPage
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
		s.t.Fatal(status, body, err)
	}
	return page.Records
}

// What a server does is in its audit log, as often as its metrics say, and the
// log verifies.
func TestAudit(t *testing.T) {
	const token = "confidential-token"
	dir := t.TempDir()
	data, tokenFile := filepath.Join(dir, "data"), filepath.Join(dir, "token")
	put(t, tokenFile, token)
	s := startServe(t, "--data-dir", data, "--admin-token-file", tokenFile, "--audit-durability", "group", "--audit-inputs", "whole", "--executions-kept", "0")
	if status := await(t, "answer", s.execute(`x = 1\naddResult(x)`)); status != http.StatusOK {
		t.Fatal(status)
	}
	if status := await(t, "answer", s.execute("x = 1 / 0")); status == http.StatusOK {
		t.Fatal(status)
	}
	s.call(http.MethodPost, "/api/v1/execute/batch", "", `[{"script":"y = 1"},{"script":"y = ("}]`)
	s.call(http.MethodDelete, "/api/v1/apps/none", token, "")
	s.call(http.MethodDelete, "/api/v1/apps/none", "", "")
	hangUp(t)
	s.awaitLog(`"reason":"SIGHUP"`, 1)

	s.auditedAfter(token, "?kind=denied", 1)
	s.auditedAfter(token, "?kind=reload", 1)
	var kinds []string
	for _, r := range s.audited(token, "") {
		kinds = append([]string{r.Kind + ":" + r.Outcome}, kinds...)
	}
	// Items of the batch and the reload run beside others.
	want := map[string]int{"start:ok": 1, "execution:ok": 2, "execution:script_error": 1, "execution:compile_error": 1, "change:begun": 1, "change:refused": 1, "denied:refused": 1, "reload:ok": 1}
	got := map[string]int{}
	for _, kind := range kinds {
		got[kind]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	executed := s.audited(token, "?kind=execution&outcome=ok")
	if r := executed[len(executed)-1]; !strings.Contains(r.Input, "addResult") || r.Principal != "anonymous" || r.Address != "127.0.0.1" || r.Fuel == 0 || r.InputDigest == "" || r.Digest == "" {
		t.Errorf("%+v", r)
	}
	id := executed[0].ExecutionID
	if status, body := s.call(http.MethodGet, "/api/v1/executions/"+id, "", ""); status != http.StatusOK || !strings.Contains(body, `"state":"succeeded"`) {
		t.Errorf("%d %s", status, body)
	}
	if found := s.audited(token, "?execution_id="+id); len(found) != 1 {
		t.Errorf("%+v", found)
	}
	s.countsAgree(t)
	for _, query := range []string{"?kind=x", "?from=yesterday", "?after=x", "?execution_id=x", "?limit=0", "?colour=red"} {
		s.wantAudit(token, query, http.StatusBadRequest)
	}
	s.wantAudit("", "", http.StatusUnauthorized)
	s.stop()
	verifyFiles(t, data)
}

// auditedAfter asks until there are so many records: what a server does beside
// answering is written down a moment later than it is logged.
func (s *instance) auditedAfter(token, query string, count int) []api.AuditRecord {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		records := s.audited(token, query)
		if len(records) >= count {
			return records
		}
		if time.Now().After(end) {
			s.t.Fatalf("%d records of %s, want %d", len(records), query, count)
		}
	}
}

func (s *instance) wantAudit(token, query string, status int) {
	s.t.Helper()
	if got, body := s.call(http.MethodGet, "/api/v1/audit"+query, token, ""); got != status {
		s.t.Errorf("%s: %d %s", query, got, body)
	}
}

// countsAgree compares what the metrics say with each other.
func (s *instance) countsAgree(t *testing.T) {
	t.Helper()
	_, metrics := s.call(http.MethodGet, "/api/v1/metrics", "", "")
	written := regexp.MustCompile(`avap_audit_records_total\{kind="execution"\} (\d+)`).FindStringSubmatch(metrics)
	counted := 0
	for _, m := range regexp.MustCompile(`avap_executions_total\{outcome="[a-z_]+"\} (\d+)`).FindAllStringSubmatch(metrics, -1) {
		var n int
		_, _ = fmt.Sscan(m[1], &n)
		counted += n
	}
	if written == nil || written[1] != fmt.Sprint(counted) || counted != 4 {
		t.Errorf("%v records of %d executions", written, counted)
	}
}

// verifyFiles verifies what a server has left, and an export of it.
func verifyFiles(t *testing.T, data string) {
	t.Helper()
	code, out := auditRun(t, "verify", "--data-dir", data, "--output", "json")
	var report audit.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitOK || !report.OK || report.Chains[0].SignedUntil != report.Chains[0].Last {
		t.Errorf("%d %s", code, out)
	}
	code, export := auditRun(t, "export", "--data-dir", data)
	if code != exitOK || !strings.Contains(export, `"kind":"stop"`) {
		t.Errorf("%d %s", code, export)
	}
	file := filepath.Join(t.TempDir(), "audit.ndjson")
	lines := strings.SplitAfter(export, "\n")
	last := len(lines) - 2 // signed when the server stopped
	if !strings.Contains(lines[last], `"type":"checkpoint"`) {
		t.Fatalf("the last line is %s", lines[last])
	}
	withoutLastCheckpoint := strings.Join(lines[:last], "")
	for _, c := range []struct {
		content, said string
		code          int
	}{
		{export, "are right, and proven by the last of", exitOK},
		{withoutLastCheckpoint, "and proven up to record", exitOK},
		{strings.Replace(export, `"sequence":2,`, `"sequence":3,`, 1), "record 2 is the first that is wrong", exitSignature},
		{regexp.MustCompile(`(?m)^.*"type":"checkpoint".*\n`).ReplaceAllString(export, ""), "no signed checkpoint proves them", exitUnproven},
		{"", "there is no record in it", exitUsage},
		{"{}\n", "this is no export of whole chains", exitUsage},
	} {
		put(t, file, c.content)
		if code, out := auditRun(t, "verify", file); code != c.code || !strings.Contains(out, c.said) {
			t.Errorf("%d %s, want %d %s", code, out, c.code, c.said)
		}
	}
	put(t, file, regexp.MustCompile(`(?m)^.*"type":"checkpoint".*\n`).ReplaceAllString(export, ""))
	if code, out := auditRun(t, "verify", "--unsigned", "--output", "json", file); code != exitOK || !strings.Contains(out, `"ok":true,"proven":false`) {
		t.Errorf("%d %s", code, out)
	}
	put(t, file, withoutLastCheckpoint)
	kept := filepath.Join(data, audit.CheckpointFileName)
	if code, out := auditRun(t, "verify", file, "--checkpoint", kept); code != exitOK || strings.Contains(out, "nothing proves") {
		t.Errorf("with a checkpoint that was kept elsewhere: %d %s", code, out)
	}
	put(t, file, strings.Join(lines[:last-1], ""))
	if code, out := auditRun(t, "verify", file, "--checkpoint", kept); code != exitSignature || !strings.Contains(out, "kept elsewhere") {
		t.Errorf("without the last record: %d %s", code, out)
	}
	verifyWithKeys(t, file, export, report.Chains[0].Key)
	if code, out := auditRun(t, "verify", "--data-dir", filepath.Join(data, "none")); code != exitUsage {
		t.Errorf("%d %s", code, out)
	}
}

// verifyWithKeys gives the key in the form in which the log of the server and the
// exports write it, as it is and in a file.
func verifyWithKeys(t *testing.T, file, export, key string) {
	t.Helper()
	put(t, file, export)
	other := strings.Repeat("07", len(key)/2)
	keys := filepath.Join(t.TempDir(), "keys")
	for _, c := range []struct {
		flag, content, said string
		code                int
	}{
		{key, "", "are right", exitOK},
		{other, "", "nobody trusts the key of the chain", exitSignature},
		{keys, other + "\n" + key + "\n", "are right", exitOK},
		{keys, other + "\n", "nobody trusts the key of the chain", exitSignature},
		{keys, key + "\nmore\n", "the file is no public key", exitUsage},
		{key[1:], "", "it takes a file, or the key that the log of the server shows", exitUsage},
	} {
		put(t, keys, c.content)
		if code, out := auditRun(t, "verify", file, "--key", c.flag); code != c.code || !strings.Contains(out, c.said) {
			t.Errorf("--key %s with %q: %d %s, want %d %s", c.flag, c.content, code, out, c.code, c.said)
		}
	}
}

// Without an audit log nothing is kept, and the routes about it are not there.
func TestAuditOff(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServe(t, "--data-dir", data, "--audit-durability", "off")
	if status := await(t, "answer", s.execute("x = 1")); status != http.StatusOK {
		t.Error(status)
	}
	s.wantAudit("", "", http.StatusNotFound)
	s.stop()
	if files, err := filepath.Glob(filepath.Join(data, "audit*")); err != nil || len(files) > 0 {
		t.Error(files, err)
	}
}

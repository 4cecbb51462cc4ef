package testservices

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Prometheus scrapes one server.
type Prometheus struct{ url string }

// scrapeInterval is as short as two scrapes take.
const scrapeInterval = "100ms"

// StartPrometheus starts one that scrapes an address, with exemplars, and ends with
// the test.
func StartPrometheus(t testing.TB, target, path string) *Prometheus {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		Need(t, fmt.Errorf("Prometheus: %w", ErrMissing))
	}
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: %s, scrape_timeout: %s}\nscrape_configs:\n  - job_name: avapd\n    metrics_path: %s\n    static_configs: [{targets: [%q]}]\n",
		scrapeInterval, scrapeInterval, path, target)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), //nolint:gosec // found above
		"--web.listen-address=127.0.0.1:"+port, "--enable-feature=exemplar-storage")
	output := &bytes.Buffer{}
	server.Stdout, server.Stderr = output, output
	process, err := Launch(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(output.String())
		}
	})
	p := &Prometheus{"http://127.0.0.1:" + port}
	if err := await(t.Context(), func(ctx context.Context) error { return p.ask(ctx, "/-/ready", nil) }); err != nil {
		t.Fatal(err)
	}
	return p
}

// ask gets a document.
func (p *Prometheus) ask(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", path, response.Status, body)
	}
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// Await waits until a query has the value, as Prometheus writes it.
func (p *Prometheus) Await(t testing.TB, query, value string) {
	t.Helper()
	err := await(t.Context(), func(ctx context.Context) error {
		var answer struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		if err := p.ask(ctx, "/api/v1/query?query="+url.QueryEscape(query), &answer); err != nil {
			return err
		}
		for _, r := range answer.Data.Result {
			if r.Value[1] == value {
				return nil
			}
		}
		return fmt.Errorf("%s is %v, not %s", query, answer.Data.Result, value)
	})
	if err != nil {
		t.Error(err)
	}
}

// AwaitExemplar waits until a query has an exemplar with the value of a label.
func (p *Prometheus) AwaitExemplar(t testing.TB, query, label, value string) {
	t.Helper()
	err := await(t.Context(), func(ctx context.Context) error {
		var answer struct {
			Data []struct {
				Exemplars []struct{ Labels map[string]string }
			}
		}
		now := time.Now()
		path := fmt.Sprintf("/api/v1/query_exemplars?query=%s&start=%d&end=%d", url.QueryEscape(query), now.Add(-time.Hour).Unix(), now.Add(time.Hour).Unix())
		if err := p.ask(ctx, path, &answer); err != nil {
			return err
		}
		for _, series := range answer.Data {
			for _, e := range series.Exemplars {
				if e.Labels[label] == value {
					return nil
				}
			}
		}
		return fmt.Errorf("%s has no exemplar with %s=%s: %v", query, label, value, answer.Data)
	})
	if err != nil {
		t.Error(err)
	}
}

// CheckMetrics fails the test unless promtool has nothing to say about a text of
// metrics.
func CheckMetrics(t testing.TB, metrics string) {
	t.Helper()
	binary, err := exec.LookPath("promtool")
	if err != nil {
		Need(t, fmt.Errorf("promtool: %w", ErrMissing))
	}
	command := exec.CommandContext(t.Context(), binary, "check", "metrics") //nolint:gosec // found above
	command.Stdin = strings.NewReader(metrics)
	if output, err := command.CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("promtool: %v %s", err, output)
	}
}

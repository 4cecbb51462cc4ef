package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/avapd/avapd/internal/api"
)

const auditToken = "0123456789abcdef"

func auditTokenFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	replace(t, path, auditToken)
	return path
}

// verifies has the program verify what a server has left, and gives how many
// records there are.
func verifies(t *testing.T, data string) (records int64) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "avap", "audit", "verify", "--data-dir", data, "--output", "json").Output()
	var report struct {
		Proven bool
		Chains []struct{ Records int64 }
	}
	if err := errors.Join(err, json.Unmarshal(out, &report)); err != nil || !report.Proven || len(report.Chains) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	return report.Chains[0].Records
}

// recorded gives the identifiers of the executions in the log of a server, from an
// export over HTTP.
func (p *process) recorded() map[string]int {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/api/v1/audit?kind=execution", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+auditToken)
	request.Header.Set("Accept", "application/x-ndjson")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var content bytes.Buffer
	if _, err := content.ReadFrom(response.Body); err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/x-ndjson" {
		p.t.Fatalf("%v: %d %v %s", err, response.StatusCode, response.Header, content.Bytes())
	}
	found := map[string]int{}
	for line := range bytes.Lines(content.Bytes()) {
		var record struct {
			Type, Kind string
			ID         string `json:"execution_id"`
		}
		if err := json.Unmarshal(line, &record); err != nil || record.Type != "record" || record.Kind != "execution" {
			p.t.Fatalf("%v: %s", err, line)
		}
		found[record.ID]++
	}
	return found
}

// execute runs a script, and gives the identifier of the execution where it was
// answered.
func (p *process) execute(client *http.Client) (id string, err error) {
	response, err := client.Post(p.url+"/api/v1/execute", "application/json", strings.NewReader(`{"script":"x = 1\naddResult(x)"}`))
	if err != nil {
		return "", err
	}
	var answer bytes.Buffer
	_, err = answer.ReadFrom(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%d %s", response.StatusCode, answer.Bytes())
	}
	return response.Header.Get(api.HeaderExecution), nil
}

// A server that is killed under load goes on with its audit log: the chain is
// right, and what was answered is there; with async apart from the last records.
func TestKilledAuditLog(t *testing.T) {
	for _, durability := range []string{"group", "async"} {
		t.Run(durability, func(t *testing.T) {
			data, token := filepath.Join(t.TempDir(), "data"), auditTokenFile(t)
			flags := []string{"--data-dir", data, "--admin-token-file", token, "--audit-durability", durability}
			p := startProcess(t, nil, flags...)
			clients := p.killUnderLoad(t)

			p = startProcess(t, nil, flags...)
			found := p.recorded()
			there, lost := 0, 0
			for _, answered := range clients {
				behind := 0
				for _, id := range answered {
					switch {
					case found[id] > 1 || found[id] == 1 && behind > 0:
						t.Errorf("the execution %s has %d records, behind %d that have none", id, found[id], behind)
					case found[id] == 1:
						there++
					default:
						behind++
					}
				}
				lost += behind
			}
			if there == 0 || durability == "group" && lost > 0 {
				t.Errorf("%d records are there, %d are lost", there, lost)
			}
			p.stop()
			verifies(t, data)
		})
	}
}

// killUnderLoad kills the server among requests, when a record is durable. It gives
// the executions that were answered, those of each client in their order.
func (p *process) killUnderLoad(t *testing.T) (clients [8][]string) {
	t.Helper()
	var group sync.WaitGroup
	first := make(chan string, len(clients))
	for i := range clients {
		group.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				id, err := p.execute(client)
				if err != nil {
					return // the server is gone
				}
				if len(clients[i]) == 0 {
					first <- id
				}
				clients[i] = append(clients[i], id)
			}
		})
	}
	select {
	case id := <-first:
		for deadline := time.Now().Add(patience); p.recorded()[id] == 0 && time.Now().Before(deadline); {
			continue
		}
	case <-time.After(patience):
		t.Error("there is no answer")
	}
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	_ = p.command.Wait() // it was killed
	return clients
}

// While the disk is full nothing is changed, and no execution begins whose record
// could not be written; when there is room again all goes on, without a restart.
func TestAuditOnFullDisk(t *testing.T) {
	disk, token := t.TempDir(), auditTokenFile(t)
	err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=16m")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skip("only root may mount a file system")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	data := filepath.Join(disk, "data")
	p := startProcess(t, nil, "--data-dir", data, "--admin-token-file", token, "--audit-wait-ms", "200")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if _, err := p.execute(client); err != nil {
		t.Fatal(err)
	}

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	executed := 1
	for deadline := time.Now().Add(patience); ; executed++ {
		_, err := p.execute(client)
		if err != nil {
			if !strings.Contains(err.Error(), "AVAP5055") {
				t.Errorf("an execution is told %v", err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("executions go on without room for their records")
		}
	}
	const path, app = "/api/v1/apps/one", "function f(){\n    addResult(x)\n}\nregisterEndpoint(\"/one\", \"GET\", [], \"\", f, out)\nx = 1"
	if status, body := p.ask(http.MethodPut, path, auditToken, app); status != http.StatusServiceUnavailable || !strings.Contains(body, "AVAP5055") {
		t.Errorf("a change is told %d %s", status, body)
	}
	if status, body := p.ask(http.MethodGet, path, auditToken, ""); status != http.StatusNotFound {
		t.Errorf("something was changed: %d %s", status, body)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		status, body := p.ask(http.MethodPut, path, auditToken, app)
		if status == http.StatusCreated {
			break
		}
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("a change is told %d %s", status, body)
		}
	}
	if _, err := p.execute(client); err != nil {
		t.Fatal(err)
	}
	p.stop()
	verifies(t, data)
	out, err := exec.CommandContext(t.Context(), "avap", "audit", "export", "--data-dir", data).Output()
	if err != nil || strings.Count(string(out), `"kind":"execution"`) != executed+1 {
		t.Errorf("%v: %d executions of %d have records", err, strings.Count(string(out), `"kind":"execution"`), executed+1)
	}
}

// fill writes a file until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

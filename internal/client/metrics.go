package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/avapd/avapd/internal/api"
)

// Metrics are the values of a server's metrics, by name and labels as they are
// written.
type Metrics map[string]float64

// Metrics asks for all metrics.
func (c *Client) Metrics(ctx context.Context) (Metrics, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: []string{"metrics"}, again: true, header: http.Header{"Accept": {"text/plain"}}})
	if err != nil {
		return nil, err
	}
	m := Metrics{}
	for line := range strings.Lines(string(r.body)) {
		name, text, found := cutLast(strings.TrimSpace(line))
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, &StrangeError{c.server.String(), err}
		}
		m[name] = value
	}
	return m, nil
}

// cutLast cuts at the last blank, as values of labels may have some.
func cutLast(line string) (before, after string, found bool) {
	if i := strings.LastIndexByte(line, ' '); i >= 0 {
		return line[:i], line[i+1:], true
	}
	return line, "", false
}

// Of gives the series of a metric: the values by labels. Labels have no escapes
// in them, as no client chooses one.
func (m Metrics) Of(name string) iter.Seq2[map[string]string, float64] {
	return func(yield func(map[string]string, float64) bool) {
		for series, value := range m {
			rest, ok := strings.CutPrefix(series, name)
			if !ok || rest != "" && rest[0] != '{' {
				continue
			}
			labels := map[string]string{}
			for label := range strings.SplitSeq(strings.Trim(rest, "{}"), `",`) {
				key, text, _ := strings.Cut(label, `="`)
				labels[key] = strings.TrimSuffix(text, `"`)
			}
			if !yield(labels, value) {
				return
			}
		}
	}
}

// Sum adds up the series of a metric.
func (m Metrics) Sum(name string) (sum float64) {
	for _, value := range m.Of(name) {
		sum += value
	}
	return sum
}

// Executions lists executions that run, the oldest first, up to a limit.
func (c *Client) Executions(ctx context.Context, limit int) ([]api.ExecutionState, error) {
	var page api.Executions
	err := c.get(ctx, url.Values{"limit": {strconv.Itoa(limit)}}, &page, "executions")
	return page.Executions, err
}

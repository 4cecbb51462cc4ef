package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxReadyBytes bounds what is read of an answer about readiness.
const maxReadyBytes = 4096

// Ready asks once whether the server takes requests. An answer that says no is no
// error, but why is what the server says.
func (c *Client) Ready(ctx context.Context) (ready bool, why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base()+"/readyz", nil)
	if err != nil {
		return false, "", fmt.Errorf("make the request: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return false, "", c.unreachable(call{method: http.MethodGet}, err, true)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReadyBytes))
	if err != nil {
		return false, "", c.unreachable(call{method: http.MethodGet}, err, true)
	}
	return response.StatusCode == http.StatusOK, response.Status + " " + strings.TrimSpace(string(body)), nil
}

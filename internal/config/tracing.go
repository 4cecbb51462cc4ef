package config

import (
	"errors"
	"net/url"
	"strings"
)

// TracingHeaders are the headers that go with spans, by name.
func (c *Config) TracingHeaders() map[string]string {
	headers, _ := parseHeaders(c.Tracing.Headers) // was checked
	return headers
}

// checkEndpoint refuses what is no URL of a collector. What is wrong may be a
// password, so it is not quoted.
func checkEndpoint(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("it takes an http or https URL of host and port, such as http://127.0.0.1:4317, without a password; tracing.headers_file holds one")
	}
	return nil
}

func checkTracingHeaders(text string) error {
	_, err := parseHeaders(text)
	return err
}

// parseHeaders reads name=value, separated by commas. Errors quote nothing.
func parseHeaders(text string) (map[string]string, error) {
	headers := map[string]string{}
	for _, item := range splitList(text) {
		name, value, found := strings.Cut(item, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !found || !isHeaderName(name) || value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, errors.New("it takes name=value, separated by commas, such as authorization=Bearer TOKEN; a name has letters, digits, - and _")
		}
		headers[name] = value
	}
	return headers, nil
}

func isHeaderName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// Kind tells why a request has no answer.
type Kind uint8

// The kinds of errors. What is Invalid or Refused never reached the network,
// unless a redirect led there.
const (
	KindInvalid          Kind = iota + 1 // the URL, method or a header is malformed
	KindRefused                          // the policy says no
	KindTooLarge                         // the answer exceeds a limit
	KindTimeout                          // a time limit or the context's deadline passed
	KindCanceled                         // the context was cancelled
	KindTooManyRedirects                 // the chain of redirects is too long
	KindNetwork                          // no connection, or no proper answer on it
)

// Error is what [Client.Do] fails with. Its text is fit for scripts: it names
// what the script wrote, and no address a name stands for. The wrapped cause
// does name addresses and belongs into the server's log only.
type Error struct {
	Kind Kind
	// BytesRead is what was read of answers before the failure.
	BytesRead int64

	message string
	cause   error
}

func (e *Error) Error() string { return e.message }

// Unwrap gives the cause, for the server's eyes.
func (e *Error) Unwrap() error { return e.cause }

// StatusError gives the error of an answer with a status from 400 to 599, in
// the words of Python's requests and with the reason the server gave, and nil
// for any other status.
func (r *Response) StatusError() error { return statusError(r.Status, r.Reason, r.URL) }

func statusError(status int, reason, url string) error {
	side := "Client"
	switch {
	case status < 400 || status >= 600:
		return nil
	case status >= 500:
		side = "Server"
	}
	return fmt.Errorf("%d %s Error: %s for url: %s", status, side, reason, url)
}

// fail makes the Error of an exchange.
func (x *exchange) fail(ctx context.Context, err error) *Error {
	kind, why := classify(ctx, err)
	subject := "the request"
	if x.origin != "" {
		subject += " to " + x.origin
	}
	// Where a redirect led is the server's knowledge, like an address.
	if x.redirects > 0 {
		subject += ", redirected,"
	}
	verb := " failed: "
	if kind == KindRefused {
		verb = " was refused: "
	}
	return &Error{Kind: kind, BytesRead: x.bytesRead, message: subject + verb + why, cause: err}
}

func classify(ctx context.Context, err error) (Kind, string) {
	var no *refusal
	var bad invalid
	var network net.Error
	switch {
	case errors.As(err, &no):
		return KindRefused, no.reason
	case errors.As(err, &bad):
		return KindInvalid, string(bad)
	case errors.Is(err, errTooLarge):
		return KindTooLarge, errTooLarge.Error()
	case errors.Is(err, errTooManyRedirects):
		return KindTooManyRedirects, errTooManyRedirects.Error()
	case strings.Contains(err.Error(), "server response headers exceeded"): // net/http has no value for it
		return KindTooLarge, "the headers of the answer are too large"
	case errors.Is(ctx.Err(), context.Canceled):
		return KindCanceled, "it was cancelled"
	case ctx.Err() != nil, errors.As(err, &network) && network.Timeout():
		return KindTimeout, "no answer in time"
	}
	return KindNetwork, describe(err)
}

// describe puts a network failure in words of our own. Those of package net
// name the addresses of servers and of resolvers.
func describe(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return "the host name is not known"
		}
		return "the host name could not be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no route to the host"
	case errors.As(err, &certificate), errors.As(err, &authority):
		return "the server's certificate is not trusted"
	case errors.As(err, &alert), errors.As(err, &record):
		return "no TLS connection could be agreed on"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was complete"
	}
	return "the connection failed or the answer is not proper HTTP"
}

package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/avapd/avapd/internal/config"
)

// LoadTLS reads the certificates of the server, and those by whom it knows
// certificates of clients. Without a certificate of its own there is nothing, and
// the server speaks HTTP. The error names the setting.
func LoadTLS(c *config.Config) (*tls.Config, error) {
	if c.TLS.CertFile == "" {
		return nil, nil
	}
	own, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file, tls.key_file: %w", err)
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, NextProtos: []string{"http/1.1"}}
	if c.TLS.ClientCAFile == "" {
		return settings, nil
	}
	content, err := os.ReadFile(c.TLS.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("tls.client_ca_file: %w", err)
	}
	settings.ClientCAs = x509.NewCertPool()
	if !settings.ClientCAs.AppendCertsFromPEM(content) {
		return nil, errors.New("tls.client_ca_file: the file holds no certificate in PEM form")
	}
	settings.ClientAuth = tls.VerifyClientCertIfGiven
	// Who comes back with a ticket would not be asked for a certificate again,
	// whatever has become of those who vouched for it.
	settings.SessionTicketsDisabled = true
	return settings, nil
}

// AdjustTLS makes the certificates those of the connections that come from now
// on. Only a start begins or ends TLS as such.
func (s *Server) AdjustTLS(settings *tls.Config) { s.tls.Store(settings) }

// tlsListener makes connections that speak TLS.
type tlsListener struct {
	net.Listener

	settings *tls.Config
}

// newTLSListener asks for the settings anew with each connection.
func (s *Server) newTLSListener(listener net.Listener) net.Listener {
	return tlsListener{listener, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.tls.Load(), nil },
	}}
}

// Accept implements net.Listener. fasthttp shakes hands, within the time to send
// a request.
func (l tlsListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // fasthttp looks at the error itself
	}
	return &tlsConn{tls.Server(conn, l.settings), conn}, nil
}

// tlsConn is a connection over TLS whose socket can be watched.
type tlsConn struct {
	*tls.Conn

	below net.Conn
}

var errNoSocket = errors.New("the connection has no socket")

// SyscallConn implements syscall.Conn.
func (c *tlsConn) SyscallConn() (syscall.RawConn, error) {
	if below, ok := c.below.(syscall.Conn); ok {
		return below.SyscallConn() //nolint:wrapcheck // the watcher asks only whether it failed
	}
	return nil, errNoSocket
}

package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// Resolver turns names into addresses. [net.Resolver] is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	// maxAddresses bounds how many answers of a name are tried.
	maxAddresses = 8
	// stagger is how long an address has before the next one is tried beside it,
	// so that a dead IPv6 route does not cost the connect timeout (RFC 8305).
	stagger = 250 * time.Millisecond
)

// dialer connects to names whose addresses the rules accept.
type dialer struct {
	rules    *rules
	resolver Resolver
	timeout  time.Duration
	// connecting is told of every address a socket is about to connect to.
	connecting func(netip.AddrPort)
}

// dial is the transport's DialContext. It resolves by itself so that the answer
// that was judged is the answer that is used: a name server that changes its
// mind is not asked again.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", portText, err)
	}
	addrs, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	return d.connectAny(ctx, addrs[:min(len(addrs), maxAddresses)], uint16(port))
}

// resolve gives the accepted addresses of a host.
func (d *dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, d.rules.checkAddr(addr)
	}
	answers, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var accepted []netip.Addr
	var firstErr error
	for _, answer := range answers {
		// Resolvers give IPv4 answers in mapped form as well; what counts is
		// where the packet would go.
		answer = answer.Unmap()
		err := d.rules.checkAddr(answer)
		switch {
		case err == nil:
			accepted = append(accepted, answer)
		case firstErr == nil:
			firstErr = err
		}
	}
	if len(accepted) > 0 {
		return accepted, nil
	}
	if firstErr == nil {
		firstErr = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return nil, firstErr
}

type attempt struct {
	conn net.Conn
	err  error
}

// connectAny gives the first connection that any of the addresses grants.
func (d *dialer) connectAny(ctx context.Context, addrs []netip.Addr, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	attempts := make(chan attempt)
	next := time.NewTimer(0)
	defer next.Stop()
	var running int
	var firstErr error
	for len(addrs) > 0 || running > 0 {
		select {
		case <-next.C:
			if len(addrs) == 0 {
				continue
			}
			target := netip.AddrPortFrom(addrs[0], port)
			addrs = addrs[1:]
			running++
			go func() {
				conn, err := d.connect(ctx, target)
				attempts <- attempt{conn, err}
			}()
			next.Reset(stagger)
		case a := <-attempts:
			running--
			if a.err == nil {
				cancel()
				discard(attempts, running)
				return a.conn, nil
			}
			if firstErr == nil {
				firstErr = a.err
			}
			next.Reset(0)
		}
	}
	return nil, firstErr
}

// discard waits for attempts that were called off.
func discard(attempts <-chan attempt, running int) {
	for range running {
		if a := <-attempts; a.err == nil {
			_ = a.conn.Close() // nothing was sent on it
		}
	}
}

func (d *dialer) connect(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	network := "tcp6"
	if target.Addr().Is4() {
		network = "tcp4"
	}
	plain := net.Dialer{ControlContext: d.control}
	return plain.DialContext(ctx, network, target.String())
}

// control is called with the address of the finished socket, before it
// connects. Nothing lies between this check and the connection.
func (d *dialer) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return refuseAddr(fmt.Errorf("%s %s is not a TCP address", network, address))
	}
	if err := d.rules.checkAddr(target.Addr()); err != nil {
		return err
	}
	if d.connecting != nil {
		d.connecting(target)
	}
	return nil
}

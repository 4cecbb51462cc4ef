package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"code.dny.dev/ssrf"
)

// Policy says which servers can be reached. The zero Policy is every public
// address on every port.
type Policy struct {
	// Allow names addresses that are not public and can be reached
	// nevertheless. An IPv4 prefix covers addresses written as IPv4, and none of
	// the IPv6 forms that embed one.
	Allow []netip.Prefix
	// Deny names addresses that cannot be reached although they are public: a
	// network's own public range, or the prefix its NAT64 gateway uses. It is
	// stronger than Allow.
	Deny []netip.Prefix
	// Hosts, if not empty, names all hosts that can be reached, as they are
	// written in URLs. "*.example.com" stands for every name below example.com.
	// The address of a named host is judged all the same.
	Hosts []string
	// Ports, if not empty, are all ports that can be reached.
	Ports []uint16
}

// ParsePrefixes reads a list of prefixes and addresses separated by commas,
// such as "127.0.0.0/8,::1".
func ParsePrefixes(list string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		prefix, err := parsePrefix(item)
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

func parsePrefix(item string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(item)
	if addr, addrErr := netip.ParseAddr(item); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address prefix such as 10.1.0.0/16", item)
	}
	if err := validPrefix(prefix); err != nil {
		return netip.Prefix{}, fmt.Errorf("%q: %w", item, err)
	}
	return prefix.Masked(), nil
}

func validPrefix(prefix netip.Prefix) error {
	switch {
	case !prefix.IsValid():
		return errors.New("the prefix is not valid")
	case prefix.Addr().Is4In6():
		return errors.New("IPv4 addresses in IPv6 form are never reachable; write the IPv4 prefix")
	}
	return nil
}

// Addresses that the lists of package ssrf leave open.
var (
	deniedToo = []netip.Prefix{
		netip.MustParsePrefix("168.63.129.16/32"), // the host agent of Azure: public by number, metadata by nature
		netip.MustParsePrefix("3ffe::/16"),        // the retired 6bone (RFC 3701)
	}
	nat64Prefix = ssrf.IPv6NAT64Prefix
)

// rules is a Policy made ready.
type rules struct {
	guardian *ssrf.Guardian
	allow    []netip.Prefix
	deny     []netip.Prefix
	hosts    []string
	ports    []uint16
}

func newRules(policy Policy) (*rules, error) {
	r := &rules{ports: slices.Clone(policy.Ports)}
	for _, prefix := range slices.Concat(policy.Allow, policy.Deny) {
		if err := validPrefix(prefix); err != nil {
			return nil, fmt.Errorf("egress prefix %s: %w", prefix, err)
		}
	}
	for _, prefix := range policy.Allow {
		r.allow = append(r.allow, prefix.Masked())
	}
	for _, prefix := range policy.Deny {
		r.deny = append(r.deny, prefix.Masked())
	}
	for _, host := range policy.Hosts {
		host = canonicalHost(host)
		if host == "" || strings.ContainsAny(host, "/@ ") || strings.Contains(strings.TrimPrefix(host, "*."), "*") {
			return nil, fmt.Errorf("egress.hosts: %q is neither a name, an address nor a pattern such as *.example.com", host)
		}
		r.hosts = append(r.hosts, host)
	}
	var v4, v6 []netip.Prefix
	for _, prefix := range r.allow {
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	r.guardian = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	return r, nil
}

// refusal is the policy's no. Its text is for the script and names nothing the
// script has not written; the detail is for the server's log.
type refusal struct {
	reason string
	detail error
}

func (r *refusal) Error() string { return r.reason }
func (r *refusal) Unwrap() error { return r.detail }

// checkHost judges what is written in a URL.
func (r *rules) checkHost(host string, port uint16) error {
	if len(r.ports) > 0 && !slices.Contains(r.ports, port) {
		return &refusal{reason: "the port is not allowed", detail: fmt.Errorf("port %d", port)}
	}
	host = canonicalHost(host)
	if len(r.hosts) > 0 && !slices.ContainsFunc(r.hosts, func(pattern string) bool { return matchHost(pattern, host) }) {
		return &refusal{reason: "the host is not in the list of allowed hosts", detail: fmt.Errorf("host %q", host)}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return r.checkAddr(addr)
	}
	return nil
}

// checkAddr judges an address that a connection is about to be made to.
func (r *rules) checkAddr(addr netip.Addr) error {
	switch {
	case addr.Zone() != "":
		return refuseAddr(fmt.Errorf("%s has a zone", addr))
	case addr.Is4In6():
		return refuseAddr(fmt.Errorf("%s is IPv4 in IPv6 form", addr))
	case contains(r.deny, addr):
		return refuseAddr(fmt.Errorf("%s is denied", addr))
	case contains(r.allow, addr):
		// A gateway that translates is a way to the IPv4 address, and being
		// allowed to use the gateway is not being allowed to go there.
		if nat64Prefix.Contains(addr) {
			b := addr.As16()
			return r.checkAddr(netip.AddrFrom4([4]byte(b[12:])))
		}
		return nil
	case contains(deniedToo, addr):
		return refuseAddr(fmt.Errorf("%s is denied always", addr))
	case isISATAP(addr):
		return refuseAddr(fmt.Errorf("%s embeds an IPv4 address", addr))
	}
	if err := r.guardian.SafeAddr(addr); err != nil {
		return refuseAddr(err)
	}
	return nil
}

func refuseAddr(detail error) error {
	return &refusal{reason: "the address is not allowed", detail: detail}
}

// isISATAP reports whether the interface part of the address is a tunnelled
// IPv4 address (RFC 5214). Unlike other such forms it has no prefix of its own.
func isISATAP(addr netip.Addr) bool {
	if !addr.Is6() {
		return false
	}
	b := addr.As16()
	return b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// canonicalHost gives the one form in which hosts are compared.
func canonicalHost(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if inside, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inside, "]")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String()
	}
	return host
}

func matchHost(pattern, host string) bool {
	if domain, ok := strings.CutPrefix(pattern, "*"); ok {
		return len(host) > len(domain) && strings.HasSuffix(host, domain)
	}
	return pattern == host
}

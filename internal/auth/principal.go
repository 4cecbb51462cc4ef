package auth

import (
	"slices"
	"strings"
)

// Kind is the way in which somebody showed who they are.
type Kind string

// The kinds of principals that no key stands for.
const (
	KindAnonymous Kind = "anonymous"
	KindToken     Kind = "token"
)

// Principal is whoever asks. It never changes.
type Principal struct {
	// ID names the principal in logs, in records of changes and wherever things
	// are shared out: a stable text of bounded length.
	ID     string
	Kind   Kind
	Scopes Scope
	// Prefixes are those of the names of commands that it may run and change; none
	// are all, and then scripts too.
	Prefixes []string
}

// Admin is whoever has the server's token.
var Admin = &Principal{ID: "admin", Kind: KindToken, Scopes: All}

// Anonymous is whoever shows nothing, and may do what everybody may.
func Anonymous(scopes Scope) *Principal {
	return &Principal{ID: "anonymous", Kind: KindAnonymous, Scopes: scopes}
}

// IsAnonymous tells whether the principal showed nothing.
func (p *Principal) IsAnonymous() bool { return p.Kind == KindAnonymous }

// May tells whether the principal has all of these scopes.
func (p *Principal) May(need Scope) bool { return p.Scopes&need == need }

// MayUse tells whether the principal may run or change the command of a name, as
// far as its scopes let it do that at all. Scripts have no name.
func (p *Principal) MayUse(name string) bool {
	return len(p.Prefixes) == 0 || slices.ContainsFunc(p.Prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// MayGive tells whether the principal may make somebody what another is: nobody
// gives away what they do not have.
func (p *Principal) MayGive(other *Principal) bool { return p.May(other.Scopes) }

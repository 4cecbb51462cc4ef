package auth

// Kind is the way in which somebody showed who they are.
type Kind string

// The kinds of principals.
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

package auth

import (
	"fmt"
	"strings"
)

// Scope is something that a principal may do, or several such things together;
// none is what everybody may do whom the server talks to at all.
type Scope uint32

// The scopes, each for one kind of route.
const (
	Execute Scope = 1 << iota
	Check
	ReadCommands
	WriteCommands
	WriteSigners
	ReadApps
	WriteApps
	ReadExecutions
	StopExecutions
	ReadMetrics
	ReadAudit
	ReadKeys
	WriteKeys
)

// ScopeEntry explains a scope.
type ScopeEntry struct {
	Scope Scope
	// Name is how keys and settings write it.
	Name string
	// Doc says what it lets its owner do, without a final stop.
	Doc string
}

// scopes is the one table of them.
var scopes = []ScopeEntry{
	{Execute, "execute", "Run scripts, registered commands and endpoints of apps"},
	{Check, "check", "Have scripts checked"},
	{ReadCommands, "commands:read", "See commands, their modules, signers and what is revoked"},
	{WriteCommands, "commands:write", "Store, activate, disable and remove commands"},
	{WriteSigners, "signers:write", "Change whose signatures count, and revoke keys and modules"},
	{ReadApps, "apps:read", "See apps"},
	{WriteApps, "apps:write", "Store and remove apps"},
	{ReadExecutions, "executions:read", "List the executions of everybody"},
	{StopExecutions, "executions:stop", "Stop executions of everybody"},
	{ReadMetrics, "metrics:read", "Read the metrics"},
	{ReadAudit, "audit:read", "Read the audit log"},
	{ReadKeys, "keys:read", "See the keys of clients, without their secrets"},
	{WriteKeys, "keys:write", "Make, rotate and remove keys of clients, with any scopes"},
}

// All are all scopes together.
const All = WriteKeys<<1 - 1

// Scopes gives the table.
func Scopes() []ScopeEntry { return scopes }

// Names writes scopes by their names.
func (s Scope) Names() []string {
	names := []string{}
	for _, e := range scopes {
		if s&e.Scope != 0 {
			names = append(names, e.Name)
		}
	}
	return names
}

func (s Scope) String() string { return strings.Join(s.Names(), " ") }

// ParseScopes reads the names of scopes.
func ParseScopes(names []string) (Scope, error) {
	var all Scope
	for _, name := range names {
		scope, ok := scopeByName(name)
		if !ok {
			return 0, &UnknownScopeError{Name: name}
		}
		all |= scope
	}
	return all, nil
}

func scopeByName(name string) (Scope, bool) {
	for _, e := range scopes {
		if e.Name == name {
			return e.Scope, true
		}
	}
	return 0, false
}

// UnknownScopeError says that there is no scope of a name.
type UnknownScopeError struct{ Name string }

func (e *UnknownScopeError) Error() string {
	return fmt.Sprintf("there is no scope %q; there are %s", e.Name, strings.Join(All.Names(), ", "))
}

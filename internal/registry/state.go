package registry

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

// State is everything at one moment. It does not change.
type State struct {
	registry *Registry
	summary  store.Summary
	commands table[*Command]
	// names are those of the commands that exist, sorted.
	names   []string
	signers map[string]*Signer // by name
	byKey   map[string]*Signer // by the key's identifier
	keys    []signature.PublicKey
	// signerKeys say who has a key, by its identifier.
	signerKeys  map[string]signerKey
	revocations table[*Revocation] // by kind:value
	// policy is another one when signers or revocations are.
	policy *policy
	// revocationList gives the revocations, the last first. It is sorted when it is
	// asked for.
	revocationList func() []*Revocation
	// clients are the keys of clients, and uses when they were used.
	clients auth.Keys
	uses    map[string]keyUse
	// subjects are the clients that show certificates, by the names in those.
	subjects map[string]*auth.Key
	// hashes are those of all records, by kind and name; digest is theirs.
	hashes table[[32]byte]
	digest [32]byte
	count  int
	// unknown tells that there are records of kinds that later programs have.
	unknown bool
}

// Revision counts the changes up to this State.
func (s *State) Revision() int64 { return s.summary.Revision }

// Commands is how many commands there are.
func (s *State) Commands() int { return len(s.names) }

// Names are those of all commands, sorted, and never nil. The caller must not change
// them.
func (s *State) Names() []string {
	if s.names == nil {
		return []string{}
	}
	return s.names
}

// Command finds a command.
func (s *State) Command(name string) (*Command, bool) {
	c := s.commands.get(name)
	return c, c.exists()
}

// Query selects commands.
type Query struct {
	Prefix string
	// Active selects commands that can be called, Disabled those that are
	// disabled; nil does not select.
	Active, Disabled *bool
	// After is the name behind which the list begins, and Limit its length; 0 is
	// no limit.
	After string
	Limit int
}

// List gives commands in the order of their names, and whether there are more.
func (s *State) List(q Query) (list []*Command, more bool) {
	from := sort.Search(len(s.names), func(i int) bool { return s.names[i] > q.After && s.names[i] >= q.Prefix })
	for _, name := range s.names[from:] {
		if !strings.HasPrefix(name, q.Prefix) {
			break
		}
		c := s.commands.get(name)
		if q.Active != nil && *q.Active != (c.Active != 0 && !c.Disabled) || q.Disabled != nil && *q.Disabled != c.Disabled {
			continue
		}
		if q.Limit > 0 && len(list) == q.Limit {
			return list, true
		}
		list = append(list, c)
	}
	return list, false
}

// Resolve finds a version, the active one for the number 0, and makes sure that
// it may run. The error is a *diag.Failure.
func (s *State) Resolve(name string, number int) (*Version, error) {
	v, _, err := s.resolve(name, number)
	return v, err
}

// CommandRefusal says why a command does not run when it is called, or nothing if it
// does.
func (s *State) CommandRefusal(c *Command) *diag.Failure {
	_, _, err := s.choose(c, 0)
	failure, _ := errors.AsType[*diag.Failure](err)
	return failure
}

func (s *State) resolve(name string, number int) (*Version, permission, error) {
	c, ok := s.Command(name)
	if !ok {
		return nil, permission{}, s.registry.Unknown(name)
	}
	return s.choose(c, number)
}

// choose is resolve for a command that is there.
func (s *State) choose(c *Command, number int) (*Version, permission, error) {
	switch {
	case c.Disabled:
		return nil, permission{}, diag.NewFailure(diag.CommandUnusable, "the command %s is disabled", c.Name)
	case number == 0 && c.Active == 0:
		return nil, permission{}, diag.NewFailure(diag.CommandUnusable, "the command %s has no active version", c.Name)
	case number == 0:
		number = c.Active
	}
	v := c.Version(number)
	if v == nil {
		return nil, permission{}, diag.NewFailure(diag.NoSuchCommand, "the command %s has no version %d", c.Name, number)
	}
	p, err := s.permission(v)
	if err != nil {
		return nil, permission{}, err
	}
	return v, p, nil
}

// versions calls a function with all versions of all commands.
func (s *State) versions(f func(*Version)) {
	s.commands.all(func(_ string, c *Command) {
		for _, v := range c.Versions {
			f(v)
		}
	})
}

// artifacts are the digests of all versions.
func (s *State) artifacts() (digests [][32]byte) {
	s.versions(func(v *Version) { digests = append(digests, v.Digest) })
	return digests
}

// Signers lists the signers in the order of their names.
func (s *State) Signers() []*Signer {
	list := make([]*Signer, 0, len(s.signers))
	for _, signer := range s.signers {
		list = append(list, signer)
	}
	slices.SortFunc(list, func(a, b *Signer) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Revocations lists what is revoked, the last first: behind a revocation, or from
// the beginning without one, and at most so many, if limit is not 0. It tells
// whether there are more, and whether there is the one to begin behind.
func (s *State) Revocations(after string, limit int) (list []*Revocation, more, found bool) {
	list = s.revocationList()
	if after != "" {
		last := s.revocations.get(after)
		if last == nil {
			return nil, false, false
		}
		at, _ := slices.BinarySearchFunc(list, last, compareRevocations)
		list = list[at+1:]
	}
	if limit > 0 && len(list) > limit {
		return list[:limit:limit], true, true
	}
	return list, false, true
}

// Name identifies a revocation.
func (r *Revocation) Name() string { return revocationName(r.Kind, r.Value) }

func compareRevocations(a, b *Revocation) int {
	return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Name(), b.Name()))
}

// Recent lists the versions of a command, the newest first: those before a
// number, if it is not 0, and at most so many, if limit is not 0. It tells whether
// there are more.
func (c *Command) Recent(before, limit int) (list []*Version, more bool) {
	for _, v := range slices.Backward(c.Versions) {
		switch {
		case before > 0 && v.Number >= before:
		case limit > 0 && len(list) == limit:
			return list, true
		default:
			list = append(list, v)
		}
	}
	return list, false
}

// VersionRefusal says why a version may not run now, or nothing if it may.
func (s *State) VersionRefusal(v *Version) *diag.Failure {
	_, err := s.permit(v, v.Signers)
	failure, _ := errors.AsType[*diag.Failure](err)
	return failure
}

func revocationName(kind Revocable, value string) string { return string(kind) + ":" + value }

// change is a State that is being made of another one.
type change struct {
	r           *Registry
	next        *State
	commands    *edit[*Command]
	revocations *edit[*Revocation]
	hashes      *edit[[32]byte]
	touched     map[string]*Command // copies, to be changed
	policy      bool                // signers or revocations changed
	clients     bool                // keys of clients, or their uses, changed
}

// with is the State after records have been written.
func (r *Registry) with(s *State, records []store.Record, summary store.Summary) (*State, error) {
	next := *s
	next.summary = summary
	c := &change{
		r: r, next: &next, commands: s.commands.edit(), revocations: s.revocations.edit(), hashes: s.hashes.edit(),
		touched: make(map[string]*Command),
	}
	for _, record := range records {
		if err := c.apply(record); err != nil {
			return nil, err
		}
	}
	next.commands, next.revocations, next.hashes = c.commands.table, c.revocations.table, c.hashes.table
	c.settleNames(s)
	if c.policy {
		next.settlePolicy()
	}
	if c.clients {
		c.settleClients()
	}
	return &next, nil
}

// matches tells whether the State is what its summary says.
func (s *State) matches() bool {
	return s.digest == s.summary.Digest && s.count == s.summary.Records
}

func (c *change) apply(record store.Record) error {
	id := record.Kind + " " + record.Name
	hash := record.Hash()
	before, there := c.hashes.part(id)[id]
	if there {
		toggle(&c.next.digest, before)
	} else {
		c.next.count++
	}
	toggle(&c.next.digest, hash)
	c.hashes.set(id, hash)
	apply, known := kinds[record.Kind]
	if !known { // of a later program: it is counted and otherwise left alone
		c.next.unknown = true
		return nil
	}
	if err := apply(c, record); err != nil {
		return fmt.Errorf("%s %q: %w", record.Kind, record.Name, err)
	}
	return nil
}

// kinds are all kinds of records, and what a record of each does. What nothing
// names is taken away: artifacts that a kind names have to be among those of
// State.artifacts, and to be known to the lacks of a copy.
var kinds = map[string]func(*change, store.Record) error{
	kindCommand:    (*change).applyCommand,
	kindVersion:    (*change).applyVersion,
	kindSigner:     (*change).applySigner,
	kindSignerKey:  (*change).applySignerKey,
	kindRevocation: (*change).applyRevocation,
	kindKey:        (*change).applyKey,
	kindKeyUse:     (*change).applyKeyUse,
}

func toggle(digest *[32]byte, hash [32]byte) {
	for i, b := range hash {
		digest[i] ^= b
	}
}

// touch gives a copy of a command to be changed, a new one if need be.
func (c *change) touch(name string) *Command {
	if t := c.touched[name]; t != nil {
		return t
	}
	t := &Command{Name: name}
	if old := c.commands.get(name); old != nil {
		*t = *old
		t.Versions = slices.Clone(old.Versions)
	}
	c.touched[name] = t
	c.commands.set(name, t)
	return t
}

func (c *change) applyCommand(record store.Record) error {
	t := c.touch(record.Name)
	versions := t.Versions
	*t = Command{Name: record.Name, Versions: versions}
	if record.Deleted {
		return nil
	}
	t.revision = record.Revision
	return json.Unmarshal(record.Document, t)
}

func (c *change) applyVersion(record store.Record) error {
	name, number, ok := splitVersion(record.Name)
	if !ok {
		return fmt.Errorf("the name is not that of a version")
	}
	t := c.touch(name)
	at, there := slices.BinarySearchFunc(t.Versions, number, func(v *Version, n int) int { return v.Number - n })
	if there {
		t.Versions = slices.Delete(t.Versions, at, at+1)
	}
	if record.Deleted {
		return nil
	}
	v := &Version{revision: record.Revision, Command: name, Number: number}
	if err := json.Unmarshal(record.Document, v); err != nil {
		return err
	}
	v.loader = &loader{registry: c.r, version: v}
	if v.Content != (Digest{}) {
		v.names = v.revocationNames()
	}
	t.Versions = slices.Insert(t.Versions, at, v)
	return nil
}

func (c *change) applySigner(record store.Record) error {
	if !c.policy {
		c.policy = true
		c.next.signers = cloneSigners(c.next.signers)
	}
	if old := c.next.signers[record.Name]; old != nil && old.Fixed {
		return nil
	}
	delete(c.next.signers, record.Name)
	if record.Deleted {
		return nil
	}
	s := &Signer{Name: record.Name, revision: record.Revision}
	if err := json.Unmarshal(record.Document, s); err != nil {
		return err
	}
	c.next.signers[s.Name] = s
	return nil
}

func (c *change) applySignerKey(record store.Record) error {
	keys := maps.Clone(c.next.signerKeys)
	if keys == nil {
		keys = make(map[string]signerKey)
	}
	c.next.signerKeys = keys
	delete(keys, record.Name)
	if record.Deleted {
		return nil
	}
	key := signerKey{revision: record.Revision}
	if err := json.Unmarshal(record.Document, &key); err != nil {
		return err
	}
	keys[record.Name] = key
	return nil
}

func (c *change) applyRevocation(record store.Record) error {
	if !c.policy {
		c.policy = true
		c.next.signers = cloneSigners(c.next.signers)
	}
	if record.Deleted {
		c.revocations.remove(record.Name)
		return nil
	}
	kind, value, _ := strings.Cut(record.Name, ":")
	r := &Revocation{Kind: Revocable(kind), Value: value}
	if err := json.Unmarshal(record.Document, r); err != nil {
		return err
	}
	c.revocations.set(record.Name, r)
	return nil
}

// cloneSigners copies the signers themselves: whether they are revoked is
// written into them.
func cloneSigners(signers map[string]*Signer) map[string]*Signer {
	clone := make(map[string]*Signer, len(signers)+1)
	for name, s := range signers {
		own := *s
		clone[name] = &own
	}
	return clone
}

// settleNames brings the sorted names up to date. They are copied only when a
// command came or went.
func (c *change) settleNames(before *State) {
	var came []string
	gone := make(map[string]bool)
	for name, t := range c.touched {
		switch was := before.commands.get(name).exists(); {
		case t.exists() && !was:
			came = append(came, name)
		case !t.exists() && was:
			gone[name] = true
		}
	}
	if len(came) == 0 && len(gone) == 0 {
		return
	}
	slices.Sort(came)
	merged := make([]string, 0, len(before.names)+len(came))
	rest := before.names
	for _, name := range came {
		at, _ := slices.BinarySearch(rest, name)
		merged = append(append(merged, rest[:at]...), name)
		rest = rest[at:]
	}
	merged = append(merged, rest...)
	if len(gone) > 0 {
		merged = slices.DeleteFunc(merged, func(name string) bool { return gone[name] })
	}
	c.next.names = merged
}

// settlePolicy works out which keys count. The signers must be the State's own.
func (s *State) settlePolicy() {
	s.policy = new(policy)
	s.revocationList = sync.OnceValue(func() (list []*Revocation) {
		s.revocations.all(func(_ string, r *Revocation) { list = append(list, r) })
		slices.SortFunc(list, compareRevocations)
		return list
	})
	s.byKey, s.keys = make(map[string]*Signer, len(s.signers)), nil
	for _, signer := range s.Signers() {
		signer.Revoked = s.revocations.get(revocationName(RevokeKey, signer.KeyID)) != nil
		if other := s.byKey[signer.KeyID]; other != nil && other.Fixed {
			continue
		}
		s.byKey[signer.KeyID] = signer
		if signer.Revoked {
			continue
		}
		id, err := hex.DecodeString(signer.KeyID)
		if err == nil {
			s.keys = append(s.keys, signature.PublicKey{ID: id, Key: signer.Key})
		}
	}
}

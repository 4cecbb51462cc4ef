package engine

import (
	"errors"
	"testing"
)

// The digest of a script tells what it imports apart.
func TestDigestOfImports(t *testing.T) {
	e := newEngine(t, nil, nil)
	digest := func(main string, files map[string]string) string {
		t.Helper()
		load := func(name string) ([]byte, error) { return []byte(files[name]), nil }
		s, findings, err := e.Prepare(t.Context(), "", &Source{Text: main, Load: load})
		if err != nil || s == nil {
			t.Fatal(findings, err)
		}
		defer s.Release()
		if len(files) == 0 && s.Digest != s.Manifest().SourceSHA256 {
			t.Errorf("%s is not the digest of the source", s.Digest)
		}
		return s.Digest
	}
	const main = "import \"a\"\nimport \"b\""
	seen := map[string]string{}
	for name, d := range map[string]string{
		"alone":    digest("x = 1", nil),
		"imports":  digest(main, map[string]string{"a": "x = 1", "b": "y = 1"}),
		"changed":  digest(main, map[string]string{"a": "x = 2", "b": "y = 1"}),
		"other":    digest(main, map[string]string{"a": "x = 1", "b": "y = 2"}),
		"swapped":  digest(main, map[string]string{"a": "y = 1", "b": "x = 1"}),
		"main too": digest(main+"\n", map[string]string{"a": "x = 1", "b": "y = 1"}),
	} {
		if other := seen[d]; other != "" {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d] = name
	}
	if again := digest(main, map[string]string{"a": "x = 1", "b": "y = 1"}); seen[again] != "imports" {
		t.Error("the digest is another one the second time")
	}
}

// Scripts that are kept take at most half of the cache, and give it back.
func TestKeptScriptsAreBounded(t *testing.T) {
	e := newEngine(t, nil, func(c *Config) { c.CacheBytes = 1 << 20 })
	var kept []*Script
	for {
		s, findings, err := e.Prepare(t.Context(), "", &Source{Text: "x = 1"})
		if errors.Is(err, ErrKept) {
			break
		}
		if err != nil || s == nil {
			t.Fatal(findings, err)
		}
		kept = append(kept, s)
	}
	if len(kept) == 0 || e.cache.reserved > e.config.CacheBytes/2 || e.cache.order.GetMaximum() != uint64(e.config.CacheBytes-e.cache.reserved) {
		t.Errorf("%d scripts have %d bytes of %d; the cache may keep %d", len(kept), e.cache.reserved, e.config.CacheBytes, e.cache.order.GetMaximum())
	}
	mustAnswer(t, e, &Request{Source: "x = 1"})
	for _, s := range kept {
		s.Release()
	}
	if e.cache.reserved != 0 || e.cache.order.GetMaximum() != uint64(e.config.CacheBytes) {
		t.Errorf("%d bytes are still reserved", e.cache.reserved)
	}
}

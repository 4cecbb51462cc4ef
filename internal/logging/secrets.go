package logging

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
)

// mask stands for a secret.
const mask = "[redacted]"

// secretWords make the value of an attribute a secret when its name has one of
// them, in any case and without regard to - _ and dots.
var secretWords = []string{
	"token", "password", "passwd", "passphrase", "secret", "authorization", "cookie", "apikey", "privatekey", "credential", "bearer", "signingkey",
}

// harmlessNames have one of the words and no secret: they are names of files, and
// counts.
var harmlessNames = map[string]bool{"token_file": true}

// inText finds secrets in texts that quote something: credentials in URLs, in
// headers, and behind a name with an equals sign or a colon.
var inText = []*regexp.Regexp{
	regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+(@)`),
	regexp.MustCompile(`(?i)(\b(?:bearer|basic|digest)\s+)[a-z0-9+/=._~-]{6,}()`),
	regexp.MustCompile(`(?i)((?:token|password|passwd|passphrase|secret|authorization|cookie|api[_-]?key|private[_-]?key|credential)s?["']?\s*[=:]\s*["']?)[^\s"'&,;]+()`),
	regexp.MustCompile(`(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*()`),
}

// known remembers which names are those of secrets: they are constants of the
// program, and few.
var known = names{}

// maxKnown bounds what is remembered.
const maxKnown = 512

type names struct {
	mu   sync.Mutex
	read atomic.Pointer[map[string]bool]
}

// secret reports whether a name is that of a secret.
func (n *names) secret(name string) bool {
	if m := n.read.Load(); m != nil {
		if secret, ok := (*m)[name]; ok {
			return secret
		}
	}
	secret := isSecretName(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	next := map[string]bool{}
	if m := n.read.Load(); m != nil {
		if len(*m) >= maxKnown {
			return secret
		}
		next = maps.Clone(*m)
	}
	next[strings.Clone(name)] = secret
	n.read.Store(&next)
	return secret
}

func isSecretName(name string) bool {
	if harmlessNames[name] {
		return false
	}
	plain := strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(name))
	for _, word := range secretWords {
		if strings.Contains(plain, word) {
			return true
		}
	}
	return false
}

// betrays reports whether a text has a secret in it. Most texts cannot, and cost
// one look at their bytes.
func betrays(text string) bool {
	if !mayBetray(text) {
		return false
	}
	for _, pattern := range inText {
		if pattern.MatchString(text) {
			return true
		}
	}
	return false
}

// mayBetray reports whether a text has more than one word in it. The parameters
// in templates of routes begin with a colon, too.
func mayBetray(text string) bool {
	for i := range len(text) {
		switch text[i] {
		case ' ', '=', '\n':
			return true
		case ':':
			if i > 0 && text[i-1] != '/' {
				return true
			}
		}
	}
	return false
}

func maskText(text string) string {
	for _, pattern := range inText {
		text = pattern.ReplaceAllString(text, "${1}"+mask+"${2}")
	}
	return text
}

// isClean reports whether an attribute can be written as it is.
func isClean(a slog.Attr) bool {
	if known.secret(a.Key) {
		return false
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return !betrays(a.Value.String())
	case slog.KindAny, slog.KindGroup, slog.KindLogValuer:
		return false
	}
	return true
}

// maskAttr gives the attribute without secrets.
func maskAttr(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch {
	case value.Kind() == slog.KindGroup:
		members := make([]slog.Attr, len(value.Group()))
		for i, member := range value.Group() {
			members[i] = maskAttr(member)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(members...)}
	case known.secret(a.Key):
		return slog.String(a.Key, mask)
	case value.Kind() == slog.KindString:
		return slog.String(a.Key, maskText(value.String()))
	case value.Kind() == slog.KindAny:
		return slog.Any(a.Key, maskAny(value.Any()))
	}
	return slog.Attr{Key: a.Key, Value: value}
}

// maskAny gives a value of any type as what it is in JSON, without secrets.
func maskAny(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case error:
		return maskText(v.Error())
	case fmt.Stringer:
		return maskText(v.String())
	}
	text, err := json.Marshal(v)
	if err != nil {
		return maskText(fmt.Sprint(v))
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return maskText(string(text))
	}
	return maskPlain(plain)
}

// maskPlain masks what JSON can hold. An object may also be a pair of a name and
// its value, as changes of settings are.
func maskPlain(v any) any {
	switch v := v.(type) {
	case string:
		return maskText(v)
	case []any:
		for i := range v {
			v[i] = maskPlain(v[i])
		}
	case map[string]any:
		for key, member := range v {
			if known.secret(key) {
				v[key] = mask
				continue
			}
			v[key] = maskPlain(member)
		}
	}
	return v
}

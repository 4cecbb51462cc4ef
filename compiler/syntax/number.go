package syntax

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// numberEnd finds the end of a number literal. What touches it and cannot
// belong to it (12abc, 1.2.3) is an error, as in Python.
func (p *parser) numberEnd(i int) int {
	s := p.src[:p.end]
	from := i
	if s[i] == '0' && i+1 < len(s) && strings.IndexByte("xXoObB", s[i+1]) >= 0 {
		for i += 2; i < len(s) && isWordByte(s[i]); i++ {
		}
		return p.checkNumberEnd(from, i)
	}
	i = digitsEnd(s, i)
	if i < len(s) && s[i] == '.' {
		i = digitsEnd(s, i+1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			i = digitsEnd(s, j)
		}
	}
	return p.checkNumberEnd(from, i)
}

func digitsEnd(s string, i int) int {
	for i < len(s) && (isDigit(s[i]) || s[i] == '_') {
		i++
	}
	return i
}

func (p *parser) checkNumberEnd(from, i int) int {
	rest := p.src[i:p.end]
	if rest == "" || !isWordByte(rest[0]) && (rest[0] != '.' || len(rest) < 2 || !isDigit(rest[1])) {
		return i
	}
	if word := rest[:identEnd(rest, 0)]; operatorWords[word] && word != "not" || word == "for" {
		return i // Python lets a keyword touch a number
	}
	to := i
	for to < p.end && (isWordByte(p.src[to]) || p.src[to] == '.') {
		to++
	}
	p.stop(p.fail(diag.BadNumber, from, to, "%s is not a number", clipText(p.src[from:to])).
		suggest("put text in quotes"))
	return i
}

// number parses the number token. negated tells that a minus stands before
// it, which makes 2⁶³ legal.
func (p *parser) number(negated bool) Expr {
	t := p.tok
	text := p.src[t.from:t.to]
	digits := strings.ReplaceAll(text, "_", "")
	if !underscoresFit(text) {
		p.stop(p.fail(diag.BadNumber, t.from, t.to, "%s is not a number", clipText(text)).
			suggest("an underscore must stand between two digits"))
	}
	radix := len(digits) > 1 && digits[0] == '0' && strings.IndexByte("xXoObB", digits[1]) >= 0
	if !radix && strings.ContainsAny(digits, ".eE") {
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			p.stop(p.fail(diag.BadNumber, t.from, t.to, "%s is not a number", clipText(text)))
		}
		return &Float{p.ext(t.from, t.to), f}
	}
	if !radix && digits[0] == '0' && strings.Trim(digits, "0") != "" {
		p.stop(p.fail(diag.BadNumber, t.from, t.to, "leading zeros are not allowed in a number").
			suggest("write " + clipText(strings.TrimLeft(digits, "0")) + ", or put text in quotes"))
	}
	base := 10
	if radix {
		base = 0
	} else if digits = strings.TrimLeft(digits, "0"); digits == "" {
		digits = "0"
	}
	u, err := strconv.ParseUint(digits, base, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		p.stop(p.fail(diag.BadNumber, t.from, t.to, "%s is not a number", clipText(text)))
	}
	if negated && err == nil && u == 1<<63 {
		return &Int{p.ext(t.from, t.to), math.MinInt64}
	}
	if err != nil || u > math.MaxInt64 {
		p.report(p.fail(diag.BadNumber, t.from, t.to, "integer %s is out of range", clipText(text)).
			suggest("integers have 64 bits; write a float such as " + clipText(digits) + ".0"))
	}
	return &Int{p.ext(t.from, t.to), int64(u)}
}

// underscoresFit checks that each underscore stands between digits; one may
// also follow the radix prefix, as in Python.
func underscoresFit(text string) bool {
	for i := range len(text) {
		if text[i] != '_' {
			continue
		}
		if i == 0 || i+1 == len(text) || text[i+1] == '_' || !isWordByte(text[i+1]) || !isWordByte(text[i-1]) {
			return false
		}
		if e := text[i-1]; (e == 'e' || e == 'E') && !strings.HasPrefix(lowerASCII(text), "0x") {
			return false
		}
		if e := text[i+1]; (e == 'e' || e == 'E') && !strings.HasPrefix(lowerASCII(text), "0x") {
			return false
		}
	}
	return true
}

package diag

import "strings"

// These bound the work for hostile names, and for scripts with many of them.
const (
	maxSuggestLength = 64
	maxCandidates    = 1000
)

// Suggest returns the candidate that name was probably meant to be, or "": a
// third of the name may differ.
func Suggest(name string, candidates []string) string {
	return Nearest(name, candidates, max(1, len(name)/3))
}

// Nearest returns the candidate that takes the fewest changes to name, at most
// some, or "". It counts insertions, deletions, substitutions and swaps of
// neighbours. A difference in case only costs nothing. Of very many candidates
// only the first are looked at.
func Nearest(name string, candidates []string, most int) string {
	if name == "" || len(name) > maxSuggestLength {
		return ""
	}
	best, bestDistance := "", most+1
	for _, c := range candidates[:min(len(candidates), maxCandidates)] {
		if c == name || len(c) > maxSuggestLength {
			continue
		}
		if strings.EqualFold(c, name) {
			return c
		}
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance && d < len(c) && d < len(name) {
			best, bestDistance = c, d
		}
	}
	return best
}

// DidYouMean words a suggestion, or returns "" if no candidate is close.
func DidYouMean(name string, candidates []string) string {
	if s := Suggest(name, candidates); s != "" {
		return "did you mean " + s + "?"
	}
	return ""
}

// distance is the Damerau-Levenshtein distance (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, prev, cur := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(y)]
}

package guest

import "github.com/avapd/avapd/runtime/abi"

// Regular expressions are searched by the host, a few matches per call, and
// what is made of the matches is put together here. The host's work is paid
// for by what it says the work was worth, because no length tells.

const (
	// spanBytes is the place of one group in what the host writes, and
	// spanRoomBytes the room for them, if one match does not need more.
	spanBytes     = 8
	spanRoomBytes = 2048
)

// regexGroups compiles a pattern and gives the number of its groups, or one
// of the failures.
func regexGroups(mode uint32, pattern Value) int32 {
	result := regexGroup(mode, pattern.textPtr(), pattern.textLen(), 0, 0)
	charge(result >> 32)
	return int32(uint32(result))
}

// spanRoom is the room for the spans of matches with so many groups.
func spanRoom(groups uint32) uint32 {
	return max((groups+1)*spanBytes, spanRoomBytes)
}

// findMatches asks for the matches from a place on; the result is their
// number with abi.RegexLast.
func findMatches(mode uint32, pattern, source Value, from uint32, spans Ptr, room uint32) uint32 {
	result := regexFind(mode, pattern.textPtr(), pattern.textLen(), source.textPtr(), source.textLen(), from, spans, room)
	charge(result >> 32)
	return uint32(result)
}

// afterMatch is the mode of a search behind a match.
func afterMatch(mode uint32, match Ptr) uint32 {
	if load32(match) == load32(match+4) {
		return mode | abi.RegexAdvance
	}
	return mode
}

// putSpan puts what a group has matched.
func putSpan(source Value, span Ptr) {
	start := load32(span)
	if start != abi.RegexUnmatched {
		putBytes(source.textPtr()+Ptr(start), load32(span+4)-start)
	}
}

// GetRegex is getRegex: all matches joined, or those of the groups if the
// pattern has some; null if there is no match.
func GetRegex(source, pattern Value) Value {
	source, pattern = Str(orNull(source)), Str(orNull(pattern))
	groups := regexGroups(0, pattern)
	if groups < 0 {
		return failPattern(groups, pattern)
	}
	size := (uint32(groups) + 1) * spanBytes
	room := spanRoom(uint32(groups))
	spans := allocBlock(room)
	mark := outMark()
	matched := false
	mode, from, found := uint32(0), uint32(0), uint32(0)
	for found&abi.RegexLast == 0 {
		found = findMatches(mode, pattern, source, from, spans, room)
		match := spans
		for range found &^ abi.RegexLast {
			putGroups(source, match, uint32(groups))
			mode = afterMatch(0, match)
			from = load32(match + 4)
			match += Ptr(size)
			matched = true
		}
	}
	freeBlock(spans, room)
	text := takeText(mark)
	if !matched {
		return null()
	}
	return text
}

// putGroups puts a match, or its groups if there are some.
func putGroups(source Value, match Ptr, groups uint32) {
	if groups == 0 {
		putSpan(source, match)
	}
	for i := range groups {
		putSpan(source, match+Ptr((i+1)*spanBytes))
	}
}

// failPattern records why a pattern cannot be used.
func failPattern(failure int32, pattern Value) Value {
	if failure == abi.RegexTooLarge {
		return fail(abi.ErrValue, literal("the regular expression is too large"), pattern)
	}
	return fail(abi.ErrValue, literal("invalid regular expression"), pattern)
}

// ReplacePattern is replace: every match gives way to the replacement, whose
// references stand for groups. A pattern that is none leaves the source.
func ReplacePattern(source, pattern, replacement Value) Value {
	source, pattern, replacement = Str(orNull(source)), Str(orNull(pattern)), Str(orNull(replacement))
	groups := regexGroups(abi.RegexBlanks, pattern)
	if groups == abi.RegexInvalid {
		return source
	}
	if groups < 0 {
		return failPattern(groups, pattern)
	}
	plain := byteIndex(replacement.textPtr(), replacement.textLen(), '\\') == noOffset
	if !plain && !putTemplate(replacement, pattern, emptyText(), 0, uint32(groups)) {
		return failure()
	}
	size := (uint32(groups) + 1) * spanBytes
	room := spanRoom(uint32(groups))
	spans := allocBlock(room)
	mark := outMark()
	mode, from, found := uint32(abi.RegexBlanks), uint32(0), uint32(0)
	for found&abi.RegexLast == 0 {
		found = findMatches(mode, pattern, source, from, spans, room)
		match := spans
		for range found &^ abi.RegexLast {
			start := load32(match)
			putBytes(source.textPtr()+Ptr(from), start-from)
			if plain {
				putText(replacement)
			} else {
				putTemplate(replacement, pattern, source, match, uint32(groups))
			}
			mode = afterMatch(abi.RegexBlanks, match)
			from = load32(match + 4)
			match += Ptr(size)
		}
	}
	putBytes(source.textPtr()+Ptr(from), source.textLen()-from)
	freeBlock(spans, room)
	return takeText(mark)
}

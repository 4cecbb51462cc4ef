package guest

import "github.com/avapd/avapd/runtime/abi"

// dateRoomBytes is the first guess at how long a date is as text.
const dateRoomBytes = 64

// isOmitted reports whether an optional argument says nothing.
func isOmitted(v Value) bool {
	return isMissing(v) || v.isText() && v.textLen() == 0
}

// secondsOf reads a number of seconds; undefined if the value is none.
func secondsOf(v Value) Value {
	number := numberOf(v)
	if number.Tag == abi.KindInt {
		return floating(float64(number.int()))
	}
	return number
}

// shifted adds the seconds of an optional delta to a Unix time.
func shifted(seconds float64, delta Value) Value {
	if isOmitted(delta) {
		return floating(seconds)
	}
	shift := secondsOf(delta)
	if shift.Tag == abi.KindUndefined {
		return fail1(abi.ErrNumberText, delta)
	}
	return floating(seconds + shift.float())
}

// FormatTime is stampToDatetime and, given the present time, getDateTime: the
// stamp plus delta seconds in a zone as strftime writes it; without a format
// the Unix time as a float.
func FormatTime(stamp, format, delta, zone Value) Value {
	seconds := secondsOf(stamp)
	if seconds.Tag == abi.KindUndefined {
		return fail1(abi.ErrNumberText, orNull(stamp))
	}
	seconds = shifted(seconds.float(), delta)
	if seconds.failed() {
		return seconds
	}
	place := emptyText()
	if !isOmitted(zone) {
		place = Str(zone)
	}
	if isOmitted(format) {
		if timeFormat(0, place.textPtr(), place.textLen(), 0, 0, 0, 0) == abi.TimeZoneUnknown {
			return failTimeFormat(abi.TimeZoneUnknown, place)
		}
		return seconds
	}
	format = Str(format)
	mark := outMark()
	room := uint32(dateRoomBytes)
	for {
		out := outRoom(room)
		n := timeFormat(seconds.float(), place.textPtr(), place.textLen(), format.textPtr(), format.textLen(), out, room)
		if n == abi.TimeOutOfRange {
			return failTimeFormat(n, seconds)
		}
		if n < 0 {
			return failTimeFormat(n, place)
		}
		if uint32(n) <= room {
			outLen += uint32(n)
			return takeText(mark)
		}
		room = uint32(n)
	}
}

func failTimeFormat(failure int32, about Value) Value {
	switch failure {
	case abi.TimeZoneUnknown:
		return fail(abi.ErrValue, literal("unknown time zone"), about)
	case abi.TimeOutOfRange:
		return fail(abi.ErrValue, literal("timestamp out of range"), about)
	}
	return fail1(abi.ErrValue, literal("the format of a date is too long"))
}

// ParseTime is getTimeStamp: the Unix time of a date that strptime reads, plus
// delta seconds. Without a format the date is a Unix time already.
func ParseTime(text, format, delta Value) Value {
	if isOmitted(format) {
		seconds := secondsOf(text)
		if seconds.Tag == abi.KindUndefined {
			return fail1(abi.ErrNumberText, orNull(text))
		}
		return shifted(seconds.float(), delta)
	}
	text, format = Str(orNull(text)), Str(format)
	micros := timeParse(text.textPtr(), text.textLen(), format.textPtr(), format.textLen())
	if micros >= abi.TimeParseFailed {
		micros -= abi.TimeParseFailed
		return failTimeParse(uint32(micros&0xff), uint32(micros>>8), text, format)
	}
	return shifted(float64(micros)/1e6, delta)
}

// failTimeParse records why a date could not be read, in Python's words.
func failTimeParse(failure, detail uint32, text, format Value) Value {
	mark := outMark()
	switch failure {
	case abi.TimeParseMismatch:
		putText(literal("time data "))
		putShortRepr(text)
		putText(literal(" does not match format "))
		putShortRepr(format)
	case abi.TimeParseDirective, abi.TimeParseRepeated:
		putByte('\'')
		putRune(detail)
		if failure == abi.TimeParseRepeated {
			putText(literal("' is a repeated directive in format "))
		} else {
			putText(literal("' is a bad directive in format "))
		}
		putShortRepr(format)
	case abi.TimeParseStray:
		putText(literal("stray % in format "))
		putShortRepr(format)
	case abi.TimeParseRest:
		putText(literal("unconverted data remains: "))
		putText(textSub(text, detail, text.textLen()))
	case abi.TimeParseDay:
		putText(literal("day is out of range for month"))
	case abi.TimeParseWeek:
		putText(literal("ISO week and ISO year need each other and a weekday in format "))
		putShortRepr(format)
	case abi.TimeParseRange:
		putText(literal("no such date: "))
		putShortRepr(text)
	default:
		putText(literal("the text or the format of a date is too long"))
	}
	return fail1(abi.ErrValue, takeText(mark))
}

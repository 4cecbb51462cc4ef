package reference

// span is how many arguments a builtin or method takes; most is -1 without a bound.
type span struct{ least, most int }

// arities are those that differ from one argument exactly. Calls that do not fit are refused before a script runs; here
// they are left open.
var arities = map[string]span{
	"str": {0, 1}, "int": {0, 2}, "float": {0, 1}, "bool": {0, 1}, "list": {0, 1}, "dict": {0, 1}, "range": {1, 3},
	"min": {1, -1}, "max": {1, -1}, "sum": {1, 2}, "round": {1, 2}, "enumerate": {1, 2}, "zip": {0, -1}, "isinstance": {2, 2}, "print": {0, -1},
	".upper": {}, ".lower": {}, ".strip": {0, 1}, ".lstrip": {0, 1}, ".rstrip": {0, 1}, ".split": {0, 2}, ".replace": {2, 3},
	".startswith": {1, 3}, ".endswith": {1, 3}, ".find": {1, 3}, ".isdigit": {}, ".isalpha": {}, ".isalnum": {}, ".title": {},
	".capitalize": {}, ".format": {0, -1}, ".count": {1, 3}, ".insert": {2, 2}, ".pop": {0, 2}, ".index": {1, 3}, ".sort": {},
	".reverse": {}, ".get": {1, 2}, ".keys": {}, ".values": {}, ".items": {},
}

// checkCount looks at the number of arguments; the names of methods have a dot before them.
func (in *interpreter) checkCount(name string, n int) {
	s, ok := arities[name]
	if !ok {
		s = span{1, 1}
	}
	if n < s.least || s.most >= 0 && n > s.most {
		in.leave("a call with arguments that do not fit")
	}
}

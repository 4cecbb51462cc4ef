package catalogimport

import (
	"slices"
	"strings"
)

// stands is what there is here for the modules and functions of Python that
// command bodies use. An empty text says that scripts have nothing like it.
var stands = map[string]string{
	"requests": "RequestGet, RequestPost", "httpx": "RequestGet, RequestPost", "aiohttp": "RequestGet, RequestPost",
	"urllib": "RequestGet, RequestPost", "http": "RequestGet, RequestPost",
	"json": "AddvariableToJSON, variableFromJSON", "re": "getRegex, replace",
	"hashlib":  "encodeSHA256, encodeMD5",
	"datetime": "getDateTime, getTimeStamp, stampToDatetime", "time": "getDateTime, getTimeStamp", "pytz": "getDateTime with a zone", "zoneinfo": "getDateTime with a zone",
	"random": "randomString", "secrets": "randomString", "exrex": "randomString", "rstr": "randomString", "string": "randomString",
	"psycopg2": "the orm commands", "psycopg": "the orm commands", "asyncpg": "the orm commands", "sqlalchemy": "the orm commands",
	"sqlite3": "the orm commands", "pymysql": "the orm commands", "mysql": "the orm commands",
	"math": "arithmetic and the built-in functions", "asyncio": "go, gather", "threading": "go, gather", "concurrent": "go, gather",
	"tornado": "addParam, getQueryParamList", "flask": "addParam, getQueryParamList",
	"typing": "nothing is needed", "logging": "nothing is needed: statements are logged", "traceback": "try, exception",

	"os": "", "sys": "", "subprocess": "", "socket": "", "ctypes": "", "shutil": "", "pathlib": "", "importlib": "", "multiprocessing": "", "signal": "",
	"pickle": "", "builtins": "", "io": "", "glob": "", "tempfile": "", "smtplib": "", "ssl": "", "inspect": "",
	"eval(": "", "exec(": "", "compile(": "", "open(": "", "__import__(": "", "globals(": "", "getattr(": "", "setattr(": "",
}

// uses lists what Python code takes from elsewhere, in alphabetical order. It
// looks at words, not at syntax: what it reports is a hint for a reader.
func uses(code string) []Replacement {
	found := make(map[string]bool)
	for line := range strings.Lines(blankOut(code)) {
		for statement := range strings.SplitSeq(line, ";") {
			for _, module := range imported(strings.Fields(statement)) {
				found[module] = true
			}
		}
		for name := range stands {
			// Bodies find many modules without importing them.
			if module := !strings.HasSuffix(name, "("); module && mentions(line, name+".") || !module && mentions(line, name) {
				found[name] = true
			}
		}
	}
	var list []Replacement
	for name := range found {
		list = append(list, Replacement{strings.TrimSuffix(name, "("), stands[name]})
	}
	slices.SortFunc(list, func(a, b Replacement) int { return strings.Compare(a.Uses, b.Uses) })
	return list
}

// imported gives the modules that the words of a statement import.
func imported(words []string) []string {
	switch {
	case len(words) >= 4 && words[0] == "from" && words[2] == "import":
		return []string{topLevel(words[1])}
	case len(words) >= 2 && words[0] == "import":
		var modules []string
		for part := range strings.SplitSeq(strings.Join(words[1:], " "), ",") {
			if names := strings.Fields(part); len(names) > 0 {
				modules = append(modules, topLevel(names[0]))
			}
		}
		return modules
	}
	return nil
}

func topLevel(module string) string {
	name, _, _ := strings.Cut(module, ".")
	return name
}

// mentions reports whether a line has a name with the sign behind it, and not
// as an attribute of something or the end of a longer name.
func mentions(line, name string) bool {
	for from := 0; ; {
		i := strings.Index(line[from:], name)
		if i < 0 {
			return false
		}
		from += i + len(name)
		if before := from - len(name) - 1; before < 0 || line[before] != '.' && !wordByte(line[before]) {
			return true
		}
	}
}

// blankOut replaces texts and comments by blanks, and leaves the lines.
func blankOut(code string) string {
	out := []byte(code)
	for i := 0; i < len(out); {
		switch c := out[i]; c {
		case '#':
			for i < len(out) && out[i] != '\n' {
				out[i] = ' '
				i++
			}
		case '\'', '"':
			end := i + textLength(code[i:])
			for ; i < end; i++ {
				if out[i] != '\n' {
					out[i] = ' '
				}
			}
		default:
			i++
		}
	}
	return string(out)
}

// textLength counts the bytes of the Python text at the beginning of code.
func textLength(code string) int {
	quote := code[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(code, triple) {
		quote = triple
	}
	for i := len(quote); i < len(code); i++ {
		switch {
		case code[i] == '\\':
			i++
		case strings.HasPrefix(code[i:], quote):
			return i + len(quote)
		case code[i] == '\n' && len(quote) == 1: // not closed: an error in Python
			return i
		}
	}
	return len(code)
}

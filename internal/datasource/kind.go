package datasource

import "strings"

// kind is what a statement does, as far as its words tell.
type kind struct {
	verb   string
	writes bool // data or definitions
	ddl    bool // definitions
	rows   bool // answers with rows
}

// allowed lists the statements a script has use for, in messages.
const allowed = "SELECT, VALUES, WITH, INSERT, UPDATE, DELETE, EXPLAIN, and CREATE, ALTER and DROP of TABLE, INDEX and VIEW"

// classify finds the kind of a statement, and refuses those that scripts have
// no use for.
func classify(dialect Dialect, tokens []token) (kind, error) {
	i := 0
	for i < len(tokens) && tokens[i].kind == signToken && tokens[i].text == "(" {
		i++
	}
	if i == len(tokens) {
		return kind{}, refuse("the SQL text is empty")
	}
	if tokens[i].kind != wordToken {
		return kind{}, refuse("the SQL text does not start with a statement's name; allowed are %s", allowed)
	}
	if dialect == Postgres {
		if err := checkFunctions(tokens); err != nil {
			return kind{}, err
		}
	}
	k, ok := classifyVerb(dialect, tokens[i:])
	if !ok {
		return kind{}, refuse("%s is not allowed here; allowed are %s", spelled(tokens[i:]), allowed)
	}
	return k, nil
}

func classifyVerb(dialect Dialect, tokens []token) (kind, bool) {
	k := kind{verb: tokens[0].text}
	switch k.verb {
	case "SELECT", "VALUES":
		k.rows = true
		// SELECT … INTO makes a table in PostgreSQL.
		k.writes = dialect == Postgres && hasWord(tokens, "INTO")
		if k.writes {
			k.ddl, k.rows = true, false
		}
		return k, true
	case "WITH":
		return classifyWith(tokens)
	case "INSERT", "UPDATE", "DELETE":
	case "REPLACE":
		if dialect != SQLite {
			return k, false
		}
	case "MERGE":
		if dialect != Postgres {
			return k, false
		}
	case "CREATE", "ALTER", "DROP":
		k.writes, k.ddl = true, true
		return k, isDefinition(dialect, tokens)
	case "EXPLAIN":
		return classifyExplain(dialect, tokens)
	default:
		return k, false
	}
	k.writes = true
	k.rows = hasWord(tokens, "RETURNING")
	return k, true
}

// classifyWith finds the statement that WITH leads to, which stands outside of
// all parentheses. One that writes may also hide in PostgreSQL's parentheses.
func classifyWith(tokens []token) (kind, bool) {
	k := kind{}
	for i, t := range tokens {
		if t.kind != wordToken {
			continue
		}
		switch t.text {
		case "REPLACE":
			if i+1 < len(tokens) && tokens[i+1].text == "(" {
				continue // the function
			}
			k.writes = true
		case "INSERT", "UPDATE", "DELETE", "MERGE", "INTO":
			k.writes = true
		case "SELECT", "VALUES":
		default:
			continue
		}
		if t.depth == tokens[0].depth && k.verb == "" && t.text != "INTO" && i > 0 {
			k.verb = t.text
		}
	}
	k.rows = k.verb == "SELECT" || k.verb == "VALUES" || hasWord(tokens, "RETURNING")
	return k, k.verb != ""
}

// classifyExplain looks through the options for the statement explained, which
// ANALYZE executes.
func classifyExplain(dialect Dialect, tokens []token) (kind, bool) {
	for i, t := range tokens[1:] {
		if t.kind != wordToken || t.depth != tokens[0].depth {
			continue
		}
		switch t.text {
		case "QUERY", "PLAN", "ANALYZE", "ANALYSE", "VERBOSE":
			continue
		case "EXPLAIN":
			return kind{}, false
		}
		k, ok := classifyVerb(dialect, tokens[i+1:])
		k.verb, k.rows = "EXPLAIN", true
		return k, ok
	}
	return kind{}, false
}

// isDefinition reports whether CREATE, ALTER or DROP is of a table, an index
// or a view. Temporary ones would outlive the call on their connection.
func isDefinition(dialect Dialect, tokens []token) bool {
	for _, t := range tokens[1:] {
		if t.kind != wordToken {
			return false
		}
		switch t.text {
		case "TABLE", "INDEX", "VIEW":
			return true
		case "UNIQUE":
		case "OR": // CREATE OR REPLACE VIEW
			if dialect != Postgres {
				return false
			}
		case "REPLACE":
		default:
			return false
		}
	}
	return false
}

func hasWord(tokens []token, word string) bool {
	for _, t := range tokens {
		if t.kind == wordToken && t.text == word {
			return true
		}
	}
	return false
}

// spelled is the statement's name in messages: CREATE TRIGGER, VACUUM.
func spelled(tokens []token) string {
	verb := tokens[0].text
	if (verb == "CREATE" || verb == "ALTER" || verb == "DROP") && len(tokens) > 1 && tokens[1].kind == wordToken {
		return verb + " " + tokens[1].text
	}
	return verb
}

// deniedFunctions are PostgreSQL's functions that change the session, reach
// other sessions or files, or run text as SQL. Rights guard most of them too;
// this list is for roles that have more rights than they should.
var deniedFunctions = map[string]bool{
	"set_config": true, "pg_terminate_backend": true, "pg_cancel_backend": true, "pg_notify": true,
	"pg_reload_conf": true, "pg_rotate_logfile": true, "pg_read_file": true, "pg_read_binary_file": true,
	"pg_ls_dir": true, "pg_stat_file": true, "lo_import": true, "lo_export": true,
	"query_to_xml": true, "query_to_xmlschema": true, "query_to_xml_and_xmlschema": true,
	"cursor_to_xml": true, "cursor_to_xmlschema": true, "ts_stat": true, "pg_promote": true,
	"pg_advisory_lock": true, "pg_advisory_lock_shared": true, "pg_try_advisory_lock": true, "pg_try_advisory_lock_shared": true,
}

func checkFunctions(tokens []token) error {
	for _, t := range tokens {
		name := t.text
		if t.kind == wordToken {
			name = strings.ToLower(name)
		} else if t.kind != nameToken {
			continue
		}
		if deniedFunctions[name] || strings.HasPrefix(name, "dblink") || strings.HasPrefix(name, "pg_ls_") {
			return refuse("the function %s is not allowed here", name)
		}
	}
	return nil
}

// Package datasource holds the databases that scripts may use: the embedded
// SQLite file and PostgreSQL, behind one interface.
//
// A statement arrives as parts: constant SQL text, and values. An SQL lexer
// of our own walks over the constant text and decides where each value
// stands; a value becomes a bind parameter, or makes the whole text literal
// around it one, or is refused. Values therefore never become SQL text, and
// what a script's author wrote is all that the database parses. The lexer also
// finds the kind of the statement; only the kinds that scripts have use for
// reach a database, one statement per call.
//
// Behind the lexer each database has a wall of its own, which holds even if
// the lexer were wrong. SQLite connections carry an authorizer that refuses
// ATTACH, PRAGMA, VACUUM, triggers, virtual tables, temporary objects and
// loaded extensions, may attach nothing, and have length limits; whether text
// holds a second statement is asked of SQLite's own parser. PostgreSQL gets
// every statement by the extended protocol, which takes one statement only,
// on sessions with a statement timeout that are reset after each use.
//
// # Rights on PostgreSQL
//
// The role that scripts log in as should own nothing but their tables:
//
//	CREATE ROLE avap_scripts LOGIN PASSWORD '…' NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT CONNECTION LIMIT 20;
//	REVOKE ALL ON DATABASE app FROM PUBLIC;
//	GRANT CONNECT ON DATABASE app TO avap_scripts;
//	REVOKE CREATE ON SCHEMA public FROM PUBLIC;
//	CREATE SCHEMA scripts AUTHORIZATION avap_scripts;   -- only if scripts may create tables
//	ALTER ROLE avap_scripts IN DATABASE app SET search_path = scripts, public;
//	GRANT USAGE ON SCHEMA public TO avap_scripts;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON public.orders TO avap_scripts;   -- table by table
//
// Check reports a role that may do more.
//
// # Values
//
// NULL is nil, integers are int64, floating-point numbers float64, booleans
// bool (in SQLite by the column's declared type BOOLEAN). Exact numbers are
// int64 or float64 where that loses no digit, else text. Dates and timestamps
// are ISO 8601 text, JSON columns their decoded values with objects in order,
// arrays lists, byte strings base64 text, and everything else the database's
// own text.
package datasource

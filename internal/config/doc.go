// Package config holds the server's settings: one table of keys, from which the
// flags, the names of environment variables, the help text, docs/configuration.md,
// an example and a JSON schema are made.
//
// A setting's value is looked for in its flag, then in its environment
// variable, then in files, then in the table's default. Values travel as text until they are
// checked, so that a fault can be shown as it was written, together with where
// it was written; all faults are reported at once.
package config

package catalog

import (
	"slices"

	"github.com/avapd/avapd/runtime/abi"
)

// What a script must be granted for a command that reaches outside the
// sandbox.
const (
	CapabilityClock       = "clock"
	CapabilityCommands    = "commands" // registered ones
	CapabilityConcurrency = "concurrency"
	CapabilityConnector   = "connector"
	CapabilityHTTP        = "http"
	CapabilityRandom      = "random"
	CapabilitySQL         = "sql"
)

var (
	where   = Param{Name: "where", Kind: Value, Optional: true, SQL: true}
	table   = Param{Name: "table", Kind: Value}
	fields  = Param{Name: "fields", Kind: Value, SQL: true}
	values  = Param{Name: "values", Kind: Value, SQL: true}
	query   = Param{Name: "query", Kind: Value, Optional: true, Literal: true}
	headers = Param{Name: "headers", Kind: Value, Optional: true, Literal: true}
	format  = Param{Name: "format", Kind: Value, Optional: true}
	delta   = Param{Name: "delta", Kind: Value, Optional: true}
)

// effects are the commands that import a function of the host.
var effects = []Command{
	{
		Name: "RequestGet", Doc: "Gets a URL; answers in JSON are parsed, others are text.",
		Params: []Param{{Name: "url", Kind: Value}, query, headers, target},
		Host:   "http_get", Capability: CapabilityHTTP, FuelUnits: 1000,
	},
	{
		Name: "RequestPost", Doc: "Posts a body to a URL: a dict as JSON, text as it is.",
		Params: []Param{{Name: "url", Kind: Value}, query, headers, {Name: "body", Kind: Value, Optional: true}, target},
		Host:   "http_post", Capability: CapabilityHTTP, FuelUnits: 1000,
	},
	{
		Name: "ormDirect", Doc: "Executes one SQL statement; values in a template are bound.",
		Params: []Param{{Name: "sql", Kind: Value, SQL: true}, target},
		Host:   "sql_direct", Capability: CapabilitySQL, FuelUnits: 500,
	},
	{
		Name: "ormCheckTable", Doc: "Tells whether a table exists.",
		Params: []Param{table, target},
		Host:   "sql_check_table", Capability: CapabilitySQL, FuelUnits: 500,
	},
	{
		Name: "ormCreateTable", Doc: "Creates a table.",
		Params: []Param{fields, {Name: "types", Kind: Value, SQL: true}, table, target},
		Host:   "sql_create_table", Capability: CapabilitySQL, FuelUnits: 500,
	},
	{
		Name: "ormAccessSelect", Doc: "Selects rows of a table as a list of dicts.",
		Params: []Param{fields, table, where, target},
		Host:   "sql_select", Capability: CapabilitySQL, FuelUnits: 500,
	},
	{
		Name: "ormAccessInsert", Doc: "Inserts a row into a table.",
		Params: []Param{fields, values, table, target},
		Host:   "sql_insert", Capability: CapabilitySQL, FuelUnits: 500,
	},
	{
		Name: "ormAccessUpdate", Doc: "Updates rows of a table.",
		Params: []Param{fields, values, table, where, target},
		Host:   "sql_update", Capability: CapabilitySQL, FuelUnits: 500,
	},
	{
		Name: "ormAccessDelete", Doc: "Deletes rows of a table.",
		Params: []Param{table, where, target},
		Host:   "sql_delete", Capability: CapabilitySQL, FuelUnits: 500,
	},
	{
		Name: "randomString", Doc: "Gives random text: n matches of a regular expression, or n letters and digits.",
		Params: []Param{{Name: "class", Kind: Value, Raw: true, Leading: true}, {Name: "n", Kind: Value}, target},
		Host:   "random_string", Capability: CapabilityRandom, FuelUnits: 20,
	},
	{
		Name: "getDateTime", Doc: "Gives the time now, plus delta seconds, in a zone, as a format says.",
		Params: []Param{format, delta, {Name: "zone", Kind: Value, Optional: true}, target},
		Guest:  "FormatTime", Host: "time_now", Capability: CapabilityClock, FuelUnits: 20,
	},
	{
		Name: "avapConnector", Doc: "Gives a connector of the server by name, or one that a token describes.",
		Params: []Param{{Name: "name", Kind: Value}},
		Host:   ConnectorHost, Capability: CapabilityConnector, FuelUnits: 50,
	},
	{
		Name: "gather", Doc: "Waits for what go or go_async started and gives its value; null when the time is over.",
		Params: []Param{{Name: "handle", Kind: Value}, {Name: "seconds", Kind: Value, Optional: true}},
		Host:   abi.GatherField, Capability: CapabilityConcurrency, FuelUnits: 50,
	},
}

// ConnectorHost and ConnectorCallHost are the functions of the host behind
// connectors: one makes them, the other calls their methods.
const (
	ConnectorHost     = "connector"
	ConnectorCallHost = "connector_call"
)

// connectorMethods are the methods of connectors.
var connectorMethods = []Function{
	{Name: "query", Doc: "Executes SQL; a list or dict fills its placeholders.", MinArgs: 1, MaxArgs: 2, FuelUnits: 500},
	{Name: "get", Doc: "Gets a path: path, query, headers.", MinArgs: 1, MaxArgs: 3, FuelUnits: 500},
	{Name: "post", Doc: "Posts to a path: path, body, query, headers.", MinArgs: 1, MaxArgs: 4, FuelUnits: 500},
}

// LookupConnectorMethod finds a method of connectors by its name.
func LookupConnectorMethod(name string) (*Function, bool) {
	for i := range connectorMethods {
		if connectorMethods[i].Name == name {
			return &connectorMethods[i], true
		}
	}
	return nil, false
}

// IsHostFunction reports whether a script may import a function of the host as
// a command with an effect.
func IsHostFunction(field string) bool {
	switch field {
	case "":
		return false
	case abi.SpawnField, abi.GatherField, abi.RegisteredField, ConnectorCallHost:
		return true
	}
	return slices.ContainsFunc(commands, func(c Command) bool { return c.Host == field })
}

// AllCapabilities lists what there is to be granted, sorted.
func AllCapabilities() []string {
	return []string{
		CapabilityClock, CapabilityCommands, CapabilityConcurrency, CapabilityConnector, CapabilityHTTP, CapabilityRandom, CapabilitySQL,
	}
}

// Capabilities gives what a script that imports these functions of the host
// must be granted, sorted and each once.
func Capabilities(imports []string) []string {
	var needed []string
	if slices.Contains(imports, abi.SpawnField) {
		needed = append(needed, CapabilityConcurrency)
	}
	if slices.Contains(imports, abi.RegisteredField) {
		needed = append(needed, CapabilityCommands)
	}
	for _, field := range imports {
		for i := range commands {
			if commands[i].Host == field && commands[i].Capability != "" && !slices.Contains(needed, commands[i].Capability) {
				needed = append(needed, commands[i].Capability)
			}
		}
	}
	slices.Sort(needed)
	return needed
}

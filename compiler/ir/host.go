package ir

// Host is a function of the host that a script imports: a command with an
// effect. Every one of them can fail.
type Host struct {
	Name string
	// Result are the kinds of value it may yield.
	Result Kinds
	// FuelUnits is the price of one call, on top of what the host charges.
	FuelUnits int
}

// HostFunction finds a host function; the name must be one of the table's.
func HostFunction(name string) *Host {
	for i := range hosts {
		if hosts[i].Name == name {
			return &hosts[i]
		}
	}
	panic("ir: no host function " + name)
}

// Hosts gives the whole table.
func Hosts() []Host { return append([]Host(nil), hosts...) }

var hosts = []Host{
	{"time_now", Float, 20},
	{"random_string", Text, 20},
	{"http_get", Any, 1000},
	{"http_post", Any, 1000},
	{"sql_direct", Any, 500},
	{"sql_check_table", Any, 500},
	{"sql_create_table", Any, 500},
	{"sql_select", Any, 500},
	{"sql_insert", Any, 500},
	{"sql_update", Any, 500},
	{"sql_delete", Any, 500},
	{"spawn", Text, 2000},
	{"gather", Any, 50},
	{"registered", Any, 100},
	{"connector", Conn, 50},
	{"connector_call", Any, 500},
}

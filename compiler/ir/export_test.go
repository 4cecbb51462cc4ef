package ir

// HasLibrary reports whether the table has a function.
func HasLibrary(name string) bool {
	_, ok := libraryIndex[name]
	return ok
}

// Libraries gives the whole table.
func Libraries() []Lib { return library }

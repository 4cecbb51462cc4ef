package ir

// ScheduleVersion is the version of the fuel schedule. It changes whenever the
// same source comes to cost something else.
const ScheduleVersion = 5

// Prices of what is no library function.
const (
	priceOperation = 1
	priceElement   = 1
	priceStatement = 1
	priceCall      = 5
	priceDisplay   = 2

	// evenBranches is the difference up to which both branches of an if cost
	// the dearer one's price, which spares a charge in each.
	evenBranches = 16
)

// Price attaches fuel to the program. A straight run of statements is charged
// at once, where it starts: on entry of the function, at a loop's head for each
// turn, and at the start of a branch that is dearer than the other. The price
// depends on nothing but the source, so every way of compiling it charges the
// same.
func Price(p *Program) {
	for _, fn := range p.Functions {
		fn.Fuel = priceCall + priceStmts(fn.Body)
	}
}

func priceStmts(list []*Stmt) int64 {
	total := int64(0)
	for _, s := range list {
		total += priceStmt(s)
	}
	return total
}

func priceStmt(s *Stmt) int64 {
	price := priceStatement + priceExpr(s.X) + priceExpr(s.Y)
	then, otherwise := priceStmts(s.Then), priceStmts(s.Else)
	switch s.Op {
	case StmtIf:
		return price + balance(s, then, otherwise)
	case StmtWhile:
		s.Fuel = price + then
		return priceStatement
	case StmtCount, StmtEach:
		s.Fuel = priceStatement + then
		return price
	case StmtTry:
		if s.Marker {
			return price + then + otherwise
		}
		s.ElseFuel = otherwise
		return price + then
	}
	return price + then
}

// balance splits the price of two branches into a common part, which it
// returns, and what each one charges by itself.
func balance(s *Stmt, then, otherwise int64) int64 {
	low, high := min(then, otherwise), max(then, otherwise)
	if high-low <= evenBranches {
		return high
	}
	s.Fuel, s.ElseFuel = then-low, otherwise-low
	return low
}

func priceExpr(x *Expr) int64 {
	if x == nil {
		return 0
	}
	price := int64(priceOperation)
	switch x.Op {
	case OpMissing, OpNull, OpBool, OpInt, OpFloat, OpText:
		return 0
	case OpLib:
		price = int64(x.Lib.FuelUnits)
	case OpHost:
		price = int64(x.Host.FuelUnits)
	case OpCall:
		price = priceOperation
	case OpNewList, OpNewDict, OpConcat:
		price = priceDisplay + priceElement*int64(len(x.Args))
	case OpDo, OpSoft:
		price = 0
	}
	for _, a := range x.Args {
		price += priceExpr(a)
	}
	return price + priceStmts(x.Body)
}

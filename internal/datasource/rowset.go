package datasource

// rowset gathers rows within the limits.
type rowset struct {
	limits Limits
	result *Result
	place  []int // of each column in a row; columns of one name share it
}

// cellBytes is what a value weighs besides its text.
const cellBytes = 16

func newRowset(names []string, limits Limits) *rowset {
	r := &rowset{limits: limits, result: &Result{IsQuery: true, Columns: []string{}, Rows: [][]any{}}, place: make([]int, len(names))}
	seen := make(map[string]int, len(names))
	for i, name := range names {
		place, again := seen[name]
		if !again {
			place = len(r.result.Columns)
			seen[name] = place
			r.result.Columns = append(r.result.Columns, name)
		}
		r.place[i] = place
	}
	return r
}

// begin counts a row, given the bytes of its values as the database sent them.
func (r *rowset) begin(size int64) ([]any, error) {
	if len(r.result.Rows) >= r.limits.Rows {
		return nil, limitError("the result has more than %d rows", r.limits.Rows)
	}
	r.result.BytesRead += size + cellBytes*int64(len(r.place))
	if r.result.BytesRead > r.limits.Bytes {
		return nil, limitError("the result is larger than %d bytes", r.limits.Bytes)
	}
	row := make([]any, len(r.result.Columns))
	r.result.Rows = append(r.result.Rows, row)
	return row, nil
}

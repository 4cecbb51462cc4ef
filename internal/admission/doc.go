// Package admission decides how many executions are under way at once, and who
// waits outside.
//
// The compute slots of the engine share the processors out in turns among those
// that are under way. The more these are, the longer each takes, until nobody is
// done before its deadline. So a [Gate] stands before them, with places whose
// number follows what is measured: as long as executions wait for their turns no
// longer than is aimed at, there are more places; when they wait longer, as many
// fewer as wait too much, by Little's law. Only those count that wait to compute:
// who waits for a database keeps nobody out.
//
// A client can have as many places as are free beside them (the dynamic threshold
// of Choudhury and Hahne): one alone has half of all, two have a third each, and
// whoever comes finds a place; so it does when places become fewer than one client
// has, as each may have its share. Those that find none wait in a queue, in turns
// among the clients. When the queue is full, the longest line loses its last one.
// Who would wait too long by what is known is refused at once. A queue helps over a
// moment: where it does not become shorter, all who are served only come later. So
// as long as some are refused, the others wait no longer than an execution waits
// for its turns (the controlled delay of Maurer's "Fail at Scale").
package admission

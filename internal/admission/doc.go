// Package admission decides how many executions are under way at once, and who
// waits outside.
//
// The compute slots of the engine share the processors out in turns among those
// that are under way. The more these are, the longer each takes, until nobody is
// done before its deadline. So a [Gate] stands before them, with places whose
// number follows what is measured: as long as executions wait for their turns no
// longer than is aimed at, there are more places; when they wait longer, fewer, in
// proportion (the gradient of Netflix' concurrency-limits, against a target
// instead of a minimum that was once seen).
//
// A client can have as many places as are free beside them (the dynamic threshold
// of Choudhury and Hahne): one alone has half of all, two have a third each, and
// whoever comes finds a place. Those that find none wait in a queue, in turns
// among the clients. When the queue is full, the longest line loses its last one.
// Who would wait too long by what is known is refused at once.
package admission

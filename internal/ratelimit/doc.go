// Package ratelimit counts how often something may happen, by the generic cell
// rate algorithm (GCRA, ITU-T I.371): per key one moment is kept, at which its
// allowance would be whole again. What comes moves the moment on by one interval,
// and is refused if that would put it further ahead than the burst allows.
//
// [Memory] keeps the moments in this process, [Limiter] in a place that several
// processes share, and in memory while that is away.
package ratelimit

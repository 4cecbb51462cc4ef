package main

// kernel is one computation, written in AVAP and in Go. Both do the same work
// on the same kinds of value: where the script uses a dict or text, so does
// the Go code. The answer is compared before anything is timed.
type kernel struct {
	name   string
	script string
	native func() int64
}

var kernels = []kernel{
	{
		name: "fib(25), recursive",
		script: `function fib(n){
    if(n, 2, "<")
        return(n)
    end()
    return(fib(n - 1) + fib(n - 2))
}
answer = fib(25)
addResult(answer)`,
		native: func() int64 { return fib(25) },
	},
	{
		name: "loop of 1e6 turns, integers",
		script: `answer = 0
startLoop(i, 1, 1000000)
    answer = answer + i % 7
endLoop()
addResult(answer)`,
		native: func() int64 {
			var sum int64
			for i := int64(1); i <= 1000000; i++ {
				sum += i % 7
			}
			return sum
		},
	},
	{
		name: "loop of 1e6 turns, floats",
		script: `x = 0.5
startLoop(i, 1, 1000000)
    x = x * 1.000001 + 0.25
endLoop()
answer = int(x)
addResult(answer)`,
		native: func() int64 {
			x := 0.5
			for range 1000000 {
				y := x * 1.000001 // apart from the sum, or the compiler may fuse them
				x = y + 0.25
			}
			return int64(x)
		},
	},
	{
		name: "1e5 text appends",
		script: `s = ""
startLoop(i, 1, 100000)
    s = s + "abc"
endLoop()
answer = len(s)
addResult(answer)`,
		native: func() int64 {
			var s []byte
			for range 100000 {
				s = append(s, "abc"...)
			}
			return int64(len(string(s)))
		},
	},
	{
		name: "1e5 dict inserts and look-ups",
		script: `d = {}
startLoop(i, 1, 100000)
    d[i] = i
endLoop()
answer = 0
startLoop(i, 1, 100000)
    answer = answer + d[i]
endLoop()
addResult(answer)`,
		native: func() int64 {
			d := map[int64]int64{}
			for i := int64(1); i <= 100000; i++ {
				d[i] = i
			}
			var sum int64
			for i := int64(1); i <= 100000; i++ {
				sum += d[i]
			}
			return sum
		},
	},
}

//go:noinline
func fib(n int64) int64 {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

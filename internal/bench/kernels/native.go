package kernels

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// native are the kernels in Go, with the types that a Go programmer would
// choose. They return their answer.
var native = map[string]func(rows []byte) int64{
	"fib":    func([]byte) int64 { return fib(30) },
	"ints":   func([]byte) int64 { return ints() },
	"floats": func([]byte) int64 { return floats() },
	"sieve":  func([]byte) int64 { return sieve() },
	"nbody":  func([]byte) int64 { return nbody() },
	"text":   func([]byte) int64 { return text() },
	"dict":   func([]byte) int64 { return dict() },
	"json":   transform,
}

//go:noinline
func fib(n int64) int64 {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func ints() int64 {
	var answer int64
	for i := int64(1); i <= 1000; i++ {
		for j := int64(1); j <= 1000; j++ {
			answer += i * j % 7
		}
	}
	return answer
}

func floats() int64 {
	x := 0.5
	for range 1_000_000 {
		// The product is rounded, or the compiler could fuse it with the sum.
		x = float64(x*1.000001) + 0.25
	}
	return int64(x)
}

func sieve() int64 {
	const n = 200_000
	composite := make([]bool, n+1)
	var answer int64
	for i := 2; i <= n; i++ {
		if composite[i] {
			continue
		}
		answer++
		for k := i * i; k <= n; k += i {
			composite[k] = true
		}
	}
	return answer
}

func text() int64 {
	var s strings.Builder
	for i := 1; i <= 100_000; i++ {
		s.WriteString("item ")
		s.WriteString(strconv.Itoa(i))
		s.WriteByte(',')
	}
	return int64(s.Len())
}

func dict() int64 {
	seen := map[string]int64{}
	for i := 1; i <= 100_000; i++ {
		seen["k"+strconv.Itoa(i*7919%1009)]++
	}
	return int64(len(seen))*1000 + seen["k7"]
}

// row is a record of the JSON input.
type row struct {
	ID       int64    `json:"id"`
	Name     string   `json:"name"`
	Price    float64  `json:"price"`
	Quantity int64    `json:"quantity"`
	Tags     []string `json:"tags"`
}

// result is a record of the JSON output.
type result struct {
	ID    int64   `json:"id"`
	Label string  `json:"label"`
	Total float64 `json:"total"`
}

// document is the JSON output.
type document struct {
	Out    []result `json:"out"`
	Answer int64    `json:"answer"`
}

func transform(rows []byte) int64 {
	var in struct {
		Rows []row `json:"rows"`
	}
	if err := json.Unmarshal(rows, &in); err != nil {
		return -1
	}
	var d document
	for _, r := range in.Rows {
		if r.Quantity > 3 {
			d.Out = append(d.Out, result{r.ID, strings.ToUpper(r.Name), r.Price * float64(r.Quantity)})
			d.Answer += r.Quantity
		}
	}
	if _, err := json.Marshal(d); err != nil {
		return -1
	}
	return d.Answer
}

// bodies of the solar system: positions, speeds and masses.
type bodies struct{ x, y, z, vx, vy, vz, m [5]float64 }

func nbody() int64 {
	b := bodies{
		x:  [5]float64{0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165},
		y:  [5]float64{0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641},
		z:  [5]float64{0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181},
		vx: [5]float64{0.0, 0.606326392995832, -1.0107743461787924, 1.0827910064415354, 0.979090732243898},
		vy: [5]float64{0.0, 2.81198684491626, 1.8256623712304119, 0.8687130181696082, 0.5946989986476762},
		vz: [5]float64{0.0, -0.02521836165988763, 0.008415761376584154, -0.010832637401363636, -0.034755955504078104},
		m:  [5]float64{39.47841760435743, 0.03769367487038949, 0.011286326131968767, 0.0017237240570597112, 0.0020336868699246304},
	}
	for range 1000 {
		b.advance(0.01)
	}
	return int64(b.energy() * 1_000_000_000)
}

func (b *bodies) advance(dt float64) {
	for i := range b.m {
		for j := i + 1; j < len(b.m); j++ {
			dx, dy, dz := b.x[i]-b.x[j], b.y[i]-b.y[j], b.z[i]-b.z[j]
			d := dx*dx + dy*dy + dz*dz
			f := dt / (d * math.Sqrt(d))
			b.vx[i] -= dx * b.m[j] * f
			b.vy[i] -= dy * b.m[j] * f
			b.vz[i] -= dz * b.m[j] * f
			b.vx[j] += dx * b.m[i] * f
			b.vy[j] += dy * b.m[i] * f
			b.vz[j] += dz * b.m[i] * f
		}
	}
	for i := range b.m {
		b.x[i] += dt * b.vx[i]
		b.y[i] += dt * b.vy[i]
		b.z[i] += dt * b.vz[i]
	}
}

func (b *bodies) energy() float64 {
	e := 0.0
	for i := range b.m {
		e += 0.5 * b.m[i] * (b.vx[i]*b.vx[i] + b.vy[i]*b.vy[i] + b.vz[i]*b.vz[i])
		for j := i + 1; j < len(b.m); j++ {
			dx, dy, dz := b.x[i]-b.x[j], b.y[i]-b.y[j], b.z[i]-b.z[j]
			e -= b.m[i] * b.m[j] / math.Sqrt(dx*dx+dy*dy+dz*dz)
		}
	}
	return e
}

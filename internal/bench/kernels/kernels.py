# The kernels in Python. A line of input names one; the answer is its result and
# the nanoseconds it took. The argument is the file with the JSON input.
import json
import math
import sys
import time

with open(sys.argv[1]) as f:
    ROWS = f.read()


def fib_of(n):
    if n < 2:
        return n
    return fib_of(n - 1) + fib_of(n - 2)


def fib():
    return fib_of(30)


def ints():
    answer = 0
    for i in range(1, 1001):
        for j in range(1, 1001):
            answer = answer + i * j % 7
    return answer


def floats():
    x = 0.5
    for i in range(1000000):
        x = x * 1.000001 + 0.25
    return int(x)


def sieve():
    n = 200000
    prime = [True] * (n + 1)
    answer = 0
    i = 2
    while i <= n:
        if prime[i]:
            answer = answer + 1
            k = i * i
            while k <= n:
                prime[k] = False
                k = k + i
        i = i + 1
    return answer


def energy(x, y, z, vx, vy, vz, m):
    e = 0.0
    for i in range(5):
        e = e + 0.5 * m[i] * (vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i])
        for j in range(i + 1, 5):
            dx = x[i] - x[j]
            dy = y[i] - y[j]
            dz = z[i] - z[j]
            e = e - m[i] * m[j] / math.sqrt(dx * dx + dy * dy + dz * dz)
    return e


def nbody():
    x = [0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165]
    y = [0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641]
    z = [0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181]
    vx = [0.0, 0.606326392995832, -1.0107743461787924, 1.0827910064415354, 0.979090732243898]
    vy = [0.0, 2.81198684491626, 1.8256623712304119, 0.8687130181696082, 0.5946989986476762]
    vz = [0.0, -0.02521836165988763, 0.008415761376584154, -0.010832637401363636, -0.034755955504078104]
    m = [39.47841760435743, 0.03769367487038949, 0.011286326131968767, 0.0017237240570597112, 0.0020336868699246304]
    for step in range(1000):
        for i in range(5):
            for j in range(i + 1, 5):
                dx = x[i] - x[j]
                dy = y[i] - y[j]
                dz = z[i] - z[j]
                d = dx * dx + dy * dy + dz * dz
                f = 0.01 / (d * math.sqrt(d))
                vx[i] = vx[i] - dx * m[j] * f
                vy[i] = vy[i] - dy * m[j] * f
                vz[i] = vz[i] - dz * m[j] * f
                vx[j] = vx[j] + dx * m[i] * f
                vy[j] = vy[j] + dy * m[i] * f
                vz[j] = vz[j] + dz * m[i] * f
        for i in range(5):
            x[i] = x[i] + 0.01 * vx[i]
            y[i] = y[i] + 0.01 * vy[i]
            z[i] = z[i] + 0.01 * vz[i]
    return int(energy(x, y, z, vx, vy, vz, m) * 1000000000)


def text():
    s = ""
    for i in range(1, 100001):
        s += "item " + str(i) + ","
    return len(s)


def dict_counting():
    seen = {}
    for i in range(1, 100001):
        key = "k" + str(i * 7919 % 1009)
        seen[key] = seen.get(key, 0) + 1
    return len(seen) * 1000 + seen["k7"]


def json_transform():
    rows = json.loads(ROWS)["rows"]
    out = []
    answer = 0
    for row in rows:
        if row["quantity"] > 3:
            out.append({"id": row["id"], "label": row["name"].upper(), "total": row["price"] * row["quantity"]})
            answer = answer + row["quantity"]
    json.dumps({"out": out, "answer": answer})
    return answer


KERNELS = {
    "fib": fib, "ints": ints, "floats": floats, "sieve": sieve, "nbody": nbody,
    "text": text, "dict": dict_counting, "json": json_transform,
}

for line in sys.stdin:
    began = time.perf_counter_ns()
    answer = KERNELS[line.strip()]()
    took = time.perf_counter_ns() - began
    print(answer, took, flush=True)

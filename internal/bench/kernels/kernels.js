// The kernels in JavaScript, for Node and goja. ROWS is the JSON input. Text is
// joined from an array, since goja copies all of it to append.
function fibOf(n) {
  if (n < 2) return n;
  return fibOf(n - 1) + fibOf(n - 2);
}

function energy(x, y, z, vx, vy, vz, m) {
  let e = 0.0;
  for (let i = 0; i < 5; i++) {
    e = e + 0.5 * m[i] * (vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i]);
    for (let j = i + 1; j < 5; j++) {
      const dx = x[i] - x[j];
      const dy = y[i] - y[j];
      const dz = z[i] - z[j];
      e = e - (m[i] * m[j]) / Math.sqrt(dx * dx + dy * dy + dz * dz);
    }
  }
  return e;
}

const KERNELS = {
  fib() {
    return fibOf(30);
  },
  ints() {
    let answer = 0;
    for (let i = 1; i <= 1000; i++) {
      for (let j = 1; j <= 1000; j++) {
        answer = answer + ((i * j) % 7);
      }
    }
    return answer;
  },
  floats() {
    let x = 0.5;
    for (let i = 0; i < 1000000; i++) {
      x = x * 1.000001 + 0.25;
    }
    return Math.trunc(x);
  },
  sieve() {
    const n = 200000;
    const prime = new Array(n + 1).fill(true);
    let answer = 0;
    for (let i = 2; i <= n; i++) {
      if (prime[i]) {
        answer = answer + 1;
        for (let k = i * i; k <= n; k = k + i) {
          prime[k] = false;
        }
      }
    }
    return answer;
  },
  nbody() {
    const x = [0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165];
    const y = [0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641];
    const z = [0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181];
    const vx = [0.0, 0.606326392995832, -1.0107743461787924, 1.0827910064415354, 0.979090732243898];
    const vy = [0.0, 2.81198684491626, 1.8256623712304119, 0.8687130181696082, 0.5946989986476762];
    const vz = [0.0, -0.02521836165988763, 0.008415761376584154, -0.010832637401363636, -0.034755955504078104];
    const m = [39.47841760435743, 0.03769367487038949, 0.011286326131968767, 0.0017237240570597112, 0.0020336868699246304];
    for (let step = 0; step < 1000; step++) {
      for (let i = 0; i < 5; i++) {
        for (let j = i + 1; j < 5; j++) {
          const dx = x[i] - x[j];
          const dy = y[i] - y[j];
          const dz = z[i] - z[j];
          const d = dx * dx + dy * dy + dz * dz;
          const f = 0.01 / (d * Math.sqrt(d));
          vx[i] = vx[i] - dx * m[j] * f;
          vy[i] = vy[i] - dy * m[j] * f;
          vz[i] = vz[i] - dz * m[j] * f;
          vx[j] = vx[j] + dx * m[i] * f;
          vy[j] = vy[j] + dy * m[i] * f;
          vz[j] = vz[j] + dz * m[i] * f;
        }
      }
      for (let i = 0; i < 5; i++) {
        x[i] = x[i] + 0.01 * vx[i];
        y[i] = y[i] + 0.01 * vy[i];
        z[i] = z[i] + 0.01 * vz[i];
      }
    }
    return Math.trunc(energy(x, y, z, vx, vy, vz, m) * 1000000000);
  },
  text() {
    const parts = [];
    for (let i = 1; i <= 100000; i++) {
      parts.push("item " + String(i) + ",");
    }
    return parts.join("").length;
  },
  dict() {
    const seen = new Map();
    for (let i = 1; i <= 100000; i++) {
      const key = "k" + String((i * 7919) % 1009);
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    return seen.size * 1000 + seen.get("k7");
  },
  json() {
    const rows = JSON.parse(ROWS).rows;
    const out = [];
    let answer = 0;
    for (const row of rows) {
      if (row.quantity > 3) {
        out.push({ id: row.id, label: row.name.toUpperCase(), total: row.price * row.quantity });
        answer = answer + row.quantity;
      }
    }
    JSON.stringify({ out, answer });
    return answer;
  },
};

-- The kernels in Lua, for lua5.4 and luajit. A line of input names one; the
-- answer is its result and the nanoseconds of CPU it took. Text is joined from a
-- table, since appending copies all of it; there is no JSON in the language.
local kernels = {}

local function fib_of(n)
  if n < 2 then
    return n
  end
  return fib_of(n - 1) + fib_of(n - 2)
end

function kernels.fib()
  return fib_of(30)
end

function kernels.ints()
  local answer = 0
  for i = 1, 1000 do
    for j = 1, 1000 do
      answer = answer + i * j % 7
    end
  end
  return answer
end

function kernels.floats()
  local x = 0.5
  for _ = 1, 1000000 do
    x = x * 1.000001 + 0.25
  end
  return math.floor(x)
end

function kernels.sieve()
  local n = 200000
  local prime = {}
  for i = 1, n do
    prime[i] = true
  end
  local answer = 0
  local i = 2
  while i <= n do
    if prime[i] then
      answer = answer + 1
      local k = i * i
      while k <= n do
        prime[k] = false
        k = k + i
      end
    end
    i = i + 1
  end
  return answer
end

local function energy(x, y, z, vx, vy, vz, m)
  local e = 0.0
  for i = 1, 5 do
    e = e + 0.5 * m[i] * (vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i])
    for j = i + 1, 5 do
      local dx = x[i] - x[j]
      local dy = y[i] - y[j]
      local dz = z[i] - z[j]
      e = e - m[i] * m[j] / math.sqrt(dx * dx + dy * dy + dz * dz)
    end
  end
  return e
end

function kernels.nbody()
  local x = {0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165}
  local y = {0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641}
  local z = {0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181}
  local vx = {0.0, 0.606326392995832, -1.0107743461787924, 1.0827910064415354, 0.979090732243898}
  local vy = {0.0, 2.81198684491626, 1.8256623712304119, 0.8687130181696082, 0.5946989986476762}
  local vz = {0.0, -0.02521836165988763, 0.008415761376584154, -0.010832637401363636, -0.034755955504078104}
  local m = {39.47841760435743, 0.03769367487038949, 0.011286326131968767, 0.0017237240570597112, 0.0020336868699246304}
  for _ = 1, 1000 do
    for i = 1, 5 do
      for j = i + 1, 5 do
        local dx = x[i] - x[j]
        local dy = y[i] - y[j]
        local dz = z[i] - z[j]
        local d = dx * dx + dy * dy + dz * dz
        local f = 0.01 / (d * math.sqrt(d))
        vx[i] = vx[i] - dx * m[j] * f
        vy[i] = vy[i] - dy * m[j] * f
        vz[i] = vz[i] - dz * m[j] * f
        vx[j] = vx[j] + dx * m[i] * f
        vy[j] = vy[j] + dy * m[i] * f
        vz[j] = vz[j] + dz * m[i] * f
      end
    end
    for i = 1, 5 do
      x[i] = x[i] + 0.01 * vx[i]
      y[i] = y[i] + 0.01 * vy[i]
      z[i] = z[i] + 0.01 * vz[i]
    end
  end
  return math.ceil(energy(x, y, z, vx, vy, vz, m) * 1000000000)
end

function kernels.text()
  local parts = {}
  for i = 1, 100000 do
    parts[i] = "item " .. i .. ","
  end
  return #table.concat(parts)
end

function kernels.dict()
  local seen = {}
  local size = 0
  for i = 1, 100000 do
    local key = "k" .. i * 7919 % 1009
    local n = seen[key]
    if n then
      seen[key] = n + 1
    else
      seen[key] = 1
      size = size + 1
    end
  end
  return size * 1000 + seen["k7"]
end

for name in io.lines() do
  local began = os.clock()
  local answer = kernels[name]()
  local took = os.clock() - began
  io.write(string.format("%d %d\n", answer, math.floor(took * 1e9 + 0.5)))
  io.flush()
end

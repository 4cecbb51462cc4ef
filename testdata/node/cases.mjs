// Runs cases of the guest library in V8: node cases.mjs rt.wasm < cases > outcomes.
import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { libraryImports } from "./library.mjs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const CONTROL_BASE = 1024;
const HEAP_TOP = 1024;
const HEAP_END = 1028;

let memory;
const bytes = () => new Uint8Array(memory.buffer);
const imports = { avap: { ...libraryImports(() => memory), refuel: () => 1n << 40n } };

function argument(type, word) {
  const n = BigInt(word);
  if (type === "l") return BigInt.asIntN(64, n);
  if (type === "i") return Number(BigInt.asIntN(32, n));
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, n);
  return view.getFloat64(0);
}

const word = (v) => (typeof v === "bigint" ? BigInt.asUintN(64, v) : BigInt(v >>> 0)).toString();
const words = (v) => (v === undefined ? [] : Array.isArray(v) ? v.map(word) : [word(v)]);

function run(c) {
  const { exports } = new WebAssembly.Instance(module, imports);
  memory = exports.memory;
  const outcome = {};
  try {
    const data = Buffer.from(c.data ?? "", "base64");
    while (c.base + data.length > memory.buffer.byteLength) memory.grow(1);
    bytes().set(Buffer.from(c.control, "base64"), CONTROL_BASE);
    bytes().set(data, c.base);
    new DataView(memory.buffer).setUint32(HEAP_END, memory.buffer.byteLength, true);
    const results = exports[c.fn](...(c.args ?? []).map((a, i) => argument(c.params[i], a)));
    outcome.results = words(results);
    if (c.fallible && Number(Array.isArray(results) ? results[0] : results) < 0) {
      outcome.message = words(exports.Catch());
    }
  } catch (e) {
    if (e instanceof WebAssembly.RuntimeError && e.message === "unreachable") outcome.halted = true;
    else outcome.problem = String(e);
  }
  const top = new DataView(memory.buffer).getUint32(HEAP_TOP, true);
  outcome.memory = deflateSync(bytes().subarray(0, Math.max(top, 65536)), { level: 1 }).toString("base64");
  return outcome;
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(run)));

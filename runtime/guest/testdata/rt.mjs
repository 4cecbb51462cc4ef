// Runs cases of the guest library in V8: node rt.mjs rt.wasm < cases > outcomes.
// The imports are written anew here, so that the library is held against a
// second implementation of its host.
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const CONTROL_BASE = 1024;
const HEAP_TOP = 1024;
const HEAP_END = 1028;

let memory;
const bytes = () => new Uint8Array(memory.buffer);
const decode = (p, n) => new TextDecoder().decode(bytes().subarray(p >>> 0, (p >>> 0) + (n >>> 0)));

// Decimal digits of value, exact, ties to even.
function floatDigits(value, mode, ndigits, out) {
  if (value === 0) return putDigits("0", 1, out);
  if (mode === 0) {
    const [digits, exponent] = value.toExponential().split("e");
    return putDigits(digits.replace(".", ""), Number(exponent) + 1, out);
  }
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  let mantissa = bits & 0xfffffffffffffn;
  if (biased !== 0) mantissa |= 1n << 52n;
  const exponent = Math.max(biased, 1) - 1075;
  const up = exponent > 0 ? mantissa << BigInt(exponent) : mantissa;
  const down = exponent < 0 ? 1n << BigInt(-exponent) : 1n;
  let places = ndigits;
  if (mode === 2) {
    let point = Number(value.toExponential().split("e")[1]) + 1;
    places = Math.max(ndigits, 1) - point;
    // Rounding may give one digit more, which then is a zero at the end.
  }
  const scaled = places >= 0 ? roundRatio(up * 10n ** BigInt(places), down) : roundRatio(up, down * 10n ** BigInt(-places));
  const text = scaled.toString();
  return scaled === 0n ? putDigits("0", 1, out) : putDigits(text, text.length - places, out);
}

function roundRatio(a, b) {
  const q = a / b;
  const twice = (a % b) * 2n;
  return twice > b || (twice === b && q % 2n === 1n) ? q + 1n : q;
}

function putDigits(digits, point, out) {
  digits = digits.replace(/0+$/, "") || "0";
  bytes().set(new TextEncoder().encode(digits), out >>> 0);
  return (BigInt(point) << 32n) | BigInt(digits.length);
}

// The title case of one character: the digraphs and the Greek letters with
// iota have one of their own, others take the upper case's first letter.
function titleChar(c) {
  const digraphs = { "Ǆ": "ǅ", "ǅ": "ǅ", "ǆ": "ǅ", "Ǉ": "ǈ", "ǈ": "ǈ", "ǉ": "ǈ", "Ǌ": "ǋ", "ǋ": "ǋ", "ǌ": "ǋ", "Ǳ": "ǲ", "ǲ": "ǲ", "ǳ": "ǲ" };
  if (digraphs[c]) return digraphs[c];
  if (/[\u10d0-\u10ff]/.test(c)) return c;
  const upper = [...c.toUpperCase()];
  return upper[0] + upper.slice(1).join("").toLowerCase();
}

const cased = /[\p{Lowercase}\p{Uppercase}\p{Lt}]/u;

function titleCase(text) {
  let out = "";
  let inside = false;
  const lower = text.toLowerCase();
  const chars = [...text];
  const finals = [...lower].length === chars.length ? [...lower] : chars.map((c) => c.toLowerCase());
  chars.forEach((c, i) => {
    out += inside ? finals[i] : titleChar(c);
    inside = cased.test(c);
  });
  return out;
}

function changeCase(mode, text) {
  switch (mode) {
    case 0:
      return text.toUpperCase();
    case 1:
      return text.toLowerCase();
    case 2:
      return titleCase(text);
  }
  const [first] = [...text];
  return first === undefined ? "" : titleChar(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

// The classes' bits, in order.
const classes = [
  /\p{L}/u,
  /\p{Nd}/u,
  /[\p{Nd}²³¹⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐]/u,
  /[\p{N}一二三四五六七八九十百千万]/u,
  /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u,
  /\p{Uppercase}/u,
  /\p{Lowercase}/u,
  /\p{Lt}/u,
  /[^\p{C}\p{Z}]|\x20/u,
];

// A regular expression as this language has it. What RE2 has beyond it is not
// in the cases that run here.
function regex(mode, pattern) {
  let source = pattern.replaceAll("(?P<", "(?<");
  if (mode & 1) source = (source || " ").replaceAll(" ", "[\\s\\x1c-\\x1f\\x85]");
  try {
    return new RegExp(source, "dgu");
  } catch {
    return null;
  }
}

function regexGroup(mode, p, n, name, nameLen) {
  const re = regex(mode, decode(p, n));
  if (re === null) return 0xffffffffn;
  const all = new RegExp(re.source + "|", "du").exec("");
  if (nameLen === 0) return BigInt(all.length - 1);
  // The group of a name is the one that is there when its name is not.
  const wanted = decode(name, nameLen);
  const names = [...re.source.matchAll(/\\.|\[(?:\\.|[^\]])*\]|\((?!\?)|\(\?<([a-zA-Z_]\w*)>/g)].filter((m) => m[0][0] === "(");
  return BigInt(names.findIndex((m) => m[1] === wanted) + 1);
}

// Positions count UTF-16 units here and bytes in the guest.
function regexFind(mode, p, n, text, textLen, from, out, room) {
  const source = decode(text, textLen);
  const units = decode(text, from).length;
  let re = regex(mode, decode(p, n));
  if (mode & 2) {
    const first = re.source;
    re = new RegExp(`(?:${first})(?<!^[^]{${[...decode(text, from)].length}})`, "dgu");
  }
  re.lastIndex = units;
  const match = re.exec(source);
  if (match === null || room < 8 * match.length) return 0x80000000n;
  const offset = (at) => new TextEncoder().encode(source.slice(0, at)).length;
  const view = new DataView(memory.buffer);
  match.indices.forEach((span, i) => {
    const [start, end] = span ? span.map(offset) : [0xffffffff, 0xffffffff];
    view.setUint32((out >>> 0) + 8 * i, start, true);
    view.setUint32((out >>> 0) + 8 * i + 4, end, true);
  });
  return 1n;
}

function digest(kind, p, n, out) {
  const name = kind === 0 ? "md5" : "sha256";
  const text = createHash(name).update(bytes().subarray(p >>> 0, (p >>> 0) + (n >>> 0))).digest("hex");
  bytes().set(new TextEncoder().encode(text), out >>> 0);
  return text.length;
}

// Cases with dates do not run here.
const absent = () => {
  throw new Error("not in this host");
};

const imports = {
  avap: {
    refuel: () => 1n << 40n,
    float_digits: floatDigits,
    float_parse: (p, n) => Number(decode(p, n)),
    unicode_case(mode, p, n, out) {
      const text = new TextEncoder().encode(changeCase(mode, decode(p, n)));
      bytes().set(text, out >>> 0);
      return text.length;
    },
    digest,
    regex_group: regexGroup,
    regex_find: regexFind,
    time_format: absent,
    time_parse: absent,
    unicode_class(point) {
      const c = String.fromCodePoint(point >>> 0);
      return classes.reduce((bits, re, i) => bits | (re.test(c) ? 1 << i : 0), 0);
    },
  },
};

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

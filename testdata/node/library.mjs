// The functions that the guest library imports, written anew: so the library
// and the engine are held against a second implementation of their host.
//
// They are exact but for two things: regular expressions are those of
// JavaScript and cost nothing, and dates are not there at all.
import { createHash } from "node:crypto";
import { changeCase, classOf } from "./unicode.mjs";

// libraryImports gives the functions for a memory that exists when they are
// called; without refuel, which is for the caller to add.
export function libraryImports(memory) {
  const bytes = () => new Uint8Array(memory().buffer);
  const decode = (p, n) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes().subarray(p >>> 0, (p >>> 0) + (n >>> 0)));

  function write(text, out) {
    const encoded = new TextEncoder().encode(text);
    bytes().set(encoded, out >>> 0);
    return encoded.length;
  }

  function putDigits({ digits, point }, out) {
    return (BigInt(point) << 32n) | BigInt(write(digits, out));
  }

  const absent = () => {
    throw new Error("dates are not in this host");
  };

  return {
    float_digits: (value, mode, ndigits, out) => putDigits(decimal(value, mode, ndigits), out),
    float_parse: (p, n) => Number(decode(p, n)),
    unicode_case: (mode, p, n, out) => write(changeCase(mode, decode(p, n)), out),
    unicode_class: (point) => (point >>> 0 > 0x10ffff ? 0 : classOf(point)),
    digest(kind, p, n, out) {
      const name = ["md5", "sha256"][kind];
      if (name === undefined) return 0;
      return write(createHash(name).update(bytes().subarray(p >>> 0, (p >>> 0) + (n >>> 0))).digest("hex"), out);
    },
    regex_group: (mode, p, n, name, nameLen) => regexGroup(mode, decode(p, n), decode(name, nameLen)),
    regex_find(mode, p, n, text, textLen, from, out, room) {
      const match = regexFind(mode, decode(p, n), decode(text, textLen), decode(text, from));
      if (match === null || room < 8 * match.length) return 0x80000000n;
      const view = new DataView(memory().buffer);
      match.flat().forEach((offset, i) => view.setUint32((out >>> 0) + 4 * i, offset, true));
      return 1n;
    },
    time_format: absent,
    time_parse: absent,
  };
}

// Decimal digits of value, exact, ties to even.
function decimal(value, mode, ndigits) {
  if (value === 0) return { digits: "0", point: 1 };
  if (mode === 0) {
    const [digits, exponent] = value.toExponential().split("e");
    return trimmed(digits.replace(".", ""), Number(exponent) + 1);
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
    const point = Number(value.toExponential(40).split("e")[1]) + 1; // the shortest form may be rounded up
    places = Math.max(ndigits, 1) - point;
    // Rounding may give one digit more, which then is a zero at the end.
  }
  const scaled = places >= 0 ? roundRatio(up * 10n ** BigInt(places), down) : roundRatio(up, down * 10n ** BigInt(-places));
  const text = scaled.toString();
  return scaled === 0n ? { digits: "0", point: 1 } : trimmed(text, text.length - places);
}

function roundRatio(a, b) {
  const q = a / b;
  const twice = (a % b) * 2n;
  return twice > b || (twice === b && q % 2n === 1n) ? q + 1n : q;
}

const trimmed = (digits, point) => ({ digits: digits.replace(/0+$/, "") || "0", point });

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

function regexGroup(mode, pattern, name) {
  const re = regex(mode, pattern);
  if (re === null) return 0xffffffffn;
  const all = new RegExp(re.source + "|", "du").exec("");
  if (name === "") return BigInt(all.length - 1);
  const names = [...re.source.matchAll(/\\.|\[(?:\\.|[^\]])*\]|\((?!\?)|\(\?<([a-zA-Z_]\w*)>/g)].filter((m) => m[0][0] === "(");
  return BigInt(names.findIndex((m) => m[1] === name) + 1);
}

// regexFind gives a match's positions, in bytes, of which JavaScript counts
// units of UTF-16.
function regexFind(mode, pattern, source, skipped) {
  let re = regex(mode, pattern);
  if (mode & 2) re = new RegExp(`(?:${re.source})(?<!^[^]{${[...skipped].length}})`, "dgu");
  re.lastIndex = skipped.length;
  const match = re.exec(source);
  const offset = (at) => Buffer.byteLength(source.slice(0, at));
  return match && [...match.indices].map((span) => (span ? span.map(offset) : [0xffffffff, 0xffffffff]));
}

// JSON with the numbers that scripts have: integers of 64 bits are BigInt, all
// other numbers are floats, objects are Map. JSON.parse would lose both.

const token = /[ \t\n\r]*(?:([\[\]{},:]|true|false|null)|("(?:[^"\\]|\\.)*")|(-?\d+(\.\d+)?([eE][-+]?\d+)?))/y;

export function parse(text) {
  token.lastIndex = 0;
  const next = () => {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (match === null) throw new SyntaxError(`no JSON at ${at}`);
    return match;
  };
  return value(next(), next);
}

function value([, mark, string, number, fraction, exponent], next) {
  if (string !== undefined) return JSON.parse(string);
  if (number !== undefined) {
    const whole = fraction === undefined && exponent === undefined ? BigInt(number) : undefined;
    return whole !== undefined && BigInt.asIntN(64, whole) === whole ? whole : Number(number);
  }
  switch (mark) {
    case "[":
      return array(next);
    case "{":
      return object(next);
    case "true":
    case "false":
      return mark === "true";
    case "null":
      return null;
  }
  throw new SyntaxError(`no value but ${mark}`);
}

function array(next) {
  const items = [];
  for (let item = next(); item[1] !== "]"; item = next()) {
    items.push(value(item[1] === "," ? next() : item, next));
  }
  return items;
}

// Of members with the same name, the last value counts, in the first place.
function object(next) {
  const members = new Map();
  for (let name = next(); name[1] !== "}"; name = next()) {
    const key = JSON.parse((name[1] === "," ? next() : name)[2]);
    next(); // the colon
    members.set(key, value(next(), next));
  }
  return members;
}

// float writes a float as Python's repr does.
export function float(f) {
  const size = Math.abs(f);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, exponent] = f.toExponential().split("e");
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  const digits = Object.is(f, -0) ? "-0" : String(f);
  return digits.includes(".") ? digits : `${digits}.0`;
}

const escapes = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f" };

export function quote(text) {
  const escape = (c) => escapes[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `"${text.replace(/["\\\x00-\x1f]/g, escape)}"`;
}

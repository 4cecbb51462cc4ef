// What Python 3.11, whose Unicode is version 14, says of characters. V8 knows a
// later version, so what was assigned since is listed here, and so is what its
// regular expressions cannot ask for.

// set makes a regular expression of code points and ranges in hexadecimal.
const set = (text) => {
  const part = (word) => word.split("-").map((point) => `\\u{${point}}`).join("-");
  return new RegExp(`[${text.trim().split(/\s+/).map(part).join("")}]`, "u");
};

// Assigned in versions 15 to 17.
const later = set(`
  88f 897 c5c cdc cf3 ece 1acf-1add 1ae0-1aeb 1b4e-1b4f 1b7f 1c89-1c8a 20c1 2427-2429 2b96 2ffc-2fff 31e4-31e5
  31ef a7cb-a7cf a7d2 a7d4 a7da-a7dc a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce 105c0-105f3 10940-10959 10d40-10d65
  10d69-10d85 10d8e-10d8f 10ec2-10ec7 10ed0-10ed8 10efa-10eff 1123f-11241 11380-11389 1138b 1138e 11390-113b5
  113b7-113c0 113c2 113c5 113c7-113ca 113cc-113d5 113d7-113d8 113e1-113e2 116d0-116e3 11b00-11b09 11b60-11b67
  11bc0-11be1 11bf0-11bf9 11db0-11ddb 11de0-11de9 11f00-11f10 11f12-11f3a 11f3e-11f5a 1342f 13439-13455
  13460-143fa 16100-16139 16d40-16d79 16ea0-16eb8 16ebb-16ed3 16ff2-16ff6 187f8-187ff 18cff 18d09-18d1e
  18d80-18df2 1b132 1b155 1cc00-1ccfc 1cd00-1ceb3 1ceba-1ced0 1cee0-1cef0 1d2c0-1d2d3 1df25-1df2a 1e030-1e06d
  1e08f 1e4d0-1e4f9 1e5d0-1e5fa 1e5ff 1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff 1f6d8 1f6dc 1f774-1f77f 1f7d9
  1f8b2-1f8bb 1f8c0-1f8c1 1f8d0-1f8d8 1fa54-1fa57 1fa75-1fa77 1fa87-1fa8a 1fa8e-1fa8f 1faad-1faaf 1fabb-1fabf
  1fac6 1fac8 1facd-1facf 1fada-1fadc 1fadf 1fae8-1faea 1faef 1faf7-1faf8 1fbcb-1fbef 1fbfa 2b739-2b73f
  2cea2-2cead 2ebf0-2ee5d 31350-33479
`);

// Digits that are no decimal digits, and numbers among the letters.
const digitOnly = set(`
  b2-b3 b9 1369-1371 19da 2070 2074-2079 2080-2089 2460-2468 2474-247c 2488-2490 24ea 24f5-24fd 24ff 2776-277e
  2780-2788 278a-2792 10a40-10a43 10e60-10e68 11052-1105a 1f100-1f10a
`);
const numericLetters = set(`
  3405 3483 382a 3b4d 4e00 4e03 4e07 4e09 4e5d 4e8c 4e94 4e96 4ebf-4ec0 4edf 4ee8 4f0d 4f70 5104 5146 5169
  516b 516d 5341 5343-5345 534c 53c1-53c4 56db 58f1 58f9 5e7a 5efe-5eff 5f0c-5f0e 5f10 62fe 634c 67d2 6f06
  7396 767e 8086 842c 8cae 8cb3 8d30 9621 9646 964c 9678 96f6 f96b f973 f978 f9b2 f9d1 f9d3 f9fd 20001 20064
  200e2 20121 2092a 20983 2098c 2099c 20aea 20afd 20b19 22390 22998 23b1b 2626d 2f890
`);

// Letters that became lower case, or ceased to be, since.
const laterLowercase = /[\u10fc\ua7f2-\ua7f4\uab69]/;
const formerLowercase = /\u0295/;

const any = (...tests) => ({ test: (c) => tests.some((re) => re.test(c)) });

const lowercase = { test: (c) => (/\p{Lowercase}/u.test(c) && !laterLowercase.test(c)) || formerLowercase.test(c) };

// The classes' bits, in order.
const classes = [
  /\p{L}/u,
  /\p{Nd}/u,
  any(/\p{Nd}/u, digitOnly),
  any(/\p{N}/u, numericLetters),
  /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u,
  /\p{Uppercase}/u,
  lowercase,
  /\p{Lt}/u,
  /[^\p{C}\p{Z}]|\x20/u,
];

export function classOf(point) {
  const c = String.fromCodePoint(point);
  return later.test(c) ? 0 : classes.reduce((bits, re, i) => bits | (re.test(c) ? 1 << i : 0), 0);
}

// mapped is a character's mapping, unless that leads to a later version.
const mapped = (c, to) => (later.test(c) || later.test(to) ? c : to);

const upper = (c) => mapped(c, c.toUpperCase());

const digraphs = { "Ǆ": "ǅ", "ǅ": "ǅ", "ǆ": "ǅ", "Ǉ": "ǈ", "ǈ": "ǈ", "ǉ": "ǈ", "Ǌ": "ǋ", "ǋ": "ǋ", "ǌ": "ǋ", "Ǳ": "ǲ", "ǲ": "ǲ", "ǳ": "ǲ" };

// title is the title case of a character: the upper case of which only the
// first letter stays large. The digraphs have one of their own, in Greek an
// iota goes below its letter, and Georgian has none.
function title(c) {
  if (digraphs[c]) return digraphs[c];
  if (/[\u10d0-\u10ff]/.test(c)) return c;
  const large = upper(c);
  if (c === "ŉ") return large;
  if (/[\u1f80-\u1fff]/.test(c) && /.Ι$/.test(large)) {
    const below = large.replace(/Ι$/, "\u0345");
    return below.length === 2 ? below.normalize("NFC") : below;
  }
  const [first, ...rest] = large;
  return first + rest.join("").toLowerCase();
}

const isCased = (c) => c !== undefined && !later.test(c) && (lowercase.test(c) || /[\p{Uppercase}\p{Lt}]/u.test(c));
// Of the marks that case ignores, one has since become a vowel that has width.
const isIgnored = (c) => c !== undefined && !later.test(c) && (c === "\u{1171e}" || /\p{Case_Ignorable}/u.test(c));

// lower is the lower case of the character at i: a sigma at the end of a word
// has a form of its own.
function lower(chars, i) {
  const c = chars[i];
  if (c !== "Σ") return mapped(c, c.toLowerCase());
  let before = i - 1;
  while (isIgnored(chars[before])) before--;
  let after = i + 1;
  while (isIgnored(chars[after])) after++;
  return isCased(chars[before]) && !isCased(chars[after]) ? "ς" : "σ";
}

// changeCase does what Python's upper, lower, title and capitalize do.
export function changeCase(mode, text) {
  const chars = [...text];
  switch (mode) {
    case 0:
      return chars.map(upper).join("");
    case 1:
      return chars.map((_, i) => lower(chars, i)).join("");
    case 2:
      return chars.map((c, i) => (isCased(chars[i - 1]) ? lower(chars, i) : title(c))).join("");
  }
  return chars.map((c, i) => (i === 0 ? title(c) : lower(chars, i))).join("");
}

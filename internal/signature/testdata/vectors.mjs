// Writes vectors.json: signed modules made without the package under test, with the
// SHA-256, HMAC and Ed25519 of node.
//
//   node vectors.mjs > vectors.json
//
// Each step is one of Signatures.md in WebAssembly/tool-conventions, whose sections
// are named beside it. That document leaves open, and wasmsign2 decides, that each
// set of hashes and each signature has its length before it, and what the identifier
// of a key is. No file that wasmsign2 itself has signed is among the vectors.
import { createHash, createHmac, createPrivateKey, createPublicKey, sign } from "node:crypto";

const header = Buffer.from("0061736d01000000", "hex");
const empty = Buffer.alloc(0);

function leb(n) {
  const out = [];
  for (; n > 0x7f; n >>>= 7) out.push((n & 0x7f) | 0x80);
  return Buffer.from([...out, n]);
}

const hex = (b) => b.toString("hex");
const sized = (b) => Buffer.concat([leb(b.length), b]);

function custom(name, content) {
  return Buffer.concat([Buffer.from([0]), sized(Buffer.concat([sized(Buffer.from(name)), content]))]);
}

const sha256 = (b) => createHash("sha256").update(b).digest();

// "Signature algorithms and key serialization" has the raw forms of keys, which are at
// the end of this file. keyOf gives the key of a seed that counts up from its first byte.
function keyOf(first) {
  const seed = Buffer.from(Array.from({ length: 32 }, (_, i) => first + i));
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const secret = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  const point = createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32);
  const id = createHmac("sha256", point).update("key_id").digest().subarray(0, 12);
  return { seed, secret, point, id };
}

// "Signature data": s = Sign(k, "wasmsig" ‖ spec_version ‖ content_type ‖ hash_fn ‖
// hashes), and the table of a signature; "Algorithms and identifiers" has the numbers.
function record(key, id, hashes) {
  const message = Buffer.concat([Buffer.from("wasmsig"), Buffer.from([1, 1, 1]), ...hashes]);
  return Buffer.concat([sized(id), Buffer.from([1]), sized(sign(null, message, key.secret))]);
}

// "Signature data", the table of signed_hashes.
function set(hashes, records) {
  return Buffer.concat([leb(hashes.length), ...hashes, leb(records.length), ...records.map(sized)]);
}

// "Signature data", the first table; the section that holds it is the first one of the
// module ("Custom sections").
const payload = (...sets) => Buffer.concat([Buffer.from([1, 1, 1]), leb(sets.length), ...sets.map(sized)]);

// One function type, and a custom section behind it.
const types = Buffer.from([1, 4, 1, 0x60, 0, 0]);
const note = custom("note", Buffer.from("a note"));

const a = keyOf(0);
const b = keyOf(32);
const two = Buffer.concat([types, note]);
const delimiter = custom("signature_delimiter", Buffer.from("0123456789abcdef"));
const cut = Buffer.concat([types, delimiter, note, delimiter]);
// "Signature data": h2 = H(p1‖d1‖p2‖d2), one hash after the other.
const cutHashes = [sha256(Buffer.concat([types, delimiter])), sha256(cut)];
const open = Buffer.concat([types, delimiter, note]);
const openHashes = [sha256(Buffer.concat([types, delimiter])), sha256(open)];

// "Appendix A. Examples": three parts, and two signatures of the same hashes with the
// identifiers "first" and "second".
const debug = custom(".debug_info", Buffer.from("lines"));
const producers = custom("producers", empty);
const three = [[types, delimiter], [debug, delimiter], [producers, delimiter]].map((part) => Buffer.concat(part));
const threeHashes = three.map((_, i) => sha256(Buffer.concat(three.slice(0, i + 1))));
const first = Buffer.from("first");
const second = Buffer.from("second");

const cases = [
  ["an empty module, without an identifier", empty, ["a"], payload(set([sha256(empty)], [record(a, empty, [sha256(empty)])])), [empty]],
  ["one signer", two, ["a"], payload(set([sha256(two)], [record(a, a.id, [sha256(two)])]))],
  ["two signers", two, ["a", "b"], payload(set([sha256(two)], [record(a, a.id, [sha256(two)]), record(b, b.id, [sha256(two)])]))],
  ["two parts, both delimited", cut, ["b"], payload(set(cutHashes, [record(b, b.id, cutHashes)]))],
  ["two parts, the last one open", open, ["a"], payload(set(openHashes, [record(a, a.id, openHashes)]))],
  ["appendix A, one signature", Buffer.concat(three), ["a"], payload(set(threeHashes, [record(a, empty, threeHashes)])), [empty]],
  ["appendix A, two signatures with identifiers", Buffer.concat(three), ["a", "b"], payload(set(threeHashes, [record(a, first, threeHashes), record(b, second, threeHashes)])), [first, second]],
];

console.log(JSON.stringify({
  keys: Object.fromEntries([["a", a], ["b", b]].map(([name, k]) => [name, {
    seed: hex(k.seed), id: hex(k.id),
    raw_private: "81" + hex(k.seed) + hex(k.point), raw_public: "01" + hex(k.point),
  }])),
  modules: cases.map(([name, sections, signers, bytes, ids]) => ({
    name, signers, ids: ids?.map(hex),
    module: hex(Buffer.concat([header, sections])),
    signature: hex(bytes),
    signed: hex(Buffer.concat([header, custom("signature", bytes), sections])),
  })),
}, null, 2));

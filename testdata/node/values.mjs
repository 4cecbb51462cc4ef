// Values in guest memory: the layout of runtime/abi, written and read.
import { float, quote } from "./json.mjs";

const NULL = 1;
const BOOL = 2;
const INT = 3;
const FLOAT = 4;
const TEXT = 5;
const LIST = 6;
const DICT = 7;
const CONNECTOR = 8;
const KIND_MASK = 0x0f;
const ASCII = 0x10;

export const CELL = 16;
const ENTRY = 32;
const PAGE = 65536;

// Memory is a guest's memory. Its top is where the next value is built.
export class Memory {
  constructor(memory, top) {
    this.memory = memory;
    this.top = top;
    if (top > this.size) memory.grow(Math.ceil((top - this.size) / PAGE));
  }

  get view() {
    return new DataView(this.memory.buffer);
  }

  get size() {
    return this.memory.buffer.byteLength;
  }

  u32(p) {
    return this.view.getUint32(p, true);
  }

  put32(p, v) {
    this.view.setUint32(p, v, true);
  }

  put64(p, v) {
    this.view.setBigUint64(p, BigInt.asUintN(64, v), true);
  }

  // reserve grows the memory as the host does: to twice its size at least.
  reserve(end) {
    if (end > this.size) this.memory.grow(Math.ceil(Math.max(end, 2 * this.size) / PAGE) - this.size / PAGE);
  }

  align(n) {
    this.top = Math.ceil(this.top / n) * n;
    this.reserve(this.top);
    return this.top;
  }

  alloc(n) {
    const p = this.align(8);
    this.top += n;
    this.reserve(this.top);
    return p;
  }

  putCell(p, { tag, payload }) {
    this.put32(p, tag);
    this.put64(p + 8, payload);
  }

  cell(p) {
    return { tag: this.u32(p), payload: this.view.getBigUint64(p + 8, true) };
  }

  // build makes a value of what json.mjs parses to.
  build(v) {
    if (v === null) return { tag: NULL, payload: 0n };
    switch (typeof v) {
      case "boolean":
        return { tag: BOOL, payload: v ? 1n : 0n };
      case "bigint":
        return { tag: INT, payload: v };
      case "number":
        return { tag: FLOAT, payload: floatBits(v) };
      case "string":
        return this.text(v);
    }
    if (Array.isArray(v)) return this.list(v.map((item) => this.build(item)));
    return this.dict([...v].map(([key, item]) => [this.text(key), this.build(item)]));
  }

  text(s) {
    const encoded = new TextEncoder().encode(s);
    const p = this.alloc(encoded.length);
    new Uint8Array(this.memory.buffer).set(encoded, p);
    const flag = encoded.every((b) => b < 0x80) ? ASCII : 0;
    return { tag: TEXT | flag, payload: BigInt(p) | (BigInt(encoded.length) << 32n) };
  }

  list(cells) {
    const p = this.alloc(CELL + CELL * cells.length);
    [cells.length, cells.length, p + CELL].forEach((v, i) => this.put32(p + 4 * i, v));
    cells.forEach((c, i) => this.putCell(p + CELL + CELL * i, c));
    return { tag: LIST, payload: BigInt(p) };
  }

  dict(entries) {
    const p = this.alloc(ENTRY + ENTRY * entries.length);
    [entries.length, entries.length, entries.length, p + ENTRY].forEach((v, i) => this.put32(p + 4 * i, v));
    entries.forEach(([key, value], i) => {
      this.putCell(p + ENTRY + ENTRY * i, key);
      this.putCell(p + ENTRY + ENTRY * i + CELL, value);
    });
    return { tag: DICT, payload: BigInt(p) };
  }

  string({ payload }) {
    const offset = Number(payload & 0xffffffffn);
    const bytes = new Uint8Array(this.memory.buffer, offset, Number(payload >> 32n));
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes);
  }

  // json writes a value as the server does.
  json(cell) {
    const p = Number(cell.payload & 0xffffffffn);
    switch (cell.tag & KIND_MASK) {
      case NULL:
      case CONNECTOR:
        return "null";
      case BOOL:
        return String(cell.payload !== 0n);
      case INT:
        return String(BigInt.asIntN(64, cell.payload));
      case FLOAT: {
        const f = floatOf(cell.payload);
        return Number.isFinite(f) ? float(f) : "null";
      }
      case TEXT:
        return quote(this.string(cell));
      case LIST:
        return `[${this.items(cell).map((item) => this.json(item))}]`;
      case DICT:
        return `{${this.members(p)}}`;
    }
    throw new Error(`no value: tag ${cell.tag}`);
  }

  // items gives the cells of a list.
  items({ payload }) {
    const p = Number(payload & 0xffffffffn);
    return range(this.u32(p)).map((i) => this.cell(this.u32(p + 8) + CELL * i));
  }

  members(p) {
    const entries = range(this.u32(p + 4)).map((i) => this.u32(p + 12) + ENTRY * i);
    const live = entries.filter((e) => this.u32(e) !== 0);
    return live.map((e) => `${this.key(this.cell(e))}:${this.json(this.cell(e + CELL))}`);
  }

  // key writes a key, which JSON knows only as text.
  key(cell) {
    if ((cell.tag & KIND_MASK) === TEXT) return this.json(cell);
    if ((cell.tag & KIND_MASK) !== FLOAT) return `"${this.json(cell)}"`;
    const f = floatOf(cell.payload);
    return `"${Number.isFinite(f) ? float(f) : f}"`;
  }
}

const range = (n) => Array.from({ length: n }, (_, i) => i);

const scratch = new DataView(new ArrayBuffer(8));

function floatBits(f) {
  scratch.setFloat64(0, f);
  return scratch.getBigUint64(0);
}

function floatOf(bits) {
  scratch.setBigUint64(0, bits);
  return scratch.getFloat64(0);
}

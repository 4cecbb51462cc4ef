// A host for compiled scripts, by the contract in runtime/abi: all that it
// takes to run a module of `avap build` outside of avap.
import { parse } from "./json.mjs";
import { libraryImports } from "./library.mjs";
import { CELL, Memory } from "./values.mjs";

const HEAP_TOP = 1024;
const HEAP_END = 1028;
const STACK_BASE = 1032;
const STACK_LIMIT = 1036;
const HALT = 1052;
const SITE = 1040;
const ERROR_CODE = 1044;
const ERROR_FRAME = 1048;
const HASH_SEED = 1056;
const ERROR_SITE = 1068;
const ERROR_A = 1072;
const ERROR_B = 1088;
const ERROR_DETAIL = 1220;
const CALL_ARGS = 1280;
const ERR_COMMAND = 3;
const RESULTS = 1104;
const LOGS = 1120;
const QUERY = 1136;
const BODY = 1152;
const FORM = 1168;
const MESSAGE = 1200;
const LAST_ERROR = 1216;
const FRAME = 1224;
const SCRIPT_BASE = 16384;

const SCRIPT_SLICE = 100_000n;
const LIBRARY_SLICE = 10_000n;
const OUT_OF_FUEL = "AVAP4001";
// ENTRY_SITE is that of the top level as a whole.
const ENTRY_SITE = 1;

// What the log's entries are, by their first item.
const LOG_PRINT = 0n;
const LOG_DONE = 2n;

// The code of the diagnostic for each kind of error.
const codes = [
  ...[3001, 3010, 3002, 3003, 3004, 3008, 3006, 3006, 3006, 3005, 3009, 3006, 3006, 3006, 3006, 3006],
  ...[3007, 3007, 3007, 3007, 3007, 3007, 3007, 3007, 3006, 3006, 3011],
].map((n) => `AVAP${n}`);

// The host charges for what it reads of a command's arguments.
const BYTES_PER_UNIT = 16;

// What a guest ends itself for before it traps, with the code of the diagnostic.
const halts = { 1: ["out of memory", "AVAP4003"], 2: ["recursion too deep", "AVAP4004"] };

// Stopped ends a run that is out of fuel. The site is where that was found out,
// or 0 for wherever the script is.
class Stopped extends Error {
  constructor(site) {
    super("Script Execution Timeout");
    this.site = site;
  }
}

// Meter hands out fuel in slices. What was used is what was granted less what
// the modules still have.
class Meter {
  constructor(limit) {
    this.limit = limit;
    this.granted = 0n;
  }

  start(script, library) {
    this.cells = { script, library };
    script.value = this.grant(SCRIPT_SLICE);
    library.value = this.grant(LIBRARY_SLICE);
  }

  // enter charges for the top level as such.
  enter(units) {
    const cell = this.cells.script;
    cell.value -= units;
    if (cell.value < 0n) cell.value += this.refuel(cell, this.cells.library, SCRIPT_SLICE, ENTRY_SITE);
  }

  grant(want) {
    const rest = this.limit - this.granted;
    const units = want < rest ? want : rest;
    this.granted += units;
    return units;
  }

  refuel(cell, other, slice, site) {
    const need = cell.value < 0n ? -cell.value : 1n;
    if (this.limit - this.granted < need && other.value > 0n) {
      this.granted -= other.value;
      other.value = 0n;
    }
    if (this.limit - this.granted < need) throw new Stopped(site);
    return this.grant(slice > need ? slice : need);
  }

  // spend takes fuel for work on the host's side.
  spend(units) {
    if (this.limit - this.granted < units) {
      for (const cell of Object.values(this.cells)) {
        if (cell.value <= 0n) continue;
        this.granted -= cell.value;
        cell.value = 0n;
      }
    }
    const enough = this.limit - this.granted >= units;
    this.granted = enough ? this.granted + units : this.limit;
    if (!enough) throw new Stopped(0);
  }

  imports() {
    return {
      script: (site) => this.refuel(this.cells.script, this.cells.library, SCRIPT_SLICE, site),
      library: (site) => this.refuel(this.cells.library, this.cells.script, LIBRARY_SLICE, site),
    };
  }

  get used() {
    const used = this.granted - this.cells.script.value - this.cells.library.value;
    return used < this.limit ? used : this.limit;
  }
}

// prepare fills the control block and builds the request's inputs behind the
// call stack.
function prepare(guest, manifest, request) {
  guest.put32(STACK_BASE, stackBase(manifest));
  guest.put32(STACK_LIMIT, guest.top);
  guest.put32(FRAME, stackBase(manifest));
  guest.put64(HASH_SEED, BigInt(request.hashSeed));
  const globalCell = (name) => SCRIPT_BASE + CELL * manifest.globals.indexOf(name);
  for (const [name, value] of parse(request.variables || "{}")) {
    if (manifest.globals.includes(name)) {
      guest.text(name);
      guest.putCell(globalCell(name), guest.build(value));
    }
  }
  if (manifest.needs.body) {
    const body = parse(request.body || "{}");
    body.delete("script");
    body.delete("variables");
    guest.putCell(BODY, guest.build(body));
  }
  if (manifest.needs.query) guest.putCell(QUERY, guest.build(request.query ?? []));
  if (manifest.needs.form) guest.putCell(FORM, guest.build(request.form ?? []));
  guest.putCell(RESULTS, guest.build(new Map()));
  guest.putCell(LOGS, guest.build([]));
  guest.put32(HEAP_TOP, guest.align(16));
  guest.put32(HEAP_END, guest.size);
  if (manifest.globals.includes("__last_error__")) guest.put32(LAST_ERROR, globalCell("__last_error__"));
}

const stackBase = (manifest) => Math.ceil(manifest.data_end / 16) * 16;

export function manifestOf(module) {
  const [section] = WebAssembly.Module.customSections(module, "avap");
  const manifest = JSON.parse(new TextDecoder().decode(section));
  return { ...manifest, globals: manifest.globals ?? [] };
}

// notRegistered is the answer to every call of a registered command: here are
// none. The name is read to find that out.
function notRegistered(guest, meter) {
  const nameBytes = guest.cell(CALL_ARGS).payload >> 32n;
  meter.spend(BigInt(CELL / BYTES_PER_UNIT) + nameBytes / BigInt(BYTES_PER_UNIT));
  const view = guest.view;
  for (let i = 0; i < CELL; i += 4) {
    view.setUint32(ERROR_A + i, view.getUint32(CALL_ARGS + i, true), true);
    view.setUint32(ERROR_B + i, 0, true);
  }
  guest.put32(ERROR_CODE, ERR_COMMAND);
  guest.put32(ERROR_DETAIL, 0);
  guest.put32(ERROR_SITE, guest.u32(SITE));
  guest.put32(ERROR_FRAME, 0);
  return -1;
}

// logs writes the log as the server does, without times.
function logs(guest, sites) {
  return `[${guest.items(guest.cell(LOGS)).map((entry) => logEntry(guest, sites, guest.items(entry)))}]`;
}

function logEntry(guest, sites, [kind, site, ...rest]) {
  const [, line, , , command] = sites[Number(site.payload)];
  const text = rest.length > 0 ? guest.json(rest[rest.length - 1]) : "";
  if (kind.payload === LOG_PRINT) return `{"command":"print","line":${line},"message":${text}}`;
  const start = `{"command":${JSON.stringify(command)},"line":${line},"success":`;
  return kind.payload === LOG_DONE ? `${start}true}` : `${start}false,"error":${text}}`;
}

// run executes a script once. The outcome has the used fuel, the log and either
// the result as JSON, or message and code of an error and where it arose. A halt or a
// trap leaves V8's own error behind, whose stack a source map can explain.
export function run(library, script, request) {
  const manifest = manifestOf(script);
  const meter = new Meter(BigInt(request.fuel));
  const refuel = meter.imports();
  let memory, guest;
  const pure = libraryImports(() => memory);
  const instantiate = (module, imports) => new WebAssembly.Instance(module, imports).exports;
  const makeRoom = (exported) => {
    memory = exported;
    guest = new Memory(memory, stackBase(manifest) + 4 * (request.callDepth + 1));
  };
  const host = {
    refuel: refuel.script,
    clock: () => performance.now(),
    registered: () => notRegistered(guest, meter),
  };
  let exports, libraryFuel;
  if (WebAssembly.Module.imports(script).some(({ module }) => module === "rt")) {
    const rt = instantiate(library, { avap: { ...pure, refuel: refuel.library } });
    // The script's data is copied in when it is instantiated, and needs room.
    makeRoom(rt.memory);
    exports = instantiate(script, { rt, avap: host });
    libraryFuel = rt.fuel;
  } else {
    exports = instantiate(script, { avap: { ...pure, ...host, library_refuel: refuel.library } });
    makeRoom(exports.memory);
    libraryFuel = exports.library_fuel;
  }
  meter.start(exports.fuel, libraryFuel);
  prepare(guest, manifest, request);
  const outcome = {};
  try {
    meter.enter(BigInt(manifest.entry_fuel ?? 0));
    if (exports.run() === 0) {
      outcome.result = guest.json(guest.cell(RESULTS));
    } else {
      outcome.message = guest.string(guest.cell(MESSAGE));
      outcome.code = codes[guest.u32(ERROR_CODE)];
      outcome.position = manifest.sites[guest.u32(ERROR_SITE)].slice(1, 3);
    }
    outcome.logs = logs(guest, manifest.sites);
  } catch (e) {
    const halt = e instanceof Stopped ? [e.message, OUT_OF_FUEL] : halts[guest.u32(HALT)];
    [outcome.message, outcome.code] = halt ?? [e.message];
    if (halt) outcome.position = manifest.sites[e.site || guest.u32(SITE)].slice(1, 3);
    outcome.cause = e;
  }
  outcome.fuel = String(meter.used);
  return outcome;
}

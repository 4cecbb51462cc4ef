// Runs compiled scripts in V8.
//
//   node run.mjs rt.wasm < requests > outcomes     a list of requests, as JSON
//   node run.mjs rt.wasm script.wasm [variables]   one script, its result
import { readFileSync } from "node:fs";
import { run } from "./script.mjs";
import { explain } from "./sourcemap.mjs";

Error.stackTraceLimit = 50;

const defaults = { fuel: 50_000_000, callDepth: 1000, hashSeed: 0 };
const [libraryFile, scriptFile, variables] = process.argv.slice(2);
const library = new WebAssembly.Module(readFileSync(libraryFile));

if (scriptFile === undefined) {
  const { modules, requests } = JSON.parse(readFileSync(0, "utf8"));
  const scripts = modules.map((m) => new WebAssembly.Module(Buffer.from(m.wasm, "base64")));
  const outcomes = requests.map((request) => {
    const outcome = run(library, scripts[request.module], { ...defaults, ...request });
    const map = modules[request.module].map;
    if (outcome.cause && map) outcome.stack = explain(outcome.cause, JSON.parse(map));
    return outcome;
  });
  process.stdout.write(JSON.stringify(outcomes));
} else {
  const script = new WebAssembly.Module(readFileSync(scriptFile));
  const outcome = run(library, script, { ...defaults, variables });
  console.log(outcome.result ?? outcome.message);
  process.exitCode = outcome.result === undefined ? 1 : 0;
}

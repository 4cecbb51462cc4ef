// Reads source maps, version 3, of WebAssembly modules: they have one line, and
// its columns are offsets in the file, which is how V8 gives places too.

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function numbers(segment) {
  const out = [];
  let value = 0;
  let shift = 0;
  for (const c of segment) {
    const digit = digits.indexOf(c);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit < 32) {
      out.push(value & 1 ? -(value >> 1) : value >> 1);
      value = shift = 0;
    }
  }
  return out;
}

// segments gives [offset, place] in the order of the offsets; code without a
// source has no place.
function segments(map) {
  const at = [0, 0, 0, 0];
  return map.mappings.split(",").map((segment) => {
    const deltas = numbers(segment);
    deltas.forEach((delta, i) => (at[i] += delta));
    const [offset, source, line, column] = at;
    return [offset, deltas.length > 1 ? `${map.sources[source]}:${line + 1}:${column + 1}` : undefined];
  });
}

// explain gives the frames of an error's stack as "function place", the
// innermost first. Frames of other modules have no place.
export function explain(error, map) {
  const table = segments(map);
  const frames = [...error.stack.matchAll(/at (?:(\S+) \()?wasm:\/\/wasm\/(\S+?):wasm-function\[\d+\]:0x([0-9a-f]+)/g)];
  const script = frames.at(-1)?.[2]; // the module whose run was called
  return frames.map(([, name, module, offset]) => {
    const place = module === script ? table.findLast(([start]) => start <= parseInt(offset, 16))?.[1] : undefined;
    return [name, place].filter(Boolean).join(" ");
  });
}

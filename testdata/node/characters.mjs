// Prints what unicode.mjs knows of every character, but for the planes that are
// empty or private, a line each: its class, its
// upper, lower and title case, and what a sigma beside it becomes.
import { changeCase, classOf } from "./unicode.mjs";

const lines = [];
for (let point = 0; point < 0xe1000; point++) {
  if (point === 0xd800) point = 0xe000; // surrogates are no characters
  if (point === 0x34000) point = 0xe0000;
  const c = String.fromCodePoint(point);
  const texts = [changeCase(0, c), changeCase(1, c), changeCase(2, c), changeCase(1, `${c}Σ`), changeCase(1, `AΣ${c}`), changeCase(1, `A${c}Σ`)];
  lines.push([point, classOf(point), ...texts.map((text) => Buffer.from(text).toString("hex"))].join(" "));
}
process.stdout.write(lines.join("\n"));

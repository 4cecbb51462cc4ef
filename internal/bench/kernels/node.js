// What Node reads after kernels.js: a line of input names a kernel; the answer
// is its result and the nanoseconds it took.
require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (name) => {
    const began = process.hrtime.bigint();
    const answer = KERNELS[name]();
    const took = process.hrtime.bigint() - began;
    process.stdout.write(`${answer} ${took}\n`);
  });

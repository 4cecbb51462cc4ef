;; Traps, which is the module's failure and not the server's.
;; want: AVAP3001 the module failed: wasm error: unreachable
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32) unreachable))

;; Fills beyond the end of memory, with fuel enough for that.
;; fuel: 4000000000000
;; want: AVAP3001 the module failed: wasm error: out of bounds memory access
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (memory.fill (i32.const 0) (i32.const 0) (i32.const -1))
    (i32.const 0)))

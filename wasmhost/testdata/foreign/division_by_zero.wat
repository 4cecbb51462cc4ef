;; Divides by zero.
;; want: AVAP3001 the module failed: wasm error: integer divide by zero
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32) (i32.div_u (i32.const 1) (i32.const 0))))

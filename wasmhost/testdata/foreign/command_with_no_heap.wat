;; Calls a command after it has moved the end of the heap below its start.
;; want: AVAP3001 the module failed: guest memory is corrupt
(module
  (import "avap" "registered" (func $registered (param i32) (result i32)))
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (i32.store (i32.const 1024) (i32.const 8))
    (drop (call $registered (i32.const 2)))
    (i32.const 0)))

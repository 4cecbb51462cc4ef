;; Calls a command with more arguments than there is room for.
;; want: AVAP3001 the module failed: guest memory is corrupt
(module
  (import "avap" "registered" (func $registered (param i32) (result i32)))
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (drop (call $registered (i32.const -1)))
    (i32.const 0)))

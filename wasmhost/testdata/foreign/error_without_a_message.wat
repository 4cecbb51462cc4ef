;; Says that it failed, and has no text for a message.
;; want: AVAP3001 the module failed: message of an error
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (i32.store (i32.const 1200) (i32.const 5))
    (i64.store (i32.const 1208) (i64.const -1))
    (i32.const 1)))

;; A text whose length goes beyond memory.
;; want: AVAP3001 the module failed: guest memory is corrupt
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (i32.store (i32.const 1104) (i32.const 5))
    (i64.store (i32.const 1112) (i64.const 0xffffffff00010000))
    (i32.const 0)))

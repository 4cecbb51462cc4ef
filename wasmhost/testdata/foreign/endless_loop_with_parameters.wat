;; A loop that takes values from the stack, which cannot be left on the way.
;; want: AVAP4001
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (i32.const 1)
    (loop (param i32) (result i32) (br 0))))

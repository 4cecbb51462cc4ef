;; A loop without a call and without an end.
;; want: AVAP4001
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (loop (br 0))
    (i32.const 0)))

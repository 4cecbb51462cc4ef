;; Says that the depth of calls halted it, which harms nobody but itself.
;; want: AVAP4004
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (i32.store (i32.const 1052) (i32.const 2))
    unreachable))

;; The work is in the start function, which would run before there is fuel.
;; want: AVAP4001
(module
  (import "rt" "memory" (memory 1))
  (func $start (loop (br 0)))
  (start $start)
  (func (export "run") (result i32) (i32.const 0)))

;; A function that calls itself.
;; want: AVAP4004
(module
  (import "rt" "memory" (memory 1))
  (func $run (export "run") (result i32) (call $run)))

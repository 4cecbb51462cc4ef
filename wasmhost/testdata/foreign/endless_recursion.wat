;; A function that calls itself.
;; want: AVAP4004
(module
  (import "rt" "memory" (memory 2))
  (func $run (export "run") (result i32) (call $run)))

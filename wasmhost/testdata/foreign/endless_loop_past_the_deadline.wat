;; The same with more fuel than time.
;; fuel: 4000000000000000000
;; time_ms: 50
;; want: AVAP4002
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (loop (br 0))
    (i32.const 0)))

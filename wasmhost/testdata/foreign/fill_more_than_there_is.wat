;; Fills 4 GiB, over and over, to overflow the counter.
;; fuel: 1000000
;; want: AVAP4001
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (loop
      (memory.fill (i32.const 0) (i32.const 0) (i32.const -1))
      (br 0))
    (i32.const 0)))

;; Grows a table, which no memory limit covers, beyond its maximum.
;; want: AVAP4001
(module
  (import "rt" "memory" (memory 1))
  (table $t 1 100 funcref)
  (func (export "run") (result i32)
    (loop (drop (table.grow $t (ref.null func) (i32.const 1000000))) (br 0))
    (i32.const 0)))

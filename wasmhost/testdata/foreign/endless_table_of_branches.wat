;; A loop whose only way round is a table of branches.
;; want: AVAP4001
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (loop
      (block (block (block (br_table 3 3 3 3 3 3 (i32.const 2))))))
    (i32.const 0)))

;; Wants a number of pages whose price is beyond any budget.
;; want: AVAP4001
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (drop (memory.grow (i32.const -1)))
    (i32.const 0)))

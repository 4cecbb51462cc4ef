;; Gives a result that the contract does not have.
;; want: AVAP3001 the module failed: run gave 7
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32) (i32.const 7)))

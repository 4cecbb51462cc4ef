;; Two functions that call each other by way of a table.
;; want: AVAP4004
(module
  (type $entry (func (result i32)))
  (import "rt" "memory" (memory 1))
  (table 2 2 funcref)
  (elem (i32.const 0) $run $other)
  (func $run (export "run") (result i32) (call_indirect (type $entry) (i32.const 1)))
  (func $other (result i32) (call_indirect (type $entry) (i32.const 0))))

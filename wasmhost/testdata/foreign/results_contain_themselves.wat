;; The dict of results is its own only value.
;; want: AVAP3007 a result contains itself
(module
  (import "rt" "memory" (memory 1))
  (data (i32.const 16400)
    "\01\00\00\00\01\00\00\00\01\00\00\00\40\40\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\05\00\00\00\00\00\00\00\00\40\00\00\01\00\00\00"
    "\07\00\00\00\00\00\00\00\10\40\00\00\00\00\00\00")
  (func (export "run") (result i32)
    (i32.store8 (i32.const 16384) (i32.const 120))
    (i32.store (i32.const 1104) (i32.const 7))
    (i64.store (i32.const 1112) (i64.const 16400))
    (i32.const 0)))

;; Does what the contract is for: publishes a result by way of the library.
;; want: ok {"x":"42"}
(module
  (import "rt" "AddResult" (func $publish (param i32 i64 i32 i64) (result i32)))
  (import "rt" "Str" (func $str (param i32 i64) (result i32 i64)))
  (import "rt" "memory" (memory 1))
  (data (i32.const 16400) "x")
  (func (export "run") (result i32)
    (call $publish
      (i32.const 0x15) (i64.const 0x100004010)
      (call $str (i32.const 3) (i64.const 42)))))

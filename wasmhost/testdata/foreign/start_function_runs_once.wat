;; The start function runs, once, before run does.
;; want: ok
(module
  (import "rt" "memory" (memory 1))
  (global $times (mut i32) (i32.const 0))
  (func $start (global.set $times (i32.add (global.get $times) (i32.const 1))))
  (start $start)
  (func (export "run") (result i32) (i32.ne (global.get $times) (i32.const 1))))

;; Asks for all the memory there could be, and is refused as a module is: by -1.
;; want: ok
(module
  (import "rt" "memory" (memory 1))
  (func (export "run") (result i32)
    (i32.ne (memory.grow (i32.const 65)) (i32.const -1))))

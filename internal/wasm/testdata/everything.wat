(module $everything
  (type (;0;) (func (param i32)))
  (type (;1;) (func (param i32) (result i32)))
  (type (;2;) (func (param i32 f64) (result i32 i64)))
  (type (;3;) (func))
  (type (;4;) (func (result i32 i64)))
  (import "env" "log" (func $log (type 0)))
  (func $double (type 1) (param i32) (result i32)
    local.get 0
    i32.const 1
    i32.shl
  )
  (func $square (type 1) (param i32) (result i32)
    local.get 0
    local.get 0
    i32.mul
  )
  (func $main__all_ (type 2) (param i32) (param f64) (result i32 i64)
    (local $sum i64)
    (local f64)
    block
      loop
        local.get 0
        i32.eqz
        br_if 1
        local.get $sum
        i64.const -9223372036854775808
        i64.add
        local.set $sum
        local.get 0
        i32.const -1
        i32.add
        local.tee 0
        br_table 1 0 1
      end
    end
    local.get 0
    if (type 4) (result i32 i64)
      i32.const 3
      i64.const 4
    else
      i32.const 5
      i64.const 6
    end
    local.set $sum
    local.set 0
    i32.const 8
    local.get 1
    f64.store offset=1024
    i32.const 0
    i32.load8_u
    memory.grow
    drop
    memory.size
    drop
    i32.const 0
    i32.const 16
    i32.const 4
    memory.copy
    i32.const 0
    i32.const 255
    i32.const 4
    memory.fill
    i32.const 4
    i64.load offset=4 align=1
    drop
    local.get 0
    call $log
    global.get 0
    f64.const -inf
    i64.trunc_sat_f64_s
    i64.add
    global.set 0
    f64.const inf
    drop
    f64.const nan:0x8000000000001
    drop
    f64.const -0
    drop
    f64.const 1e+300
    drop
    f64.const 0.1
    drop
    local.get 0
    i32.const 1
    call_indirect 0 (type 1)
    local.get $sum
  )
  (func $start (type 3)
  )
  (table (;0;) 2 funcref)
  (memory (;0;) 1 4)
  (global (;0;) (mut i64) (i64.const 7))
  (global (;1;) (mut f64) (f64.const 0.5))
  (global (;2;) i32 (i32.const -1))
  (export "main" (func $main__all_))
  (export "main \"quoted\"" (func $main__all_))
  (export "memory" (memory 0))
  (export "counter" (global 0))
  (start $start)
  (elem (;0;) (i32.const 0) func $double $square)
  (data (;0;) (i32.const 16) "hello \"wasm\"\00\ff")
  ;; custom section "first", 2 bytes
  ;; custom section "name", 66 bytes
  ;; custom section "avap", 2 bytes
)

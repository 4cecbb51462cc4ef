(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (result i32 i64)))
  (type (;2;) (func))
  (type (;3;) (func (param i32) (result i64)))
  (import "env" "f" (func (;0;) (type 0)))
  (import "avap" "refuel" (func (;1;) (type 3)))
  (func (;2;) (type 0) (param i32) (result i32)
    (local i64)
    global.get 1
    i64.const 4
    i64.sub
    local.tee 1
    global.set 1
    local.get 1
    i64.const 0
    i64.lt_s
    if
      call 6
    end
    block
      block
        loop
          block
            loop
              global.get 1
              i64.const 4
              i64.sub
              local.tee 1
              global.set 1
              local.get 1
              i64.const 0
              i64.lt_s
              br_if 1
              local.get 0
              i32.eqz
              br_if 4
              global.get 1
              i64.const 5
              i64.sub
              global.set 1
              local.get 0
              i32.const 1
              i32.sub
              local.set 0
              br 0
            end
            br 2
          end
          global.get 1
          i64.const 4
          i64.add
          global.set 1
          call 6
          br 0
        end
      end
    end
    global.get 1
    i64.const 11
    i64.sub
    global.set 1
    global.get 0
    local.get 0
    i32.div_u
    return
  )
  (func (;3;) (type 1) (result i32 i64)
    (local i64)
    global.get 2
    i32.const 1
    i32.sub
    global.set 2
    global.get 2
    i32.const 0
    i32.lt_s
    if
      unreachable
    end
    global.get 1
    i64.const 15
    i64.sub
    local.tee 0
    global.set 1
    local.get 0
    i64.const 0
    i64.lt_s
    if
      call 6
    end
    block (type 1) (result i32 i64)
      i32.const 1
      i32.const 5
      call_indirect 0 (type 0)
      if
        global.get 1
        i64.const 3
        i64.sub
        global.set 1
        i32.const 1
        i64.const 2
        br 1
      end
      global.get 1
      i64.const 85
      i64.sub
      global.set 1
      i32.const 0
      i32.const 0
      i32.const 64
      call 7
      memory.fill
      i32.const 1
      call 8
      memory.grow
      i64.const 0
    end
    global.get 2
    i32.const 1
    i32.add
    global.set 2
  )
  (func (;4;) (type 2)
    (local i64)
    global.get 2
    i32.const 1
    i32.sub
    global.set 2
    global.get 2
    i32.const 0
    i32.lt_s
    if
      unreachable
    end
    global.get 1
    i64.const 8
    i64.sub
    local.tee 0
    global.set 1
    local.get 0
    i64.const 0
    i64.lt_s
    if
      call 6
    end
    block
      call 4
    end
    global.get 2
    i32.const 1
    i32.add
    global.set 2
  )
  (func (;5;) (type 2)
    (local i64)
    global.get 1
    i64.const 4
    i64.sub
    local.tee 0
    global.set 1
    local.get 0
    i64.const 0
    i64.lt_s
    if
      call 6
    end
  )
  (func (;6;) (type 2)
    loop
      global.get 1
      i32.const 0
      call 1
      i64.add
      global.set 1
      global.get 1
      i64.const 0
      i64.lt_s
      br_if 0
    end
  )
  (func (;7;) (type 0) (param i32) (result i32)
    (local i64)
    global.get 1
    local.get 0
    i64.extend_i32_u
    i64.const 4
    i64.shr_u
    i64.sub
    local.tee 1
    global.set 1
    local.get 1
    i64.const 0
    i64.lt_s
    if
      call 6
    end
    local.get 0
  )
  (func (;8;) (type 0) (param i32) (result i32)
    (local i64)
    global.get 1
    local.get 0
    i64.extend_i32_u
    i64.const 12
    i64.shl
    i64.sub
    local.tee 1
    global.set 1
    local.get 1
    i64.const 0
    i64.lt_s
    if
      call 6
    end
    local.get 0
  )
  (table (;0;) 2 funcref)
  (memory (;0;) 1 2)
  (global (;0;) (mut i32) (i32.const 3))
  (global (;1;) (mut i64) (i64.const 0))
  (global (;2;) (mut i32) (i32.const 2000))
  (export "leaf" (func 2))
  (export "two" (func 3))
  (export "endless" (func 4))
  (export "memory" (memory 0))
  (export "avap fuel" (global 1))
  (export "avap depth" (global 2))
  (export "avap start" (func 5))
  (elem (;0;) (i32.const 0) func 0)
)

;; Calls itself so deep before anybody has called it; its stack is the engine's and not its own memory.
(component
  (core module $deep
    (func $down (param $left i32) (result i32)
      (if (result i32) (local.get $left)
        (then (i32.add (i32.const 1) (call $down (i32.sub (local.get $left) (i32.const 1)))))
        (else (i32.const 0))))
    (func $start (drop (call $down (i32.const COUNT))))
    (start $start))
  (core instance (instantiate $deep))
)

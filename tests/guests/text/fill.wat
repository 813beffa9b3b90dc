;; Fills its memory with single instructions that take long and have no place inside where they could be stopped.
(component
  (core module $filling
    (memory 256)
    (func $start (local $left i32)
      (local.set $left (i32.const COUNT))
      (loop $again
        (memory.fill (i32.const 0) (local.get $left) (i32.const 16777216))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left))))
    (start $start))
  (core instance (instantiate $filling))
)

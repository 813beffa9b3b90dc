;; A memory beside the usual one, which grows page by page once it runs and breaks off where it is not allowed to.
(component
  (core module $growing
    (memory 0)
    (func $start (local $left i32)
      (local.set $left (i32.const COUNT))
      (loop $again
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left))))
    (start $start))
  (core instance (instantiate $growing))
)

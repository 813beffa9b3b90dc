;; A table that grows entry by entry once it runs, and breaks off where it is not allowed to.
(component
  (core module $growing
    (table $table 0 funcref)
    (func $start (local $left i32)
      (local.set $left (i32.const COUNT))
      (loop $again
        (if (i32.eq (table.grow $table (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left))))
    (start $start))
  (core instance (instantiate $growing))
)

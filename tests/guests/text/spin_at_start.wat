;; Computes before anybody has called it.
(component
  (core module $spinning
    (func $start (local $left i64)
      (local.set $left (i64.const COUNT))
      (loop $again
        (local.set $left (i64.sub (local.get $left) (i64.const 1)))
        (br_if $again (i64.ne (local.get $left) (i64.const 0)))))
    (start $start))
  (core instance (instantiate $spinning))
)

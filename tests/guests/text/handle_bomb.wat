;; Handles of a resource of its own, which the host keeps in a table.
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core module $making
    (import "" "new" (func $new (param i32) (result i32)))
    (func $start (local $left i32)
      (local.set $left (i32.const COUNT))
      (loop $again
        (drop (call $new (local.get $left)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left))))
    (start $start))
  (core instance (instantiate $making (with "" (instance (export "new" (func $new))))))
)

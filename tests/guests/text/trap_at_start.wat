;; Divides by this number before anybody has called it.
(component
  (core module $dividing
    (func $start (drop (i32.div_u (i32.const 1) (i32.const COUNT))))
    (start $start))
  (core instance (instantiate $dividing))
)

;; Data that is to lie at this place of a memory of one page, or outside it.
(component
  (core module $data (memory 1) (data (i32.const COUNT) "x"))
  (core instance (instantiate $data))
)

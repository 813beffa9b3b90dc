;; Instances without an end: each costs the host more than it costs the guest to name.
(component
  (core module $empty)
  (core instance (instantiate $empty)) ;; COUNT times
)

;; One small table after another, where a limit counts each by itself.
(component
  (core module $small (table 1 funcref))
  (core instance (instantiate $small)) ;; COUNT times
)

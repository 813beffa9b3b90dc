;; One small memory after another, where a limit counts each by itself.
(component
  (core module $small (memory 1))
  (core instance (instantiate $small)) ;; COUNT times
)

;; A table of so many entries, which lie in the host's memory and not in the guest's.
(component
  (core module $large (table COUNT funcref))
  (core instance (instantiate $large))
)

;; A memory that is so many pages of 64 KiB large before any code runs.
(component
  (core module $large (memory COUNT))
  (core instance (instantiate $large))
)

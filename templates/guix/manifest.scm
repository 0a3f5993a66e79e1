;;; Made by envlock from pylock.toml; make it again with `envlock export guix`.
;;; Environment: {{ heading.environment }}
;;; How to use it is said in modules/envlock/environment.scm.

(use-modules (envlock environment))

(environment-manifest)

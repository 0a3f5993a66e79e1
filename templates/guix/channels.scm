;;; Made by envlock from pylock.toml; make it again with `envlock export guix`.
;;; Guix as it was at {{ heading.as_of }}. Environment: {{ heading.environment }}

(list (channel
        (name (string->symbol {{ channel.name|scheme }}))
        (url {{ channel.url|scheme }})
        (branch {{ channel.branch|scheme }})
        (commit {{ channel.commit|scheme }})
        (introduction
         (make-channel-introduction
          {{ channel.introduction_commit|scheme }}
          (openpgp-fingerprint
           {{ channel.introduction_fingerprint|fingerprint }})))))

;;; The Guix of a commit that stands for the locked one: `guix time-machine` runs it.
;;;
;;; It is the real Guix of this root in all but its lowest packages. Guile, Python and the programs
;;; of every build are those of the root, so that nothing begins with building a compiler; profiles
;;; are made without hooks, which would need more of the distribution. Definitions, build systems,
;;; phases, derivations, the daemon and profiles are Guix's own.

(use-modules (guix build-system)
             (guix derivations)
             (guix monads)
             (guix packages)
             (guix profiles)
             (guix search-paths)
             (guix store)
             (guix ui)
             (ice-9 match)
             (srfi srfi-1))

(define (host-package name version script)
  "A package that SCRIPT, for the shell, makes of what the root has."
  (define* (build name inputs #:rest _)
    ;; What builds has to be in the store.
    (mlet %store-monad ((shell (interned-file "/usr/bin/dash" "sh" #:recursive? #t)))
      (raw-derivation name shell (list "-ec" script)
                      #:sources (list shell)
                      #:env-vars '(("PATH" . "/usr/bin:/bin")))))
  (define* (lower name #:key system outputs #:allow-other-keys)
    (bag (name name) (system system) (outputs outputs) (build build)))
  (package
    (name name)
    (version version)
    (source #f)
    (build-system (build-system (name 'host) (description "") (lower lower)))
    (home-page #f)
    (synopsis "")
    (description "")
    (license #f)))

(define host-guile
  (host-package "guile" "3.0" "mkdir -p $out/bin
cp -L /usr/lib/*/guix/guile $out/bin/guile"))

(define host-json
  (host-package "guile-json" "4" "mkdir -p $out/share/guile/site/3.0
ln -s /usr/share/guile/site/3.0/json /usr/share/guile/site/3.0/json.scm $out/share/guile/site/3.0"))

(define host-tools
  (host-package "tools" "0" "mkdir $out; ln -s /usr/bin $out/bin"))

(define python-version (getenv "STAND_IN_PYTHON"))

(define python-site
  (string-append "lib/python"
                 (string-join (take (string-split python-version #\.) 2) ".")
                 "/site-packages"))

;; The root's own, with all that it loads, so that it starts outside of the root as well; as Guix's,
;; it looks where GUIX_PYTHONPATH says.
(define host-python
  (package
    (inherit (host-package "python" python-version (string-append "
series=python" (string-join (take (string-split python-version #\.) 2) ".") "
mkdir -p $out/bin $out/lib $out/libexec
cp -a /usr/lib/$series $out/lib/
mkdir -p $out/" python-site "
cp -L /usr/bin/$series $out/libexec/
cp -L /lib64/ld-linux-x86-64.so.2 $out/libexec/loader
ldd /usr/bin/$series /usr/lib/$series/lib-dynload/*.so |
    sed -n 's/.*=> \\(\\/[^ ]*\\).*/\\1/p' | sort -u | xargs cp -L -t $out/libexec
cat >$out/bin/python3 <<EOF
#!/bin/sh
export PYTHONPATH=\\$GUIX_PYTHONPATH
exec $out/libexec/loader --library-path $out/libexec \\
    --argv0 $out/bin/python3 $out/libexec/$series \"\\$@\"
EOF
chmod +x $out/bin/python3
ln -s python3 $out/bin/python")))
    (native-search-paths
     (list (search-path-specification
            (variable "GUIX_PYTHONPATH")
            (files (list python-site)))))))

(for-each (match-lambda
            ((module name value)
             (module-set! (resolve-module module) name value)))
          `(((gnu packages commencement) guile-final ,host-guile)
            ((gnu packages commencement) %final-inputs
             ,(lambda _ `(("tools" ,host-tools))))
            ((gnu packages guile) guile-json-4 ,host-json)
            ((gnu packages python) python ,host-python)
            ((gnu packages python) python-sans-pip-wrapper ,host-python)
            ((gnu packages python) python-wrapper ,host-python)
            ((guix profiles) %default-profile-hooks ())))

(apply guix-main (command-line))

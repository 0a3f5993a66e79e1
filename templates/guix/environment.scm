;;; Made by envlock from pylock.toml; make it again with `envlock export guix`.
;;;
;;; Environment: {{ heading.environment }}
;;; As of: {{ heading.as_of }}
;;; For: {{ heading.targets|join(", ") }}
;;;
;;; In the folder that holds channels.scm, a shell with the environment:
;;;
;;;   guix time-machine -C channels.scm -- shell -L modules -m manifest.scm
;;;
;;; and an image for Docker:
;;;
;;;   guix time-machine -C channels.scm -- pack -f docker -S /bin=bin -L modules -m manifest.scm
;;;
;;; The lock is in the environment, too: share/envlock/lock, in a shell $ENVLOCK_LOCK.

(define-module (envlock environment)
  #:use-module ((gnu packages) #:select (find-packages-by-name
                                         specification->package
                                         specification->package+output))
  #:use-module ((gnu packages compression) #:select (unzip))
  #:use-module ((gnu packages python) #:prefix guix:)
  #:use-module ((guix build-system pyproject) #:select (pyproject-build-system))
  #:use-module ((guix build-system trivial) #:select (trivial-build-system))
  #:use-module (guix diagnostics)
  #:use-module (guix download)
  #:use-module (guix gexp)
  #:use-module (guix i18n)
  #:use-module (guix packages)
  #:use-module (guix profiles)
  #:use-module (guix search-paths)
  #:use-module ((guix utils) #:select (version-prefix))
  #:use-module ((srfi srfi-1) #:select (append-map first))
  #:use-module ((srfi srfi-34) #:select (raise))
  #:export (environment-manifest))

;; The channel decides which Python there is, and the lock which one it is for.
(define %python {{ plan.python|scheme }})

(define (check-python)
  (let ((found (package-version guix:python)))
    (unless (string=? %python
                      (version-prefix found (length (string-split %python #\.))))
      (raise (formatted-message
              (G_ "the lock is for Python ~a, but this Guix has Python ~a: lock for that one, \
or as of a date at which Guix had Python ~a")
              %python found %python)))))

(define %systems
  '({% for system in heading.systems %}{{ system|scheme }}{{ " " if not loop.last }}{% endfor %}))

;; Packages of the channel. Guix reads this file while it lists packages, so none is looked for
;; before it is needed.
(define os-packages
  (let ((found (delay (map (lambda (name)
                             (call-with-values
                                 (lambda () (specification->package+output name))
                               list))
                           '({% for name in plan.os %}

                             {{- " " if not loop.first }}{{ name|scheme }}{% endfor %})))))
    (lambda () (force found))))

(define (programs . names)
  (map specification->package names))

(define backends
  ;; For packages without native code whose build requirements are not locked: what the channel has.
  (let ((found (delay (append-map (lambda (name)
                                    (let ((known (find-packages-by-name name)))
                                      (if (null? known) '() (list (first known)))))
                                  '("python-setuptools" "python-wheel" "python-setuptools-scm"
                                    "python-flit-core" "python-flit-scm" "python-hatchling"
                                    "python-hatch-vcs" "python-hatch-fancy-pypi-readme"
                                    "python-pdm-backend" "python-poetry-core")))))
    (lambda () (force found))))

;; What is locked was resolved together, with the project's own overrides; Guix's check would ask
;; the packages' metadata again. Test requirements are not locked, so no tests are run.
(define* (from-source #:optional directory)
  (list #:tests? #f
        #:phases #~(modify-phases %standard-phases
                     #$@(if directory
                            #~((add-after 'unpack 'enter-directory
                                 (lambda _ (chdir #$directory))))
                            #~())
                     (delete 'sanity-check))))

;; A build tool's wheel without native code is what building it would give: it is installed only.
(define (from-wheel)
  (list #:tests? #f
        #:phases #~(modify-phases %standard-phases
                     (replace 'unpack
                       (lambda* (#:key source outputs #:allow-other-keys)
                         (let ((folder (or (assoc-ref outputs "wheel") "dist")))
                           (mkdir-p folder)
                           (copy-file source
                                      (string-append folder "/"
                                                     (strip-store-file-name source))))))
                     (delete 'build)
                     (delete 'sanity-check))))
{% macro definition(package) %}

(define {{ package.identifier }}
  (package
    (name {{ package.name|scheme }})
    (version {{ package.version|scheme }})
    (source
     (origin
       (method url-fetch)
       (uri {{ package.source.url|scheme }})
       (file-name {{ package.source.file|scheme }})
       (sha256
        (base32 {{ package.source.digest|scheme }}))))
    (build-system pyproject-build-system)
{% if package.wheel %}
    (arguments (from-wheel))
{% elif package.directory %}
    (arguments (from-source {{ package.directory|scheme }}))
{% else %}
    (arguments (from-source))
{% endif %}
{% set inputs = package.inputs %}
{% set zipped = package.source.file.endswith(".zip") %}
{% set native = [] %}
{% set tools = inputs.tools + (("unzip",) if package.source.file.endswith(".zip") else ()) %}
{% if tools %}{{ native.append("(list " ~ tools|join("\n                   ") ~ ")") or "" }}{% endif %}
{% if inputs.backends %}{{ native.append("(backends)") or "" }}{% endif %}
{% if inputs.programs %}{{ native.append("(programs " ~ inputs.programs|map("scheme")|join(" ") ~ ")") or "" }}{% endif %}
{% if native|length > 1 %}
    (native-inputs
     (append {{ native|join("\n             ") }}))
{% elif native %}
    (native-inputs {{ native[0] }})
{% endif %}
{% if inputs.libraries and plan.os %}
    (inputs (os-packages))
{% endif %}
{% if package.propagated %}
    (propagated-inputs
     (list {{ package.propagated|join("\n           ") }}))
{% endif %}
{% for needed in package.cut %}
    ;; Needs {{ needed }}, too, which needs this; the environment has both.
{% endfor %}
    (supported-systems %systems)
    (home-page #f)
    (synopsis {{ package.label|scheme }})
    (description {{ (package.label ~ ", as locked by envlock")|scheme }})
    (license #f)
    (properties '((hidden? . #t)))))
{% endmacro %}
{% if plan.tools %}

;;; Build requirements.
{% endif %}
{% for tool in plan.tools %}
{{- definition(tool) }}
{%- endfor %}


;;; The environment.
{% for package in plan.packages %}
{{- definition(package) }}
{%- endfor %}


(define envlock-lock
  (package
    (name "envlock-lock")
    (version {{ heading.environment|scheme }})
    (source (local-file "../../lock.toml"))
    (build-system trivial-build-system)
    (arguments
     (list #:builder #~(begin
                         (mkdir #$output)
                         (mkdir (string-append #$output "/share"))
                         (mkdir (string-append #$output "/share/envlock"))
                         (copy-file #$source
                                    (string-append #$output "/share/envlock/lock")))))
    (native-search-paths
     (list (search-path-specification
            (variable "ENVLOCK_LOCK")
            (files '("share/envlock/lock"))
            (file-type 'regular)
            (separator #f))))
    (supported-systems %systems)
    (home-page #f)
    (synopsis {{ ("The lock of environment " ~ heading.environment)|scheme }})
    (description {{ ("The lock of environment " ~ heading.environment ~ ", from which envlock made all this")|scheme }})
    (license #f)
    (properties '((hidden? . #t)))))

(define locked-packages
  (list envlock-lock
        {%- for package in plan.packages %}

        {{ package.identifier }}
        {%- endfor %}))

;; What a locked package needs is in the list. To have Guix expand it for each entry, as
;; packages->manifest does, takes time that grows with the number of ways through the graph.
(define (locked-entry package)
  (manifest-entry
    (name (package-name package))
    (version (package-version package))
    (item package)
    (search-paths (package-native-search-paths package))))

(define (environment-manifest)
  "Everything in the environment: Python, the locked packages, what they need, and the lock."
  (check-python)
  (concatenate-manifests
   (list (manifest (map locked-entry locked-packages))
         (packages->manifest (cons guix:python-wrapper (os-packages))))))

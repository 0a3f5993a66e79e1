;;; Build packages of (envlock environment) with Guix's own build code and this machine's Python.
;;;
;;; Guix without substitutes would first build a compiler. What a package's recipe does to its
;;; source can be seen without: its phases run here as they would in Guix, with /usr in place of
;;; the inputs that are not the lock's own.
;;;
;;;   guile -L modules stand_in.scm PYTHON OUTPUTS IDENTIFIER=SOURCE...
;;;
;;; PYTHON is a folder called python-VERSION with Python in it. Each package is built into
;;; OUTPUTSNAME-VERSION, in the order given, from SOURCE; both must look like paths in the store.

(use-modules (guix build pyproject-build-system)
             (guix build utils)
             (guix gexp)
             (guix packages)
             (guix utils)
             (ice-9 match)
             (srfi srfi-1))

(define build-side
  (let ((module (make-fresh-user-module)))
    (for-each (lambda (name) (module-use! module (resolve-interface name)))
              '((guix build utils) (guix build pyproject-build-system)))
    module))

(define (argument package key)
  (second (memq key (package-arguments package))))

(define (locked identifier)
  (module-ref (resolve-module '(envlock environment)) (string->symbol identifier)))

(define (built-inputs package done)
  "Of what the recipe names, the packages that were built here: label and folder."
  (filter-map (match-lambda
                ((label (? package? input) . _)
                 (and=> (assq input done) (lambda (found) (cons label (cdr found)))))
                (_ #f))
              (append (package-native-inputs package)
                      (package-propagated-inputs package))))

(define (build package source python out done)
  (let ((folder (mkdtemp "/tmp/build-XXXXXX"))
        (version (last (string-split python #\-))))
    (for-each (lambda (old) (when (file-exists? old) (delete-file-recursively old)))
              (list out (string-append out "-wheel")))
    (mkdir-p out)
    (with-directory-excursion folder
      (pyproject-build
       #:name (package-name package)
       #:source source
       #:configure-flags '()
       #:system "x86_64-linux"
       #:tests? (argument package #:tests?)
       #:phases (eval (gexp->approximate-sexp (argument package #:phases)) build-side)
       #:outputs `(("out" . ,out) ("wheel" . ,(string-append out "-wheel")))
       #:search-paths `(("GUIX_PYTHONPATH"
                         (,(string-append "lib/python" (version-major+minor version)
                                          "/site-packages"))
                         ":" directory #f))
       #:inputs `(("source" . ,source)
                  ("python" . ,python)
                  ,@(built-inputs package done)
                  ("host" . "/usr"))))))

(match (command-line)
  ((_ python outputs . pairs)
   (fold (lambda (pair done)
           (let* ((split (string-index pair #\=))
                  (identifier (substring pair 0 split))
                  (package (locked identifier))
                  (out (string-append outputs (package-full-name package "-"))))
             (build package (substring pair (1+ split)) python out done)
             (acons package out done)))
         '()
         pairs)))

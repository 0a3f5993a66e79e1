"""Container images: where they come from and go to, and their layers. OCI image and distribution.

- ``reference``  the name of an image: registry, repository, tag, digest
- ``registry``   what a registry has; ``auth`` and ``login`` say who asks; ``push`` sends
- ``local``      images of this machine's podman, buildah and Docker; ``source`` opens an image from
  any of these places
- ``layers``     the files of an image, layer by layer
"""

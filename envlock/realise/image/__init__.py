"""Lock → an OCI image, without a daemon (OCI image specification 1.1).

- ``build``    the image's layers, from the cache of layers or made; its configuration
- ``deb``      reads .debs; ``scripts`` judges what their maintainer scripts would do
- ``packages`` .debs → a layer; ``effects`` and ``ldcache`` what their scripts would do;
  ``dpkg`` its database
- ``wheels``   wheels → a virtual environment in a layer
- ``layer``    writes a layer: tar, compression, digests; ``tree`` keeps it inside its root
- ``oci``      configuration, manifest, index; ``layout`` writes them as folder or archive
"""

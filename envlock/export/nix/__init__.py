"""``envlock export nix``: a flake that builds the environment from the lock, with one input.

- ``exporter``  Lock → the flake's files
- ``content``   the data (``env.json``); ``sources`` its part on building from source
- ``wheels``    which wheel of a package a target gets
- ``os_packages``  OS packages and libraries, by their names in nixpkgs
- ``text``      Nix strings, names in Nix's store, URLs
- ``files``     what is the same in every flake

Reads nothing but the lock; docs/nix.md lists all that the flake uses of nixpkgs.
"""

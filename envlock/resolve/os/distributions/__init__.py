"""The distributions: Debian and Ubuntu, behind one protocol."""

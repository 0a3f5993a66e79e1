"""Who needs whom, for ``why`` and ``tree``: Python, builds, OS packages."""

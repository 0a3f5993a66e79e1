"""Lock → files, pure; one module per format, found by entry point ``envlock.exporters``."""

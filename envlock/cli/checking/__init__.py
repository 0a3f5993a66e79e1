"""`envlock check`: its layers, one module each, and its report."""

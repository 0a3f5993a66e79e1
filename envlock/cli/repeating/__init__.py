"""`envlock runs repeat`: its environment, its steps, and its report."""

"""`envlock rebuild`: what is to come back, its backends, and its report."""

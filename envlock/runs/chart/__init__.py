"""A metric of several runs: points on axes, drawn as text and as SVG."""

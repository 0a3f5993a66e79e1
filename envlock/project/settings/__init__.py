"""``[tool.envlock]`` and its tables."""

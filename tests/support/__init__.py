"""What the tests build their small worlds from; importable as ``support`` (pytest's pythonpath)."""

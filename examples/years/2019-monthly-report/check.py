"""Two months of sales laid below one another, then as a plain matrix."""

import pandas as pd

march = pd.DataFrame({"sold": [3, 5]}, index=["north", "south"])
april = pd.DataFrame({"sold": [4, 6]}, index=["north", "south"])
both = march.append(april)
assert both.as_matrix().tolist() == [[3], [5], [4], [6]]
assert both.ix["south"].sold.sum() == 11

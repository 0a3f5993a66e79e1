"""Values put right in place, and all of them formatted."""

import warnings

import pandas as pd

warnings.simplefilter("ignore")
visits = pd.DataFrame({"fee": [10, -1, 30], "name": ["a", "b", "c"]})
visits["fee"][visits["fee"] < 0] = 0
assert visits["fee"].tolist() == [10, 0, 30]
assert visits["name"].dtype == object
assert visits.applymap(str).iloc[0, 0] == "10"

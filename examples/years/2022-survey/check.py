"""Answers collected one by one."""

import pandas as pd

answers = pd.DataFrame({"yes": [1], "no": [0]})
answers = answers.append({"yes": 2, "no": 3}, ignore_index=True)
assert {name: column.sum() for name, column in answers.iteritems()} == {"yes": 3, "no": 3}

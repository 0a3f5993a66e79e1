"""Sums from a table, asked in SQL."""

import pandas as pd
from sqlalchemy import create_engine

engine = create_engine("sqlite://")
engine.execute("create table entry (account text, amount integer)")
engine.execute("insert into entry values ('rent', 900), ('food', 300), ('food', 20)")
sums = pd.read_sql("select account, sum(amount) as s from entry group by account", engine)
assert sums.set_index("account").s.to_dict() == {"food": 320, "rent": 900}

"""Sales by region."""

import polars as pl

sales = pl.DataFrame({"region": ["n", "s", "n"], "sold": [1, 2, 3]})
table = sales.with_row_count().group_by("region").agg(pl.col("sold").sum()).sort("region")
assert table["sold"].to_list() == [4, 2]
long = sales.melt(id_vars="region", value_vars="sold")
assert long.columns == ["region", "variable", "value"]
assert (
    sales.pivot(values="sold", index="region", columns="region", aggregate_function="sum").shape[0]
    == 2
)

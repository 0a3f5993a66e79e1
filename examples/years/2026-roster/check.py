"""Who works when."""

from pydantic import TypeAdapter
from sqlalchemy import create_engine, text

with create_engine("sqlite://").connect() as connection:
    rows = connection.execute(text("select 'ada', 3")).all()
assert TypeAdapter(list[tuple[str, int]]).validate_python([tuple(r) for r in rows]) == [("ada", 3)]

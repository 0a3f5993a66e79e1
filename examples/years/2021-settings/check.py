"""Settings read from the environment, held to their types."""

import os

from pydantic import BaseSettings, validator

os.environ["WORKERS"] = "4"


class Settings(BaseSettings):
    workers: int = 1
    name: str = "queue"

    @validator("workers")
    def at_least_one(cls, value):
        assert value > 0
        return value


assert Settings().dict() == {"workers": 4, "name": "queue"}

"""A service's model of an order, with a rule over all its fields."""

from fastapi import FastAPI
from pydantic import BaseModel, root_validator

app = FastAPI()


class Order(BaseModel):
    amount: int
    price: float

    @root_validator
    def affordable(cls, values):
        assert values["amount"] * values["price"] < 1000
        return values


@app.post("/orders")
def add(order: Order) -> Order:
    return order


assert app.openapi()["components"]["schemas"]["Order"]["required"] == ["amount", "price"]

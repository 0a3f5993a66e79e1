"""Invoices read from what a form sends."""

from marshmallow import Schema, fields


class Invoice(Schema):
    number = fields.Integer(required=True)
    currency = fields.String(missing="EUR")

    class Meta:
        ordered = True


assert dict(Invoice().load({"number": "7"})) == {"number": 7, "currency": "EUR"}

"""Form letters from a template."""

from jinja2 import Environment

letter = Environment().from_string("Dear {{ name|title }}, {{ sum|round(2) }} are due.")
assert letter.render(name="ada", sum=12.345) == "Dear Ada, 12.35 are due.", letter

"""One page; Flask is pinned, what it stands on is not."""

from flask import Flask, jsonify

app = Flask(__name__)


@app.route("/price/<int:item>")
def price(item):
    return jsonify(item=item, price=item * 3)


assert app.test_client().get("/price/4").get_json() == {"item": 4, "price": 12}

"""A page that greets, with markup escaped."""

from flask import Flask, Markup, escape
from jinja2 import contextfilter

app = Flask(__name__)


@app.template_filter("shout")
@contextfilter
def shout(context, text):
    return Markup("<b>%s</b>") % text.upper()


@app.route("/<name>")
def greet(name):
    return "Hello " + escape(name)


answer = app.test_client().get("/<ada>")
assert answer.data == b"Hello &lt;ada&gt;", answer.data

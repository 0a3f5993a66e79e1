"""A figure with a colour map of its own."""

import io

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.cm import get_cmap, register_cmap
from matplotlib.colors import ListedColormap

register_cmap("two", ListedColormap(["navy", "gold"]))
assert get_cmap("two").N == 2
figure, axes = plt.subplots()
axes.imshow([[0, 1], [1, 0]], cmap="two")
target = io.BytesIO()
figure.savefig(target, format="png")
assert target.getvalue()[:4] == b"\x89PNG"

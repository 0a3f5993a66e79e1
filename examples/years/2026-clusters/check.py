"""Groups in a cloud of points."""

from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

points, _ = make_blobs(n_samples=60, centers=3, random_state=1)
assert len(set(KMeans(n_clusters=3, random_state=1).fit_predict(points))) == 3

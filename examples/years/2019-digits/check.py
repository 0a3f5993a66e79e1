"""A model is trained, kept and loaded again."""

import os
import tempfile

from sklearn.datasets import load_digits
from sklearn.externals import joblib
from sklearn.linear_model import LogisticRegression

images, labels = load_digits(return_X_y=True)
model = LogisticRegression(solver="liblinear", multi_class="ovr").fit(images[:900], labels[:900])
path = os.path.join(tempfile.mkdtemp(), "model.joblib")
joblib.dump(model, path)
assert joblib.load(path).score(images[900:], labels[900:]) > 0.85

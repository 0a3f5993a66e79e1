"""Trains a small classifier on the handwritten digits that scikit-learn ships; needs no network."""

from pathlib import Path

import joblib
import matplotlib as mpl
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
SEED = 20260301


def main() -> None:
    """Fit, keep the model, score, and draw where the mistakes are."""
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=0.25, random_state=SEED, stratify=digits.target
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(train_x, train_y)
    joblib.dump(model, HERE / "model.joblib")
    guess = model.predict(test_x)
    counts = pd.DataFrame(confusion_matrix(test_y, guess))
    print(counts.to_string())
    print(f"accuracy {(guess == test_y).mean():.4f} on {len(test_y)} digits")

    figure, axes = plt.subplots(figsize=(5, 5))
    axes.imshow(counts, cmap="Blues")
    axes.set(xlabel="guessed", ylabel="written", title="digits")
    figure.savefig(HERE / "confusion.png", dpi=100)


if __name__ == "__main__":
    main()

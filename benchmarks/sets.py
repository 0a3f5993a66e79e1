"""The package sets: well-known projects whose closures have about 10, 100 and 250 packages."""

from __future__ import annotations

AS_OF = "2026-03-01T00:00:00Z"
"""Every contender resolves the world of this instant, so that all do the same work."""

SETS: dict[int, tuple[str, ...]] = {
    10: ("click", "httpx", "rich"),
    100: ("jupyterlab", "matplotlib", "numpy", "pandas", "scikit-learn"),
    250: (
        "ansible-core",
        "boto3",
        "celery[redis]",
        "django",
        "fastapi[standard]",
        "jupyterlab",
        "matplotlib",
        "mlflow",
        "numpy",
        "pandas",
        "pyspark",
        "scikit-learn",
        "scrapy",
        "spacy",
        "sphinx",
        "sqlalchemy",
        "streamlit",
    ),
}
"""Rough number of resolved packages → what is asked for."""

PURE = (
    *("attrs", "beautifulsoup4", "boltons", "docutils", "filelock", "httpx", "itsdangerous"),
    *("more-itertools", "networkx", "platformdirs", "pyparsing", "pytest", "python-dateutil"),
    *("rich", "sympy", "tabulate", "tomlkit", "toolz", "urllib3", "wcwidth"),
)
"""Packages without compiled parts, whose closure has a good thirty."""

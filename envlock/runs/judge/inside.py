"""Compare two files with the libraries of the Python that runs this: a script, of no other module.

A pair of arrays, tables or images is read by what usually writes them, where that is installed:
in the environment that the files were made in. JSON goes in by the command line (``kind``,
``before``, ``after``, ``relative``, ``absolute``) and out by stdout: ``missing`` (a library),
``problem`` (not to be read), or ``where`` (null: nothing that is not close), ``absolute`` and
``relative``.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any


class _Differs(Exception):  # noqa: N818 - an answer, not an error
    """The first place that is not close."""


class _Judge:
    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.np = importlib.import_module("numpy")
        self.absolute = 0.0
        self.relative = 0.0

    def arrays(self, one: Any, other: Any, name: str) -> None:
        """Two arrays, element by element."""
        np = self.np
        if one.shape != other.shape:
            raise _Differs(f"{name}: shape {one.shape} → {other.shape}")
        if one.dtype != other.dtype:
            raise _Differs(f"{name}: type {one.dtype} → {other.dtype}")
        if one.dtype.names:
            for field in one.dtype.names:
                self.arrays(one[field], other[field], f"{name}.{field}")
            return
        if one.dtype.kind in "fc":
            with np.errstate(all="ignore"):
                bad = self.far(one, other)
        else:
            bad = one != other
            if one.dtype.kind in "mM":
                bad &= ~(np.isnat(one) & np.isnat(other))
        bad = np.asarray(bad)
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0]) if bad.ndim else ()
            place = f"{name}[{', '.join(map(str, index))}]" if index else name
            raise _Differs(f"{place}: {one[index]!s} → {other[index]!s}")

    def far(self, one: Any, other: Any) -> Any:
        """Where two arrays of floating point numbers are not close."""
        np = self.np
        wide = np.complex128 if one.dtype.kind == "c" else np.float64
        if one.dtype.itemsize < np.dtype(wide).itemsize:
            one, other = one.astype(wide), other.astype(wide)
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        apart = np.where(same, 0, np.abs(one - other))
        largest = np.maximum(np.abs(one), np.abs(other))
        relative = np.where(same, 0, apart / np.where(same, 1, largest))
        known = np.isfinite(apart)
        if known.any():
            self.absolute = max(self.absolute, float(apart[known].max()))
            self.relative = max(self.relative, float(np.nanmax(relative[known])))
        bound = np.maximum(self.order["relative"] * largest, self.order["absolute"])
        return ~same & ~(known & (apart <= bound))

    def names(self, one: Any, other: Any, what: str) -> None:
        """Two lists of names."""
        for name in sorted(set(one) ^ set(other)):
            side = "the first run's" if name in one else "the repeat's"
            raise _Differs(f"{what} {name}: only in {side}")

    def npy(self, before: str, after: str) -> None:
        """NumPy's arrays; those of Python objects are not read, as that runs what they say."""
        self.arrays(self.np.load(before), self.np.load(after), "array")

    def npz(self, before: str, after: str) -> None:
        """Several arrays by name."""
        with self.np.load(before) as one, self.np.load(after) as other:
            self.names(one.files, other.files, "array")
            for name in one.files:
                self.arrays(one[name], other[name], name)

    def parquet(self, before: str, after: str) -> None:
        """Apache Parquet, by pyarrow: columns, types, then values."""
        module = importlib.import_module("pyarrow.parquet")
        one, other = module.read_table(before), module.read_table(after)
        self.names(one.column_names, other.column_names, "column")
        for name in one.column_names:
            self.column(one.column(name), other.column(name), name)

    def column(self, one: Any, other: Any, name: str) -> None:
        """A column of a table."""
        if one.type != other.type:
            raise _Differs(f"column {name}: type {one.type} → {other.type}")
        if len(one) != len(other):
            raise _Differs(f"{len(one)} → {len(other)} rows")
        if one.equals(other):
            return
        if str(one.type) in ("float", "double", "halffloat") and not (
            one.null_count or other.null_count
        ):
            self.arrays(one.to_numpy(), other.to_numpy(), f"column {name}, row ")
            return
        for row, (a, b) in enumerate(zip(one.to_pylist(), other.to_pylist())):  # noqa: B905
            self.values(a, b, f"column {name}, row {row}")

    def values(self, one: Any, other: Any, name: str) -> None:
        """Two values of Python."""
        if isinstance(one, float) and isinstance(other, float):
            if bool(self.far(self.np.array([one]), self.np.array([other]))[0]):
                raise _Differs(f"{name}: {one} → {other}")
        elif isinstance(one, (list, tuple)) and type(one) is type(other) and len(one) == len(other):
            for number, (a, b) in enumerate(zip(one, other)):  # noqa: B905
                self.values(a, b, f"{name}[{number}]")
        elif isinstance(one, dict) and isinstance(other, dict) and set(one) == set(other):
            for key in one:
                self.values(one[key], other[key], f"{name}.{key}")
        elif one != other:
            raise _Differs(f"{name}: {one!r:.40} → {other!r:.40}")

    def hdf5(self, before: str, after: str) -> None:
        """HDF5, by h5py: groups and datasets by name, with their attributes."""
        h5py = importlib.import_module("h5py")
        with h5py.File(before, "r") as one, h5py.File(after, "r") as other:
            names = []
            for file in (one, other):
                found = ["/"]
                file.visit(found.append)
                names.append(found)
            self.names(names[0], names[1], "object")
            for name in names[0]:
                self.object(one[name], other[name], name, h5py)

    def object(self, one: Any, other: Any, name: str, h5py: Any) -> None:
        """A group or dataset."""
        self.names(list(one.attrs), list(other.attrs), f"{name}: attribute")
        for key in one.attrs:
            pair = [self.np.asarray(thing.attrs[key]) for thing in (one, other)]
            self.arrays(pair[0], pair[1], f"{name}: attribute {key}")
        if isinstance(one, h5py.Dataset) != isinstance(other, h5py.Dataset):
            raise _Differs(f"{name}: a dataset in one, a group in the other")
        if isinstance(one, h5py.Dataset):
            self.arrays(self.np.asarray(one[()]), self.np.asarray(other[()]), name)

    def image(self, before: str, after: str) -> None:
        """Pixel by pixel, by Pillow."""
        image = importlib.import_module("PIL.Image")
        with image.open(before) as one, image.open(after) as other:
            frames = [getattr(picture, "n_frames", 1) for picture in (one, other)]
            if frames[0] != frames[1]:
                raise _Differs(f"{frames[0]} → {frames[1]} frames")
            for frame in range(frames[0]):
                one.seek(frame)
                other.seek(frame)
                self.frame(one, other, f"frame {frame}, " if frames[0] > 1 else "")

    def frame(self, one: Any, other: Any, name: str) -> None:
        """One picture."""
        for what in ("mode", "size"):
            pair = [getattr(picture, what) for picture in (one, other)]
            if pair[0] != pair[1]:
                raise _Differs(f"{name}{what} {pair[0]} → {pair[1]}")
        if one.mode == "P":
            one, other = one.convert("RGBA"), other.convert("RGBA")
        pixels = [self.np.asarray(picture).astype(float) for picture in (one, other)]
        bad = self.far(pixels[0], pixels[1])
        if bad.any():
            y, x = (int(i) for i in self.np.argwhere(bad)[0][:2])
            told = [picture.getpixel((x, y)) for picture in (one, other)]
            count = int(bad.reshape(*bad.shape[:2], -1).any(axis=2).sum())
            raise _Differs(f"{name}pixel ({x}, {y}): {told[0]} → {told[1]}, {count} in all")


def main() -> None:
    """Answer one order."""
    order = json.loads(sys.argv[1])
    answer: dict[str, Any] = {"where": None}
    try:
        judge = _Judge(order)
        try:
            getattr(judge, order["kind"])(order["before"], order["after"])
        except _Differs as difference:
            answer["where"] = str(difference)
        answer["absolute"], answer["relative"] = judge.absolute, judge.relative
    except ImportError as error:
        answer = {"missing": error.name or str(error)}
    except Exception as error:  # whatever it is: then the bytes decide
        answer = {"problem": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()

"""Measurements in HDF5; h5py is pinned, numpy is not."""

import os
import tempfile

import h5py
import numpy as np

path = os.path.join(tempfile.mkdtemp(), "m.h5")
with h5py.File(path, "w") as target:
    target["m"] = np.arange(5)
with h5py.File(path) as source:
    assert int(source["m"][:].sum()) == 10

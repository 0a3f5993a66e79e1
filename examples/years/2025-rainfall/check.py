"""Rain of a day, from what was measured every hour."""

import numpy as np

hourly = np.array([0.0, 1.0, 2.0, 1.0])
assert np.trapz(hourly) == 3.5
assert np.in1d([2.0], hourly).all()

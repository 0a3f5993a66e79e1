"""Where a spectrum is strong."""

import numpy as np
from scipy.integrate import simps

strength = np.array([0.0, 1.0, 4.0, 9.0, 16.0], dtype=np.float_)
assert abs(simps(strength, dx=1.0) - 64 / 3) < 1e-9
assert np.product(strength[1:3]) == 4.0
assert np.in1d([4.0, 5.0], strength).tolist() == [True, False]

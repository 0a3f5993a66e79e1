"""The area below a curve, in the types of its day."""

import numpy as np
from scipy import integrate

samples = np.linspace(0, 1, 101, dtype=np.float)
loud = (samples > 0.5).astype(np.bool)
assert np.int(loud.sum()) == 50
assert abs(integrate.trapz(samples, samples) - 0.5) < 1e-9

"""A line through measurements."""

import numpy as np
import statsmodels.api as sm

hours = np.arange(10.0)
fit = sm.OLS(3 * hours + 1, sm.add_constant(hours)).fit()
assert np.allclose(fit.params, [1, 3])

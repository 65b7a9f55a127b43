#!/usr/bin/env bash
# neural-tangents 0.6.5 (jax 0.5.3): an ensemble trained for infinite time with diag_reg, asked for its mean at the
# training points.
#   predict_fn(x_test=None)  gives the targets themselves, also where the same point has two different targets: the
#                            outputs are those of the regularized kernel
#   predict_fn(x_test=x)     gives, at the very same points, the regularized fit: the mean of the two targets
# Seen: [0, 1, 3] and [0.5, 0.5, 3] for the points (1, 0), (1, 0), (0, 1).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --no-deps neural-tangents==0.6.5 jax==0.5.3 jaxlib==0.5.3 ml_dtypes==0.6.0 \
    numpy==2.4.6 scipy==1.17.1 opt_einsum==3.4.0 frozendict==2.5.1 typing_extensions==4.16.0
JAX_PLATFORMS=cpu JAX_ENABLE_X64=1 "$folder/env/bin/python" - <<'PY'
import sys
from unittest.mock import MagicMock

# What neural-tangents imports for experiments of its own: 2 GB, used for nothing here.
sys.modules.update((name, MagicMock()) for name in ("tensorflow", "tf2jax", "jax.experimental.jax2tf"))
import jax.numpy as np
import neural_tangents as nt
from neural_tangents import stax

_, _, kernel = stax.serial(stax.Dense(8), stax.Relu(), stax.Dense(1))
x, y = np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([[0.0], [1], [3]])
predict = nt.predict.gradient_descent_mse_ensemble(kernel, x, y, diag_reg=1e-6)
seen, asked = (predict(x_test=test, get="ntk", t=None)[:, 0] for test in (None, x))
print("x_test=None:", seen, " x_test=x:", asked)
assert np.abs(seen - np.array([0, 1, 3])).max() < 1e-3
assert np.abs(asked - np.array([0.5, 0.5, 3])).max() < 1e-3
PY

"""A program without this project: predicts from a file of a model and an exported array.

python -P take_home.py HEAD X.npy PROBABILITIES.npy TRUSTED...
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


class Missing:
    """Whatever is asked for by this project's name cannot be found."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "embed":
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Missing())
head, features, out, *trusted = sys.argv[1:]
try:
    import embed  # noqa: F401
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("this project can be imported")

import numpy as np  # noqa: E402

X = np.load(features)
if head.endswith(".keras"):
    import keras

    probabilities = keras.saving.load_model(head, safe_mode=True).predict(X, verbose=0)
else:
    from skops.io import load

    probabilities = load(head, trusted=trusted).predict_proba(X)
np.save(out, probabilities)

"""A program without this project: predicts from files of models and an exported array, into 0.npy, 1.npy, ...

python -P take_home.py X.npy TRUSTED,TRUSTED HEAD...
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
features, trusted, *heads = sys.argv[1:]
try:
    import embed  # noqa: F401
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("this project can be imported")

import numpy as np  # noqa: E402

X = np.load(features)
for number, head in enumerate(heads):
    if head.endswith(".keras"):
        import keras

        probabilities = keras.saving.load_model(head, safe_mode=True).predict(X, verbose=0)
    else:
        from skops.io import load

        probabilities = load(head, trusted=trusted.split(",")).predict_proba(X)
    np.save(f"{number}.npy", probabilities)

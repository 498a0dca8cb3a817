"""Two networks alone and together, by cross-validation on both sets of photographs; and which one `embed compare` names.

    python benchmarks/networks.py [--cache DIR]

EfficientNet-Lite0 (an ONNX file) beside MobileNetV2, plain features, logistic regression and linear SVM, five folds without the
photographs of the test folder (of ants and bees, which have none, without those of `val`). With `--cache`, features that are there are used.
"""

import argparse
import sys
import tempfile
from typing import Any

import common

NETWORK = common.SHARED / "onnx" / "efficientnet_lite0.onnx"
PREPROCESS = "mean=127,std=128"
HEADS = ("logistic", "svm")
RECIPES = "plain,288+grid+mirror"


def together(name: str, cache: str) -> list[dict[str, Any]]:
    """Return the accuracy of each network and of both, with its interval."""
    data = str(common.photographs(name))
    both = ("--backbone", "mobilenetv2", "--backbone", str(NETWORK.resolve()), "--preprocess", PREPROCESS)
    joined = common.embed("extract", data, "--cache", cache, *both)
    sets = [one["features"] for one in joined["sets"]] + [joined["joined"]["features"]]
    rows = []
    for features in sets:
        clf = [word for head in HEADS for word in ("--clf", head)]
        found = common.embed("compare", *clf, "--cache", cache, "--features", features)
        keys = ("backbone", "classifier", "n", "accuracy", "low", "high", "log_loss")
        rows += [{key: row[key] for key in keys} for row in found]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", help="folder of feature sets to use and to fill")
    parser.add_argument("--sample", type=int, default=1000)
    parser.add_argument("--only", choices=("together", "compare"))
    options = parser.parse_args()
    if not NETWORK.is_file():
        sys.exit(f"This benchmark needs {NETWORK}.")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = options.cache or f"{folder}/cache"
        for name in ("ants_bees", "clothing"):
            of_name = results.setdefault(name, {})
            if options.only != "compare":
                of_name["together"] = together(name, cache)
                for row in of_name["together"]:
                    print(name, row, file=sys.stderr)
            if options.only != "together":
                names = f"tiny,mobilenetv2,{NETWORK.resolve()}"
                command = ("--backbones", names, "--recipes", RECIPES, "--preprocess", PREPROCESS)
                sample = ("--sample", str(options.sample))
                data = str(common.photographs(name))
                found = common.embed("compare", data, "--cache", cache, *command, *sample)
                for one in (*found["candidates"], found["cheapest"]):
                    one["backbone"] = one["backbone"].rpartition("/")[2]
                del found["sample"]["record"]
                of_name["compare"] = found
                print(name, found, file=sys.stderr)
    common.save("networks", results)


if __name__ == "__main__":
    main()

"""Which options of extraction suit a small set of photographs, chosen without looking at those it is judged on.

    python benchmarks/options.py

Extracts ants and bees with MobileNetV2 in every way, lets `embed compare` cross-validate a logistic head on each with the
training photographs alone, takes the one with the lowest log loss, and scores that one, and the plain one, on the others.
"""

import itertools
import tempfile

import common

FITS, SIZES, MIRRORS = ("stretch", "crop", "pad"), (224, 256, 288), ((), ("--mirror",))


def main() -> None:
    common.arguments(__doc__).parse_args()
    data = str(common.photographs("ants_bees"))
    with tempfile.TemporaryDirectory() as cache:
        named = {}
        for fit, size, mirror in itertools.product(FITS, SIZES, MIRRORS):
            options = ("--fit", fit, "--size", str(size), *mirror)
            named[common.embed("extract", data, "--cache", cache, *options)["features"]] = " ".join(options)
        rows = sorted(
            common.embed("compare", "--clf", "logistic", "--cache", cache), key=lambda row: row["log_loss"]
        )
        plain = next(row for row in rows if named[row["features"]] == "--fit stretch --size 224")
        scored = {
            name: common.embed("fit", "--clf", "logistic", "--cache", cache, "--features", row["features"])
            for name, row in (("plain", plain), ("chosen", rows[0]))
        }
    results = {
        "cross_validated": [
            {"options": named[row["features"]], "accuracy": row["accuracy"], "log_loss": row["log_loss"]}
            for row in rows
        ],
        "scored": {
            name: {"accuracy": score["accuracy"], "interval": score["accuracy_interval"]}
            for name, score in scored.items()
        },
    }
    common.save("options", results)
    print(f"{'options':36} {'accuracy':>9} {'log loss':>9}   by cross-validation on the training photographs")
    for row in results["cross_validated"]:
        print(f"{row['options']:36} {row['accuracy']:9.3f} {row['log_loss']:9.3f}")
    for name, score in results["scored"].items():
        low, high = score["interval"]
        print(f"{name}, on the validation photographs: {score['accuracy']:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()

"""`embed verify`."""

from typing import Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.common import DEFAULT_CACHE, CacheOption, FeaturesOption, JsonOption


@app.command()
def verify(
    cache: CacheOption = DEFAULT_CACHE,
    features: FeaturesOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at names and sizes only, not at every byte.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Check that every part of a feature set is there and holds what was written; exit 1 when one does not.

    embed extract sets a damaged part aside and computes its rows again.

    \b
    embed verify
    embed verify --quick
    """
    from embed.cache import find_features, list_features
    from embed.cache import verify as verify_features

    chosen = find_features(cache, features)
    if features is None and len(list_features(cache)) > 1:
        common.say(f"Using {chosen.name}, which was extracted last; --features NAME picks another.")
    report = verify_features(chosen, quick=quick)
    for sentence in report.damaged.values():
        common.say(common.printable(sentence))
    if as_json:
        common.print_json({"parts": report.parts, "rows": report.rows, "damaged": sorted(report.damaged)})
    else:
        damage = f"{len(report.damaged)} damaged" if report.damaged else "nothing damaged"
        print(f"{common.printable(chosen.name)}: {report.parts} parts, {report.rows} rows, {damage}")
    return common.EXIT_ERROR if report.damaged else 0

"""`embed verify`."""

from typing import Annotated

import typer

from embed.cli import common, exits
from embed.cli.app import app
from embed.cli.progress import StageDisplay


@app.command()
def verify(
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at names and sizes only, not at every byte.")
    ] = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
) -> int:
    """Check that every file of the cache holds what was written.

    The exit code is 1 where one does not, or is missing. `embed extract --verify` sets damaged parts aside and
    computes their rows again.

    \b
    embed verify
    embed verify --quick
    """
    from embed import api

    chosen = common.find_features(cache, features)
    with StageDisplay() as progress:
        report = api.verify(chosen, quick=quick, progress=progress)
    # Sets that could not be chosen are damaged too; what is wrong with them was said.
    sick = [] if features else [f"{name}/meta.json" for name in api.sick_features(cache)]
    damaged = sorted([*report.damaged, *sick])
    for sentence in report.damaged.values():
        common.say(common.printable(sentence))
    if as_json:
        common.print_json({"parts": report.parts, "rows": report.rows, "damaged": damaged})
    else:
        damage = f"{len(damaged)} damaged" if damaged else "nothing damaged"
        parts, rows = common.counted(report.parts, "part"), common.counted(report.rows, "row")
        print(f"{common.printable(chosen.name)}: {parts}, {rows}, {damage}")
    return exits.ERROR if damaged else 0

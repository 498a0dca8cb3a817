"""``embed export``."""

from pathlib import Path
from typing import Annotated

import typer

from embed.cli import common
from embed.cli.app import app


@app.command()
def export(
    to: Annotated[
        Path, typer.Argument(help="File (.npy, .csv, .parquet, .h5) or folder.", show_default=False)
    ],
    format: Annotated[
        str | None,
        typer.Option(
            help="npy, csv, parquet, hdf5 or projector; by default what the suffix says.", show_default=False
        ),
    ] = None,
    labels: common.LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Only photographs with this label; may be repeated.", show_default=False),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Only photographs of train, validation or test; may be repeated.", show_default=False
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace what lies beside the file under a name of the export, too."
        ),
    ] = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
) -> None:
    """Write the features into files for other programs.

    With paths, labels and splits. A file with that name is replaced once the new one is whole; x.csv beside x.npy only
    where an export wrote it, or with --overwrite. Parquet needs `pip install 'embed-images[parquet]'`; `projector`
    writes a folder for TensorBoard's embedding projector.

    \b
    embed export features.npy
    embed export train.parquet --split train
    embed export projector/ --format projector
    """
    known = common.open_labelled(cache, features, labels, splits, where)
    photographs = known.select(label=label or None, split=split or None, where=where)
    files = photographs.export(to, format, overwrite=overwrite)
    if as_json:
        common.print_json(
            {
                "features": photographs.name,
                "rows": len(photographs),
                "dimension": photographs.dimension,
                "files": [str(file) for file in files],
            }
        )
    else:
        for file in files:
            print(file)

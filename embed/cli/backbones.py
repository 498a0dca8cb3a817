"""`embed backbones`."""

from embed.cli.app import app
from embed.cli.common import CsvOption, JsonOption, output, print_table


@app.command("backbones")
def list_backbones(as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the backbones to extract features with.

    Parameters, size of the weights (MB; both with the classifier, of which only the rest is downloaded) and top-1
    accuracy on ImageNet are as Keras documents them.

    \b
    embed backbones
    embed backbones --json
    """
    from embed.api import BACKBONES

    columns = ("name", "input_size", "dimension", "parameters", "weights_mb", "top1")
    rows = [[getattr(backbone, column) for column in columns] for backbone in BACKBONES.values()]
    print_table(columns, rows, form=output(as_json, as_csv), title="Backbones")

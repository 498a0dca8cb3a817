"""Run the notebooks from top to bottom and keep their outputs.

python notebooks/execute.py            all of them, as ``make notebooks`` does
python notebooks/execute.py 1-*.ipynb  some
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
SECONDS_PER_CELL = 240


def execute(file: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs that it has when it is run in an empty folder.

    Raises nbclient's CellExecutionError where a cell does.
    """
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=SECONDS_PER_CELL, kernel_name="python3", record_timing=False, resources=resources
    ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # What libraries say to the machine that they run on is of no interest on another one.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main(names: list[str]) -> None:
    """Run notebooks and write them back."""
    for file in sorted(FOLDER / name for name in names) if names else sorted(FOLDER.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(execute(file, Path(folder)), file)
        print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main([Path(name).name for name in sys.argv[1:]])

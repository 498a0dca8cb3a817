"""The Python interface: its names, its weight, its examples."""

import doctest
import importlib
import inspect

import numpy as np
import pytest

import embed
from embed import demo
from embed.api.analysis import Analysed

MODULES = (
    "embed.api.functions",
    "embed.api.photographs",
    "embed.api.analysis",
    "embed.api.features",
    "embed.api.transformer",
)
HEAVY = (
    "tensorflow",
    "keras",
    "openvino",
    "faiss",
    "sklearn",
    "skops",
    "pandas",
    "scipy",
    "h5py",
    "numpy",
    "PIL",
)


class Finder(doctest.DocTestFinder):
    """Finds the examples of a function with a decorator around it, too."""

    def _from_module(self, module, object):
        return super()._from_module(module, object) or getattr(object, "__module__", None) == module.__name__


def examples():
    finder = Finder(exclude_empty=True)
    for name in MODULES:
        module = importlib.import_module(name)
        yield from (
            test for test in finder.find(module, extraglobs={"embed": embed, "np": np}) if test.examples
        )


EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    """24 pictures in pictures/, their features in cache/, one model."""
    folder = tmp_path_factory.mktemp("examples")
    demo.draw(folder / "pictures", train=3, test=1)
    embed.extract_features(folder / "pictures", folder / "cache", backbone="tiny")
    embed.open(folder / "cache").fit("logistic")
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_in_docstrings_are_true(example, demo_folder, monkeypatch):
    monkeypatch.chdir(demo_folder)
    output = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.DocTestRunner(optionflags=flags).run(example, out=output.append, clear_globs=False)
    assert result.failed == 0, "".join(output)


def test_every_function_and_method_of_the_interface_has_an_example():
    shown = {example.name for example in EXAMPLES}
    wanted = {
        "embed.api.functions.extract_features",
        "embed.api.functions.open",
        "embed.api.transformer.ImageFeatures",
    }
    for owner in (embed.Photographs, Analysed, embed.Features):
        wanted |= {
            f"{owner.__module__}.{owner.__name__}.{name}"
            for name, member in vars(owner).items()
            if inspect.isfunction(member) and not name.startswith("_")
        }
    assert wanted <= shown, wanted - shown


def test_every_public_name_can_be_had_and_is_documented():
    for name in embed.__all__:
        assert name in dir(embed)
        assert name == "BACKBONES" or getattr(embed, name).__doc__


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'extract_feature'"):
        _ = embed.extract_feature


def test_extract_stays_the_module_it_is():
    assert inspect.ismodule(importlib.import_module("embed.extract"))
    assert callable(embed.extract_features)
    assert embed.extract.extract_features is not embed.extract_features


def test_importing_embed_imports_nothing_heavy(run_embed):
    code = f"import sys, embed; print([name for name in {HEAVY} if name in sys.modules])"
    assert run_embed.python("-c", code, check=True).stdout.strip() == "[]"


def test_opening_and_reading_features_needs_no_machine_learning(run_embed, demo_folder):
    code = (
        "import sys, embed; f = embed.open(); f.X, f.y, f.splits; "
        "print([n for n in ('tensorflow', 'openvino', 'faiss', 'sklearn', 'pandas') if n in sys.modules])"
    )
    assert run_embed.python("-c", code, cwd=demo_folder, check=True).stdout.strip() == "[]"


def test_an_interrupted_extraction_keeps_what_it_has_and_says_so(tmp_path):
    demo.draw(tmp_path / "pictures", train=3, test=1)

    def interrupt(progress):
        if progress.extracted == 8:
            raise KeyboardInterrupt

    arguments = dict(backbone="tiny", batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        embed.extract_features(tmp_path / "pictures", tmp_path / "cache", progress=interrupt, **arguments)
    kept = len(embed.open(tmp_path / "cache"))
    assert 0 < kept < 24
    summary = embed.extract_features(tmp_path / "pictures", tmp_path / "cache", **arguments)
    assert summary.reused == kept
    assert summary.extracted == 24 - kept

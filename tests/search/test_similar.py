"""What looks alike: the right photographs in the right order, without a forward pass where none is needed."""

import csv
import io
import json
import os
import pty
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cache_helpers import open_writer
from PIL import Image

from embed import demo
from embed.backbones import Network
from embed.cache import FeatureCache, open_features
from embed.errors import InputError, LabelError, NoFeaturesError, UsageError
from embed.extract import FeatureOptions, embed_files, extract_features
from embed.search import Searcher, SimilarOptions, similar
from embed.sources import expand

TINY = FeatureOptions(network=Network("tiny"))


COLOURS = {
    "train/red/scarlet.png": (250, 10, 10),
    "train/red/crimson.png": (220, 20, 60),
    "train/blue/navy.png": (0, 0, 128),
    "test/red/brick.png": (180, 60, 50),
    "test/blue/sky.png": (100, 150, 235),
}


@pytest.fixture
def photographs(tmp_path, backbone):
    folder = tmp_path / "photographs"
    for path, colour in COLOURS.items():
        paint(folder / path, colour)
    extract_features(folder, tmp_path / "cache", TINY)
    backbone.seen = 0
    return folder


def paint(file, colour):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), colour).save(file)
    return file


def ask(photographs, *files, **wanted):
    features = open_features(photographs.parent / "cache")
    queries = embed_files(expand(files), features)
    return list(similar(features, queries, SimilarOptions(**wanted)))


def paths(photographs, *files, **wanted):
    (found,) = ask(photographs, *files, **wanted)
    assert found.problem is None
    return [neighbour.path for neighbour in found.neighbours]


def cosine(a, b):
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_most_similar_come_first_with_their_cosine_and_label(photographs, tmp_path, backbone):
    query = paint(tmp_path / "query.png", (255, 0, 0))
    (found,) = ask(photographs, query)
    assert backbone.seen == 1
    by_hand = sorted(COLOURS, key=lambda path: -cosine(COLOURS[path], (255, 0, 0)))
    assert [one.path for one in found.neighbours] == by_hand
    for one in found.neighbours:
        assert one.similarity == pytest.approx(cosine(COLOURS[one.path], (255, 0, 0)), abs=1e-5)
        assert one.label == one.path.split("/")[1]


def test_a_cached_photograph_is_answered_without_a_forward_pass_and_not_by_itself(photographs, backbone):
    assert paths(photographs, photographs / "train/red/scarlet.png", k=1) == ["train/red/crimson.png"]
    assert paths(photographs, photographs / "train/red/scarlet.png", k=1, include_self=True) == [
        "train/red/scarlet.png"
    ]
    assert backbone.seen == 0


def test_a_copy_elsewhere_is_not_answered_by_its_original_but_by_further_copies(
    photographs, tmp_path, backbone
):
    shutil.copy(photographs / "train/red/scarlet.png", tmp_path / "copy.png")
    assert paths(photographs, tmp_path / "copy.png", k=1) == ["train/red/crimson.png"]
    assert paths(photographs, tmp_path / "copy.png", k=1, include_self=True) == ["train/red/scarlet.png"]
    shutil.copy(tmp_path / "copy.png", photographs / "train/red/scarlet too.png")
    extract_features(photographs, tmp_path / "cache", TINY)
    assert paths(photographs, tmp_path / "copy.png", k=2) == [
        "train/red/scarlet.png",
        "train/red/crimson.png",
    ]
    # One that is gone is where the query went.
    (photographs / "train/red/scarlet.png").unlink()
    assert paths(photographs, tmp_path / "copy.png", k=1) == ["train/red/scarlet too.png"]
    assert backbone.seen == 0


def test_a_photograph_renamed_since_is_still_not_its_own_answer(photographs, backbone):
    (photographs / "train/red/scarlet.png").rename(photographs / "train/red/new name.png")
    assert paths(photographs, photographs / "train/red/new name.png", k=1) == ["train/red/crimson.png"]
    assert backbone.seen == 0


def test_every_path_of_an_answer_is_named(photographs, tmp_path):
    shutil.copy(photographs / "train/red/crimson.png", photographs / "train/red/again.png")
    extract_features(photographs, tmp_path / "cache", TINY)
    assert paths(photographs, photographs / "train/red/scarlet.png", k=2) == [
        "train/red/again.png",
        "train/red/crimson.png",
    ]
    assert paths(photographs, photographs / "train/red/crimson.png", k=1) == ["train/red/again.png"]


def test_answers_can_be_limited_to_a_label_a_split_and_a_similarity(photographs):
    query = photographs / "train/red/scarlet.png"
    assert paths(photographs, query, label="blue") == ["test/blue/sky.png", "train/blue/navy.png"]
    assert paths(photographs, query, split="test") == ["test/red/brick.png", "test/blue/sky.png"]
    assert paths(photographs, query, label="red", split="test") == ["test/red/brick.png"]
    assert paths(photographs, query, threshold=0.99) == []
    assert paths(photographs, query, threshold=0.9) == ["train/red/crimson.png", "test/red/brick.png"]


def test_a_limit_that_nothing_meets_is_told(photographs):
    query = photographs / "train/red/scarlet.png"
    with pytest.raises(LabelError, match="No photograph is labelled 'green'; there are 'blue', 'red'"):
        ask(photographs, query, label="green")
    with pytest.raises(LabelError, match="No photograph is in the split 'validation'"):
        ask(photographs, query, split="validation")
    with pytest.raises(UsageError, match="split 'val' is not known; it is one of train"):
        ask(photographs, query, split="val")
    with pytest.raises(UsageError, match="k 0 asks for nothing"):
        SimilarOptions(k=0)
    with pytest.raises(UsageError, match="threshold 2 is no similarity"):
        SimilarOptions(threshold=2)


def test_many_photographs_and_folders_are_asked_at_once_and_a_bad_one_says_why(photographs, tmp_path):
    paint(tmp_path / "more" / "inside" / "a.png", (1, 2, 3))
    bad = tmp_path / "more" / "b.png"
    bad.write_bytes(b"no picture")
    one, two, three = ask(photographs, tmp_path / "more", photographs / "train/blue/navy.png", k=2)
    assert one.query == bad and one.problem and one.neighbours == []
    assert two.query == tmp_path / "more/inside/a.png" and len(two.neighbours) == 2
    assert three.query == photographs / "train/blue/navy.png" and len(three.neighbours) == 2
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="There is no image in"):
        ask(photographs, tmp_path / "nothing")


def test_a_searcher_answers_many_questions_from_many_threads_without_reading_again(photographs, monkeypatch):
    features = open_features(photographs.parent / "cache")
    files = [photographs / path for path in COLOURS]
    queries = list(embed_files(files, features))
    searcher = Searcher(features)
    monkeypatch.setattr(FeatureCache, "_read", None)
    for options in (SimilarOptions(k=2), SimilarOptions(label="red"), SimilarOptions(split="test")):
        with ThreadPoolExecutor(4) as pool:
            found = list(
                pool.map(lambda one, options=options: list(searcher.similar([one], options)), queries)
            )
        monkeypatch.undo()
        assert [one for (one,) in found] == list(similar(features, queries, options))
        monkeypatch.setattr(FeatureCache, "_read", None)


def test_python_asks_again_without_reading_again(photographs, monkeypatch):
    import embed

    features = embed.open(photographs.parent / "cache")
    first = features.similar(photographs / "train/red/scarlet.png", k=3)
    opened = []
    monkeypatch.setattr(
        sys.modules[Searcher.__module__], "open_index", lambda *given, **_: opened.append(given)
    )
    again = features.similar(photographs / "train/red/scarlet.png", k=3)
    assert again.equals(first) and opened == []


def test_an_empty_set_says_so(tmp_path):
    with open_writer(tmp_path):
        pass
    with pytest.raises(NoFeaturesError, match="There is no photograph in data--"):
        Searcher(open_features(tmp_path / "cache"))
    with pytest.raises(NoFeaturesError, match="There is no photograph in data--"):
        next(similar(open_features(tmp_path / "cache"), [], SimilarOptions()))


# ---- the command, in processes of its own


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A drawn data set with features of the backbone that needs no other weights."""
    folder = tmp_path_factory.mktemp("drawn")
    demo.draw(folder / "pictures", train=6, test=3)
    extract_features(folder / "pictures", folder / "cache", TINY)
    return folder


def test_the_command_prints_json_csv_and_paths(drawn, run_embed):
    query = "pictures/test/fish/fish-000.jpg"
    answers = json.loads(run_embed("similar", query, "-k", "3", "--json", cwd=drawn, check=True).stdout)
    assert [list(answer) for answer in answers] == [["query", "rank", "path", "similarity", "label"]] * 3
    assert [answer["rank"] for answer in answers] == [1, 2, 3]
    assert {answer["query"] for answer in answers} == {query}
    assert all(-1 <= answer["similarity"] <= 1 for answer in answers)
    table = run_embed("similar", query, "-k", "3", "--csv", cwd=drawn, check=True).stdout
    assert [row["path"] for row in csv.DictReader(io.StringIO(table))] == [
        answer["path"] for answer in answers
    ]
    files = [str(drawn / "pictures" / answer["path"]) for answer in answers]
    assert (
        run_embed("similar", query, "-k", "3", "--paths", cwd=drawn, check=True).stdout.splitlines() == files
    )
    zeros = run_embed("similar", query, "-k", "3", "-0", cwd=drawn, check=True).stdout
    assert zeros.split("\0") == [*files, ""]


def test_the_command_imports_nothing_heavy(drawn, run_embed):
    known = drawn / "pictures/test/fish/fish-000.jpg"
    Image.open(known).rotate(7).save(drawn / "outside.jpg")  # not in the cache
    run_embed("similar", "outside.jpg", cwd=drawn, check=True)  # builds the index
    program = (
        "import sys; from embed.cli import main; file, *heavy = sys.argv[1:]; code = main(['similar', file]);"
        "heavy = set(heavy) & set(sys.modules); sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    heavy = ["tensorflow", "keras", "sklearn", "pandas", "matplotlib", "scipy", "faiss", "h5py"]
    assert run_embed.python("-c", program, "outside.jpg", *heavy, cwd=drawn).stderr == ""
    assert run_embed.python("-c", program, known, *heavy, "openvino", cwd=drawn).stderr == ""


def test_a_bad_photograph_is_one_sentence_and_exit_code_one(drawn, run_embed):
    (drawn / "bad.jpg").write_text("no picture")
    result = run_embed("similar", "bad.jpg", cwd=drawn)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("embed: bad.jpg: ") and result.stderr.count("\n") == 1
    both = run_embed("similar", "bad.jpg", "pictures/test/fish/fish-001.jpg", "--strict", "--json", cwd=drawn)
    assert both.returncode == 3 and len(json.loads(both.stdout)) == 10


def test_in_a_terminal_a_single_query_stands_above_its_table(drawn):
    def shown(*queries):
        reading, writing = pty.openpty()
        command = [sys.executable, "-m", "embed.cli", "similar", *queries, "-k", "2"]
        subprocess.run(
            command, cwd=drawn, stdout=writing, env={**os.environ, "COLUMNS": "160"}, check=True, timeout=240
        )
        os.close(writing)
        text = os.read(reading, 100_000).decode()
        os.close(reading)
        return text

    one, other = "pictures/test/fish/fish-000.jpg", "pictures/test/fish/fish-001.jpg"
    alone, both = shown(one), shown(one, other)
    assert alone.count(one) == 1 and alone.index(one) < alone.index("rank") and "query" not in alone
    assert "query" in both and both.count(one) == both.count(other) == 2


def test_asking_before_extracting_is_one_sentence(tmp_path, run_embed):
    paint(tmp_path / "a.png", (1, 2, 3))
    result = run_embed("similar", "a.png")
    assert result.returncode == 1
    assert (
        result.stderr.startswith("embed: ") and "extract" in result.stderr and result.stderr.count("\n") == 1
    )


def test_hostile_names_neither_break_the_page_nor_run(drawn, run_embed, tmp_path):
    folder = tmp_path / "hostile"
    names = [b"<script>alert(1).jpg", b'" onerror="alert(1).jpg', b"caf\xe9\n.jpg", b"\xe2\x80\xaegpj.jpg"]
    for i, name in enumerate(names):
        place = os.path.join(os.fsencode(folder), b"<b>", name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(drawn / f"pictures/train/fish/fish-00{i}.jpg", place)
    extracting = run_embed("extract", folder, "--backbone", "tiny", check=True)
    assert "4 images" in extracting.stdout
    query = drawn / "pictures/test/fish/fish-001.jpg"
    run_embed("similar", query, "--html", "page.html", check=True)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("<script") == 0 and "<b>" not in page and "\u202e" not in page
    assert page.count('src="data:image/jpeg;base64,') == 5
    assert page.count("onerror=") == page.count("&#34; onerror=&#34;") > 0
    listed = run_embed("similar", query, "-0", check=True, cwd=tmp_path).stdout
    assert sorted(os.path.basename(os.fsencode(name)) for name in listed.split("\0")[:-1]) == sorted(names)


def test_names_of_any_bytes_are_found_and_asked_by(photographs, tmp_path):
    odd, copy = (os.fsdecode(name) for name in (b"train/caf\xe9/\xff\xe9.png", b"train/caf\xe9/\xff\n.png"))
    paint(photographs / odd, (1, 2, 3))
    paint(photographs / copy, (1, 2, 3))
    extract_features(photographs, tmp_path / "cache", TINY)
    elsewhere = paint(tmp_path / os.fsdecode(b"\xe9lsewhere.png"), (1, 2, 4))
    (found,) = ask(photographs, elsewhere, k=1)
    assert found.query == elsewhere
    assert (found.neighbours[0].path, found.neighbours[0].label) == (copy, os.fsdecode(b"caf\xe9"))
    assert paths(photographs, photographs / odd, k=1, include_self=True) == [copy]


def test_a_page_is_self_contained(drawn, run_embed):
    run_embed("similar", "pictures/test", "--html", "page.html", cwd=drawn, check=True)
    page = Path(drawn / "page.html").read_text("utf-8")
    assert "http:" not in page and "https:" not in page and "url(" not in page
    assert "default-src 'none'" in page


def test_options_that_cannot_work_are_told_by_their_flags(drawn, run_embed):
    query = "pictures/test/fish/fish-000.jpg"
    result = run_embed("similar", query, "-k", "0", cwd=drawn)
    assert (result.returncode, result.stderr) == (2, "embed: -k 0 asks for nothing; it is 1 or more.\n")
    result = run_embed("index", "--kind", "tree", cwd=drawn)
    assert result.returncode == 2 and result.stderr.startswith("embed: --kind 'tree' is not known")


def test_open_needs_a_page(drawn, run_embed):
    result = run_embed("similar", "bad.jpg", "--open", cwd=drawn)
    assert result.returncode == 2 and "--html" in result.stderr

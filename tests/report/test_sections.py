"""What the sections of a report show."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from embed.report import sections
from embed.report.page import environment
from embed.report.pictures import Pictures


def shown(name, content):
    return str(getattr(environment().get_template("sections.html").module, name)(content))


def test_a_large_confusion_matrix_is_cut_to_the_classes_that_are_confused():
    classes = [f"c{i:02}" for i in range(60)]
    counts = np.eye(60, dtype=int)
    counts[59, [59, 0]] = 0, 1
    table = shown("confusion", sections.confusion(pd.DataFrame(counts, index=classes, columns=classes)))
    assert "40 classes of 60" in table and "c59" in table and table.count("<tr>") == 41


def test_a_class_that_was_not_trained_on_is_a_row_without_a_column():
    counts = pd.DataFrame([[3, 0], [1, 2], [0, 4]], index=["a", "b", "new"], columns=["a", "b"])
    table = sections.confusion(counts)
    assert table["columns"] == ["a", "b"] and [name for name, _ in table["rows"]] == ["a", "b", "new"]
    (none, wrong) = table["rows"][2][1]
    assert (
        none["count"] == 0 and wrong["title"] == "4 of 4 new, predicted to be b (100%)" and not wrong["right"]
    )
    assert shown("confusion", table).count('scope="row"') == 3


def test_of_hundreds_of_classes_the_worst_are_seen_first_and_the_others_are_folded(tmp_path):
    names = [f"c{i:03}" for i in range(200)]
    table = pd.DataFrame({"class": names, "n": 5, "recall": np.linspace(1, 0, 200), "predicted": 5})
    table = table.assign(recall_low=0.0, recall_high=1.0, precision=0.5, f1=0.5)
    counts = pd.DataFrame(np.eye(200, dtype=int) * 5, index=names, columns=names)
    predictions = pd.DataFrame({"label": names, "predicted": names, "probability": 0.5, "path": "gone.jpg"})
    scores = SimpleNamespace(classes=table, confusion=counts, predictions=predictions)
    found = sections.classes(scores, tmp_path, Pictures(8))
    assert [row["class"] for row in found["rows"]] == names[: -sections.WORST_CLASSES - 1 : -1]
    page = shown("classes", found)
    assert page.index("c199") < page.index("<details>") < page.index("c000") and "176 further classes" in page


def test_a_rare_error_is_shaded_and_says_what_it_is():
    table = sections.confusion(pd.DataFrame([[99, 1], [0, 10]], index=["a", "b"], columns=["a", "b"]))
    (_, (right, wrong)), (_, (none, all_right)) = table["rows"]
    assert (right["shade"], wrong["shade"], none["count"], all_right["shade"]) == (10, 3, 0, 10)
    assert wrong["title"] == "1 of 100 a, predicted to be b (1%)"
    assert "shade-3" in shown("confusion", table)

"""Templates: whatever they show is seen as it is and does nothing, and nothing is left undefined."""

import base64
import hashlib
import re
from importlib.resources import files

import pytest
from jinja2 import UndefinedError
from pages import Page

from embed.report import page

TEMPLATES = sorted(files("embed.report").joinpath("templates").iterdir(), key=lambda file: file.name)
HOSTILE = [
    "</title></style></script><script>alert(1)</script>",
    '" onmouseover="alert(1)" x="',
    "' onmouseover='alert(1)' x='",
    "{{ 7 * 7 }}{% include 'page.html' %}",
    "&lt;b&gt;",
    "txt.\u202egpj\u2066\u200b",  # turns around what follows, and cannot be seen
    "caf\udce9\n\x00\x1b[31m",  # bytes that are no UTF-8, and what a terminal obeys
]


def gallery(text):
    card = {"picture": {"source": "", "problem": text, "heat": ()}, "path": text, "name": text}
    card |= {
        "figure": text,
        "note": [text],
        "tone": text,
        "lead": False,
        "label": text,
        "predicted": "x" + text,
    }
    card |= {"sure": 0.5}
    card["picture"] |= {"link": text}
    groups = [{"title": text, "note": text, "cards": [card]}]
    return page.render("gallery.html", title=text, summary=text, groups=groups)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(text):
    read, harmless = Page(gallery(text)), Page(gallery("x"))
    assert read.open == []
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in harmless.elements]
    assert [sorted(found) for _, found in read.elements] == [sorted(found) for _, found in harmless.elements]
    assert "".join(read.words).count(page.visible(text)) == 12
    gallery(text).encode("utf-8")


def test_what_cannot_be_seen_is_written_out():
    assert page.visible("a\u202eb\udce9\n") == "a\\u202eb\\udce9\\n"
    assert page.visible("шарф — 犬 ✓") == "шарф — 犬 ✓"
    assert page.visible(3) == 3


def test_a_long_name_is_cut_in_its_middle_and_whole_where_the_mouse_rests():
    name = "a" * 200 + "<>" + "b" * 200
    read = Page(gallery(name))
    assert name in read.attributes("title") and max(map(len, read.words)) < 5000
    shown = page.middle(name)
    assert shown in read.words and len(shown) < 130 and shown[0] == "a" and shown[-1] == "b"
    assert page.middle("a" * 120) == "a" * 120


def test_a_page_obeys_its_own_style_and_script_only():
    written = page.render(
        "map.html", styles=("page.css", "map.css"), scripts=("map.js",), title="", summary="", data={}
    )
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', written).group(1)
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", written, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    assert "script-src 'none'" in gallery("x")


def test_a_value_that_a_template_misses_is_an_error():
    with pytest.raises(UndefinedError):
        page.render("gallery.html", title="no groups", summary="")


def test_no_template_goes_round_the_escaping():
    assert {file.name for file in TEMPLATES} >= {"page.html", "report.html", "gallery.html", "map.html"}
    for file in TEMPLATES:
        text = file.read_text("utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup", text), file.name
        assert not re.search(r"\sstyle=|\son\w+=", text), f"{file.name}: the page's policy forbids these"


def test_numbers_that_are_not_defined_are_a_dash():
    assert page.share(0.1234) == "12.3%" and page.share(0.1234, 0) == "12%" and page.decimals(0.5) == "0.500"
    assert page.share(float("nan")) == page.decimals(None) == "–"
    assert page.counted(1, "file") == "1 file" and page.counted(1200, "file") == "1,200 files"
    assert page.counted(0, "class", "classes") == "0 classes"
    assert [page.sure(p) for p in (1, 0.9999, 0.997, 0.42, 0.05, 1e-5, 0)] == [
        *("100.0%", "more than 99.9%", "99.7%", "42%", "5.0%", "less than 0.1%", "0.0%")
    ]


def test_the_libraries_are_imported_where_a_page_is_written(run_embed):
    heavy = "{'jinja2', 'markupsafe', 'matplotlib', 'pandas', 'sklearn', 'tensorflow', 'openvino'}"
    program = f"import sys, embed.cli; embed.cli.register(); import embed.report; print({heavy} & sys.modules.keys())"
    assert run_embed.python("-c", program, check=True).stdout == "set()\n"

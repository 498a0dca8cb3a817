"""Cells that a spreadsheet may open, and that give every text back."""

import csv
import doctest
import io
import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embed.files import cells, escape, unescape, write_rows


@given(st.binary().map(os.fsdecode))
def test_any_file_name_comes_back_from_its_cell(name):
    cell = escape(name)
    assert unescape(cell) == name
    assert cell.encode().decode() == cell
    # Neither control characters nor ends of lines, whatever Python's tables say of characters not assigned yet.
    assert not {unicodedata.category(character) for character in cell} & {"Cc", "Cs", "Zl", "Zp"}
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text())
def test_any_reason_comes_back_from_a_file(text):
    row = io.StringIO()
    csv.writer(row).writerow([escape(text), "x"])
    assert unescape(next(csv.reader(io.StringIO(row.getvalue(), newline="")))[0]) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\u3000=1", "\\'=1"])
def test_no_text_is_a_formula_in_a_file_and_numbers_stay_numbers(text):
    stream = io.StringIO()
    write_rows(stream, ["path", text], [(text, -1.5), (None, 2)])
    rows = list(csv.reader(io.StringIO(stream.getvalue())))
    assert not [cell for cell in (rows[0][1], rows[1][0]) if cell.lstrip()[:1] in "=+-@"]
    assert [unescape(rows[0][1]), unescape(rows[1][0])] == [text, text]
    assert (rows[1][1], rows[2]) == ("-1.5", ["", "2"])


def test_the_examples_are_true():
    assert doctest.testmod(cells) == (0, 2)

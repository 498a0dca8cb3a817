import numpy as np
import pytest

from embed.errors import UsageError
from embed.labels import assign, with_where

PATHS = ["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"]
TABLE = (
    "path,label,site,year,night,camera id,weight,class,From\n1.jpg,cat,A,2019,true,01,1.5,x,p\n2.jpg,dog,B,2021,false,1,NA,y,p\n"
    "3.jpg,dog,A,2022,true,2,0.5,y,q\n"
)


@pytest.fixture
def asked(tmp_path):
    """Return the numbers of the photographs that a condition asks for."""

    def ask(where, rule=None):
        (tmp_path / "table.csv").write_text(TABLE)
        found = assign(PATHS, with_where(rule or f"csv:{tmp_path / 'table.csv'}", where))
        assert [label is not None for label in found.labels] == (
            found.asked & (np.arange(4) < 3)
        ).tolist() or rule
        return (np.flatnonzero(found.asked) + 1).tolist()

    return ask


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("site == 'A' and year >= 2020", [3]),
        ("site == 'A' or year == 2021", [1, 2, 3]),
        ("(site == 'A') & (year >= 2020)", [3]),
        ("site == 'A' & year >= 2020", [3]),
        ("not site == 'A'", [2]),
        ("~(site == 'A')", [2]),
        ("site != 'A'", [2]),
        ("site in ['B', 'C']", [2]),
        ("site not in ('B',)", [1, 3]),
        ("2019 < year <= 2021", [2]),
        ("year > '2020'", [2, 3]),
        ("year == '2021'", [2]),
        ("year % 2 == 0", [3]),
        ("year - 2000 == 19", [1]),
        ("-year < -2021", [3]),
        ("`camera id` == 1", [1, 2]),
        ("`camera id` == '01'", [1]),
        ("weight > 0.7", [1]),
        ("weight < 0.7", [3]),
        ("night", [1, 3]),
        ("not night", [2]),
        ("night == True", [1, 3]),
        ("label == 'dog'", [2, 3]),
        ("Site == 'B'", [2]),
        ("site == '@x' or site == 'B'", [2]),
        ("class == 'x'", [1]),
        ("`class` == 'y' and from == 'p'", [2]),
        ("class in ['x'] or site == 'class'", [1]),
        ("year * 99999999999999999999999999 > 1", [1, 2, 3]),
    ],
)
def test_a_condition_asks_for_photographs(asked, where, numbers):
    assert asked(where) == numbers


def test_what_is_known_without_a_table_can_be_asked_for(asked):
    assert asked("label == 'b'", "folder") == [3, 4]
    assert asked("path == 'a/2.jpg' or label != 'a'", "folder") == [2, 3, 4]


@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("@os == 1", "an @, which would name something outside"),
        ("__import__('os').system('true')", "names '__import__', which is no column"),
        ("site.__class__ == 1", "a point after a name"),
        ("site.str.len() == 1", "a point after a name|the call of a function"),
        ("year in range(3)", "names 'range', which is no column"),
        ("site[0] == 'A'", "square brackets"),
        ("(lambda: 1)() == year", "the call of a function"),
        ("(x := year) == 1", "names 'x'|an assignment"),
        ("f'{site}' == 'A'", "a text that is computed"),
        ("9**9**9**9 == year", "a power"),
        ("'a' * 9999999999 == site", "calculates with 'a'"),
        ("year << 99999999 == 1", "an operation on bits"),
        ("[one for one in (1, 2)] == year", "names 'one'"),
        ("site == A", "names 'A', which is no column; the columns are .*Text needs quotes"),
        ("site == 1", "compares text with numbers: the column 'site' holds 'A'"),
        ("site", "compares nothing"),
        ("site is 'A'", "write =="),
        ("site == None", "a cell without a value is ''"),
        ("'A' in site", "after in stands a list"),
        ("site + 1 == 2", "calculates with the column 'site'"),
        ("1 == 1", "names no column"),
        ("", "cannot be read"),
        ("site == 'A", "cannot be read"),
        ("lambda == 1", "cannot be read .*a column whose name is no word stands between backticks"),
        ("site = 'A'", "cannot be read"),
        ("site == 'A'; year", "cannot be read"),
        ("(" * 4000 + "year" + ")" * 4000, "cannot be read|too long or too deep"),
        ("-" * 9000 + "1 == year", "too long or too deep"),
        ("not " * 2400 + "night", "too long or too deep"),
        ("year == 1" + " or year == 1" * 1000, "characters"),
        ("year == " + "9" * 5000, "cannot be read|too long or too deep"),
        ("site == '\0'", "cannot be read|no text"),
        ("site == 'Q'", "asks for none of 4 photographs; 'site' is 'A', 'B'"),
    ],
)
def test_whatever_else_a_condition_holds_is_refused_in_one_sentence(asked, where, part):
    with pytest.raises(UsageError, match=part) as error:
        asked(where)
    assert error.value.parameter == "where" and len(str(error.value)) < 500


def test_a_condition_is_kept_in_the_rule(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    where = "site == 'A;%41' or year > 2020 & `camera id` == 2"
    found = assign(PATHS, with_where(f"csv:{tmp_path / 'table.csv'}", where))
    again = assign(PATHS, found.rule)
    assert again.rule == found.rule and again.labels.tolist() == found.labels.tolist() == [
        None,
        None,
        "dog",
        None,
    ]
    assert found.notes[-1] == f"{where!r} asks for 1 of 4 photographs"

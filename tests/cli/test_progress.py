"""What an extraction tells on stderr while it goes on."""

from waiting import until

from embed import demo
from embed.cli import progress
from embed.extract import Progress


def test_a_backbone_that_has_to_be_prepared_is_announced_before_that(run_embed, tmp_path):
    demo.draw(tmp_path / "pictures", train=1, test=0)
    told = [
        run_embed(
            "extract",
            "pictures",
            "--backbone",
            "tiny",
            env={"EMBED_HOME": str(tmp_path / "home")},
            check=True,
        ).stderr
        for _ in range(2)
    ]
    assert told == ["preparing the backbone, once on this machine\n", ""]


def test_a_rate_is_told_once_it_means_something(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_BEFORE_ANYTHING", 0)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    with progress.ExtractionDisplay() as display:
        display.update(Progress("extracting", total=400, extracted=1, seconds=8))
        display.update(Progress("extracting", total=400, extracted=100, reused=50, seconds=10))
        display.update(Progress("extracting", total=40_000, extracted=100, seconds=10))
        display.update(Progress("extracting", extracted=100, seconds=10))
    assert capsys.readouterr().err.splitlines() == [
        "extracting: 1 of 400 images",
        "extracting: 150 of 400 images, 10/s, 25 s left",
        "extracting: 100 of 40000 images, 10/s, 66 min left",
        "extracting: 100 images, 10/s",
    ]


def test_a_stage_that_goes_on_for_long_is_told_while_it_does(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BEFORE_STAGES", 0.3)
    told = []
    monkeypatch.setattr(progress.common, "say", told.append)
    with progress.StageDisplay() as display:
        display("fitting", 0, 0)
        until(lambda: told, "the stage")
    assert told == ["fitting"]


def test_every_stage_that_goes_on_for_long_is_told_once(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BEFORE_STAGES", 0.1)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.2)
    told = []
    monkeypatch.setattr(progress.common, "say", told.append)
    with progress.StageDisplay() as display:
        display("reading", 0, 0)
        until(lambda: told, "the first stage")
        display("placing", 0, 9)  # too soon after the first, and nothing follows
        until(lambda: len(told) > 1, "the second stage")
    assert told == ["reading", "placing"]


def test_what_is_done_soon_is_not_told(monkeypatch, capsys):
    for quiet, seconds in ((False, 60), (True, 0)):
        monkeypatch.setattr(progress, "SECONDS_BEFORE_STAGES", seconds)
        with progress.StageDisplay(quiet=quiet) as display:
            display("fitting", 0, 0)
            display("fitting", 1, 2)
    assert capsys.readouterr().err == ""


def test_stages_are_told_with_their_numbers(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_BEFORE_STAGES", 0)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    with progress.StageDisplay() as display:
        display("comparing", 1_000, 20_000)
    assert "comparing: 1,000 of 20,000" in capsys.readouterr().err.splitlines()

"""What an extraction tells on stderr while it goes on."""

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

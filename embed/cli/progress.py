"""Progress on stderr: in a terminal a bar or a line that changes, elsewhere a line every few seconds."""

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from embed.cli import common

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from embed.extract import Progress
    from embed.tune import Step

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BEFORE_ANYTHING = 0.5  # a run that finds nothing new shows no bar
SECONDS_BEFORE_STAGES = 2.0
SECONDS_BETWEEN_CHANGES = 0.2  # of a line in a terminal
CLEAR_LINE = "\x1b[K"
LEAST_EXTRACTED = 64  # before a rate is told: the first photographs wait for what has to be loaded


class ExtractionDisplay:
    """Shows each ``Progress`` it is given; a context manager, so that the terminal is left tidy."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.started = time.monotonic()
        self.next_line = self.started + SECONDS_BETWEEN_LINES
        self.bar: Bar | None = None

    def __enter__(self) -> "ExtractionDisplay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Leave the terminal to others, until there is more to show."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def update(self, progress: "Progress") -> None:
        """Show how far the extraction is."""
        now = time.monotonic()
        if self.quiet or (now - self.started < SECONDS_BEFORE_ANYTHING and not progress.preparing):
            return
        if sys.stderr.isatty():
            self._update_bar(progress)
        elif progress.preparing:
            common.say(progress.stage)
        elif now >= self.next_line:
            self.next_line = now + SECONDS_BETWEEN_LINES
            common.say(_line(progress))

    def _update_bar(self, progress: "Progress") -> None:
        if self.bar is None:
            self.bar = _new_bar()
            self.bar.start()
            self.bar.add_task(progress.stage, total=None, rate="")
        self.bar.update(
            self.bar.task_ids[0],
            description=progress.stage,
            completed=progress.done,
            total=progress.total,
            rate=_rate(progress),
        )


class StageDisplay:
    """Shows what takes longer than two seconds: what is done, and how many of how many, where that is known. A context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._next_line = time.monotonic() + SECONDS_BEFORE_STAGES
        self._line = self._told = ""
        self._shown = False
        self._writing = threading.RLock()
        self._ended = threading.Event()

    def __enter__(self) -> "StageDisplay":
        threading.Thread(target=self._watch, name="progress", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with self._writing:
            self._quiet = True
            self._clear()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far the work is."""
        of = f" of {total:,}" if total else ""
        self._line = f"{what}: {done:,}{of}" if done else what
        self._show()

    def _watch(self) -> None:
        """Show a stage that goes on for long and tells nothing meanwhile."""
        while not self._ended.wait(max(0.01, self._next_line - time.monotonic())):
            self._show()

    def _show(self) -> None:
        with self._writing:
            if self._quiet or time.monotonic() < self._next_line:
                return
            in_terminal = sys.stderr.isatty()
            if self._line == self._told:
                self._next_line = time.monotonic() + SECONDS_BETWEEN_CHANGES
                return
            pause = SECONDS_BETWEEN_CHANGES if in_terminal else SECONDS_BETWEEN_LINES
            self._next_line = time.monotonic() + pause
            self._told = self._line
            if in_terminal:
                print(f"\r{self._line}{CLEAR_LINE}", end="", file=sys.stderr, flush=True)
                self._shown = True
            else:
                common.say(self._line)

    def notice(self, message: str) -> None:
        """Say a sentence that stays."""
        with self._writing:
            self._clear()
            common.say(message)

    def _clear(self) -> None:
        if self._shown:
            print(f"\r{CLEAR_LINE}", end="", file=sys.stderr, flush=True)
            self._shown = False
            self._told = ""


class TrainingDisplay:
    """Shows each `Step` of a training; a context manager, so that the terminal is left tidy."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        self._bar: Bar | None = None

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Leave the terminal to others, until there is more to show."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def update(self, step: "Step") -> None:
        """Show how far the training is: the time left is that of all epochs, before which it may stop."""
        if self._quiet:
            return
        numbers = f"loss {step.loss:.3f}, accuracy {step.accuracy:.3f}"
        if step.validation_accuracy is not None:
            numbers += f", held out {step.validation_accuracy:.3f}"
        epoch = f"training, epoch {step.epoch} of {step.epochs} at most"
        done, total = (step.epoch - 1) * step.steps + step.step, step.epochs * step.steps
        now = time.monotonic()
        if sys.stderr.isatty():
            if self._bar is None:
                self._bar = _new_bar()
                self._bar.start()
                self._bar.add_task(epoch, total=total, rate="")
            self._bar.update(self._bar.task_ids[0], description=epoch, completed=done, rate=numbers)
        elif now >= self._next_line or done == total:
            self._next_line = now + SECONDS_BETWEEN_LINES
            common.say(f"{epoch}: {step.step} of {step.steps} steps, {numbers}")


def _new_bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _rate(progress: "Progress") -> str:
    return f"{progress.rate:.0f}/s" if progress.extracted >= LEAST_EXTRACTED else ""


def _line(progress: "Progress") -> str:
    of = f" of {progress.total}" if progress.total is not None else ""
    line = f"{progress.stage}: {progress.done}{of} images"
    rate = _rate(progress)
    if rate:
        line += f", {rate}"
    if rate and progress.total is not None:
        seconds = (progress.total - progress.done) / progress.rate
        line += f", {seconds / 60:.0f} min left" if seconds > 120 else f", {seconds:.0f} s left"
    return line

"""Whether a node can take part: it sees the cache, its locks and the photographs, and computes the same features."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import embed
from embed import backbones, files, machine
from embed.distributed.job import Answer, Job, Question
from embed.distributed.worker import network_of
from embed.errors import CacheWriteError, EmbedError
from embed.extract import libraries
from embed.sources import Content, Item, Source

SHARED = "a cluster needs a cache on a file system that all its nodes share"


class Prober:
    """Asks nodes, and judges what they say.

    Parameters
    ----------
    folder : Path
        Of the feature set.
    source : Source
    question : Question
    """

    def __init__(self, folder: Path, source: Source, question: Question) -> None:
        self.question = question
        self._folder, self._source = folder, source
        self._sha256 = _sha256(source, question.item)
        self._here: Answer | None = None

    def problem(self, answer: Answer) -> str:
        """Return why a node cannot take part, as a clause about it; empty where it can."""
        if answer.version != embed.__version__:
            return f"has embed {answer.version}, and this machine {embed.__version__}"
        if answer.problem:
            return answer.problem
        written = self._folder / answer.file
        try:
            if written.read_bytes() != self.question.text:
                raise OSError
        except OSError:
            return f"writes to another {self._folder}: {SHARED}"
        try:
            os.link(written, linked := written.with_name(f"{written.name}-linked"))
            linked.unlink()
        except OSError as error:
            return f"writes to a {self._folder} that has no hard links ({error.strerror}): take another file system"
        finally:
            with suppress(OSError):
                written.unlink()
        item = self.question.item
        if answer.sha256 != self._sha256 and (expected := _sha256(self._source, item)):
            if answer.unread:
                return f"cannot read {item.name}, which this machine can: it {answer.unread}"
            if answer.sha256 != expected:
                return f"reads another photograph than this machine where {item.name} should be"
        return ""

    def differences(self, answer: Answer) -> list[str]:
        """Return what of a node is not like this machine, so that features may differ in their last digits."""
        here = self._here = self._here or Answer(embed.__version__, libraries(), backbones.processor())
        found = (
            [] if answer.processor == here.processor else [f"{answer.processor} instead of {here.processor}"]
        )
        for name in sorted({*here.libraries, *answer.libraries}):
            there, this = answer.libraries.get(name, "none"), here.libraries.get(name, "none")
            if there != this:
                found.append(f"{name} {there} instead of {this}")
        return found


@contextmanager
def prober(folder: Path, source: Source, item: Item) -> Iterator[Prober]:
    """Keep ready what nodes are asked about, for as long as there may be another one.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    text = secrets.token_hex(16).encode()
    with files.Draft(folder, durable=False) as draft:
        draft.write(text)
        yield Prober(folder, source, Question(draft.path.name, text, item))


def answer(job: Job, question: Question, processors: int) -> Answer:
    """Return what this machine says of itself; called on a node."""
    machine.share(processors)
    try:
        problem = _cache_problem(job.folder, question)
        if problem:
            return Answer(embed.__version__, problem=problem)
        network_of(job)
        with files.Draft(job.folder, durable=False) as draft:
            draft.write(question.text)
            name = draft.hand_over()
    except CacheWriteError as error:
        return Answer(embed.__version__, problem=str(error))
    except EmbedError as error:
        return Answer(embed.__version__, problem=f"cannot compute the features: {error}")
    ((_, content),) = job.source.read([question.item])
    read, unread = (b"", content) if isinstance(content, str) else (content.sha256, "")
    return Answer(embed.__version__, libraries(), backbones.processor(), name, read, unread)


def _cache_problem(folder: Path, question: Question) -> str:
    """Return why the cache is not shared with the driver; empty where it is."""
    try:
        descriptor = os.open(folder / question.file, os.O_RDONLY)
    except OSError:
        return f"does not see what this machine writes to {folder}: {SHARED}"
    try:
        if os.pread(descriptor, len(question.text) + 1, 0) != question.text:
            return f"has another {folder}: {SHARED}"
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ""
    except OSError as error:
        return f"cannot lock files in {folder} ({error.strerror}): take a file system with locks (flock)"
    finally:
        os.close(descriptor)
    return f"does not see the locks that this machine holds in {folder}: two could write at once; take a file system with locks (flock)"


def _sha256(source: Source, item: Item) -> bytes:
    """Return the digest of a photograph as this machine reads it; nothing where it cannot."""
    ((_, content),) = source.read([item])
    return content.sha256 if isinstance(content, Content) else b""

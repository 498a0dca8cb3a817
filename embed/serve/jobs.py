"""What takes long goes on in the background, one job of a kind at a time, and tells how far it is."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from embed.errors import EmbedError

log = logging.getLogger(__name__)


@dataclass
class Job:
    """Something under way, or how it ended.

    Attributes
    ----------
    kind : str
    stage : str
        What is done just now.
    done, total : int or None
        How many of how many.
    running : bool
    problem : str
        Why it failed.
    result : object
        What came of it.
    number : int
        Which one of its kind it is, from 1.
    stopping : Event
        Set when it should stop.
    """

    kind: str
    stage: str = ""
    done: int | None = None
    total: int | None = None
    running: bool = True
    problem: str = ""
    result: Any = None
    number: int = 1
    started: float = 0.0
    seconds: float = 0.0
    stopping: threading.Event = field(default_factory=threading.Event, repr=False)

    def told(self, what: str, done: int, total: int) -> None:
        """Note how far it is. Raises KeyboardInterrupt where it should stop."""
        self.stage, self.done, self.total = what, done, total
        if self.stopping.is_set():
            raise KeyboardInterrupt

    def document(self) -> dict[str, Any]:
        """Return it for the page."""
        return {
            "kind": self.kind,
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "running": self.running,
            "problem": self.problem,
            "number": self.number,
            "result": self.result if isinstance(self.result, dict) else None,
            "seconds": round(self.seconds if not self.running else time.monotonic() - self.started, 1),
        }


Work = Callable[["Job"], Any]


class Jobs:
    """Runs jobs in threads.

    Parameters
    ----------
    after : callable
        Called when one has ended, in its thread.
    """

    def __init__(self, after: Callable[[], object]) -> None:
        self._after = after
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._again: dict[str, Work] = {}
        self.stopping = threading.Event()

    def start(self, kind: str, work: Work, *, again: bool = False) -> Job:
        """Start a job, unless one of its kind is running: then return that.

        Parameters
        ----------
        kind : str
        work : callable
            Takes the job, to tell how far it is; what it returns is the result.
        again : bool
            Where one is running, run this one after it.
        """
        with self._lock:
            before = self._jobs.get(kind)
            if before is not None and before.running:
                if again:
                    self._again[kind] = work
                return before
            return self._begin(kind, work, before)

    def _begin(self, kind: str, work: Work, before: Job | None) -> Job:
        number = 1 if before is None else before.number + 1
        job = Job(kind, number=number, started=time.monotonic(), stopping=self.stopping)
        self._jobs[kind] = job
        thread = threading.Thread(target=self._run, args=(job, work), name=kind, daemon=True)
        self._threads[kind] = thread
        thread.start()
        return job

    def of(self, kind: str) -> Job | None:
        """Return the job of a kind that was started last."""
        return self._jobs.get(kind)

    def documents(self) -> list[dict[str, Any]]:
        """Return all for the page."""
        with self._lock:
            return [job.document() for job in self._jobs.values()]

    def close(self) -> None:
        """Ask all to stop, and wait until they have."""
        self.stopping.set()
        for thread in list(self._threads.values()):
            thread.join()

    def _run(self, job: Job, work: Work) -> None:
        try:
            job.result = work(job)
        except EmbedError as error:
            job.problem = str(error)
        except KeyboardInterrupt:
            job.problem = "was interrupted"
        except MemoryError:
            job.problem = "This machine has not enough memory for that."
        except Exception:
            log.exception("%s failed", job.kind)
            job.problem = "Something went wrong; the terminal says what."
        self._after()
        with self._lock:
            job.seconds = time.monotonic() - job.started
            job.running = False
            following = self._again.pop(job.kind, None)
            if following is not None and not self.stopping.is_set():
                self._begin(job.kind, following, job)

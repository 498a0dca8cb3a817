"""What a server did, as Prometheus reads it."""

import threading
from collections import Counter

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Measures:
    """Counts requests by their endpoint and status, and how long they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._within: Counter[tuple[str, float]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()

    def count(self, method: str, path: str, status: int, seconds: float) -> None:
        """Note one request."""
        with self._lock:
            self._requests[method, path, status] += 1
            self._seconds[path] += seconds  # type: ignore[assignment]
            self._counted[path] += 1
            for bound in BOUNDS:
                if seconds <= bound:
                    self._within[path, bound] += 1

    def text(self, gauges: dict[str, tuple[str, float]]) -> str:
        """Return everything, with gauges: name → (what it is, its value)."""
        with self._lock:
            lines = ["# HELP embed_requests_total Requests answered.", "# TYPE embed_requests_total counter"]
            lines += [
                f'embed_requests_total{{method="{method}",path="{path}",status="{status}"}} {count}'
                for (method, path, status), count in sorted(self._requests.items())
            ]
            lines += [
                "# HELP embed_request_seconds How long they took.",
                "# TYPE embed_request_seconds histogram",
            ]
            for path in sorted(self._counted):
                lines += [
                    f'embed_request_seconds_bucket{{path="{path}",le="{bound:g}"}} {self._within[path, bound]}'
                    for bound in BOUNDS
                ]
                lines += [
                    f'embed_request_seconds_bucket{{path="{path}",le="+Inf"}} {self._counted[path]}',
                    f'embed_request_seconds_sum{{path="{path}"}} {self._seconds[path]:.6f}',
                    f'embed_request_seconds_count{{path="{path}"}} {self._counted[path]}',
                ]
            for name, (says, value) in gauges.items():
                lines += [f"# HELP {name} {says}", f"# TYPE {name} gauge", f"{name} {value:g}"]
        return "\n".join(lines) + "\n"

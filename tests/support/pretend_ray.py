"""What the driver sees of Ray, in one process: tasks run when their result is asked for, and may end without one."""

import pickle
from types import SimpleNamespace


class PretendError(Exception):
    "What Ray raises where a task has no result."


class PretendRay:
    """Nodes and tasks.

    Parameters
    ----------
    processors : dict
        Of each node, by name.
    strike : callable
        Is told the node, the function and what it is about before it runs; a true answer ends its worker.
    reply : callable
        Is told the same, and the result, which it may change.
    """

    def __init__(self, processors=None, strike=lambda *_: False, reply=lambda *about: about[-1]):
        self.processors = {"one": 1} if processors is None else processors
        self.strike, self.reply = strike, reply
        self.exceptions = SimpleNamespace(RayError=PretendError)
        strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: node)
        self.util = SimpleNamespace(scheduling_strategies=strategies)
        self.given = []  # node and function of every task
        self.cancelled = []

    def nodes(self):
        return [
            {
                "NodeID": name,
                "Alive": count > 0,
                "NodeManagerHostname": name,
                "NodeManagerAddress": "127.0.0.1",
                "Resources": {"CPU": float(count)},
            }
            for name, count in self.processors.items()
        ]

    def put(self, value):
        return pickle.dumps(value)

    def remote(self, **_):
        return lambda function: Task(self, function)

    def wait(self, references, num_returns, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        return reference()

    def cancel(self, reference, force):
        self.cancelled.append(reference)


class Task:
    def __init__(self, ray, function, options=None):
        self.ray, self.function, self.chosen = ray, function, options

    def options(self, **options):
        return Task(self.ray, self.function, options)

    def remote(self, job, about, processors):
        ray, function, node = self.ray, self.function, self.chosen["scheduling_strategy"]
        assert self.chosen["num_cpus"] == processors == ray.processors[node]
        ray.given.append((node, function.__name__))

        def result():
            if ray.strike(node, function.__name__, about):
                raise PretendError("the worker died")
            there = function(pickle.loads(job), pickle.loads(pickle.dumps(about)), processors)
            return ray.reply(node, function.__name__, about, pickle.loads(pickle.dumps(there)))

        return result

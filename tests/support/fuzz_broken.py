"""A reader that does wrong what the fuzzer looks for, each thing where it is asked to."""

import os
import signal

from fuzz_cache import WrongError

from embed.errors import InputError


class Broken:
    """Each file is one way of going wrong."""

    def __init__(self, folder):
        ways = ("wrong", "exception", "two lines", "signal", "exit", "memory", "loop", "sentence", "number")
        self.files = {way: ("bytes", b"0123456789") for way in ways}

    def judge(self, name, content):
        match name:
            case "wrong":
                raise WrongError("it is another one")
            case "exception":
                return {}[content]
            case "two lines":
                raise InputError("one\ntwo")
            case "signal":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(3)
            case "memory":
                _ = len(b"x" * (1100 << 20))
            case "loop":
                while True:
                    pass
            case "number":
                int(content)
        raise InputError("It is refused.")

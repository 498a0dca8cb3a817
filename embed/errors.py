"""Every error that embed raises on purpose.

EmbedError
├── UsageError             an option or argument has a value that cannot work
├── InputError             a file or folder that the user named cannot be used
│   └── ImageError         one image file cannot be decoded
├── WeightsError           the weights of a backbone cannot be had or do not fit it
├── CacheError             the cache cannot do what was asked
│   ├── NoFeaturesError    nothing has been extracted yet
│   ├── CacheLockedError   another process is writing to the cache
│   ├── CacheFormatError   a file in the cache is foreign or of a newer format
│   ├── CacheDamagedError  a part of the cache is not what was written
│   ├── CacheWriteError    the disk refused a write
│   ├── UntrustedError     a derived file may be somebody else's, and is not believed
│   └── FeatureError       the features of one photograph cannot be stored
├── LabelError             the photographs have no labels, or too few, for what was asked
└── ModelError             a fitted model is missing, damaged or was fitted on other features

A message is one sentence or two for the person at the keyboard: what was wrong, where, and what to do.
"""

# An installation may leave out what it does not need.
MISSING = "this needs {library}, which is not installed here; `pip install embed-images` installs all of it."


class EmbedError(Exception):
    """Something the user can understand and mend.

    Parameters
    ----------
    message : str
        What was wrong, where, and what to do; a whole sentence where no parameter is named.
    parameter : str, optional
        Name of the parameter in Python, which begins the sentence. The command line puts its own flag there.
    """

    def __init__(self, message: str = "", parameter: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.parameter = parameter

    def __str__(self) -> str:
        return f"{self.parameter} {self.message}" if self.parameter else self.message


class UsageError(EmbedError):
    "An option or argument has a value that cannot work."


class InputError(EmbedError):
    "A file or folder that the user named cannot be used."


class ImageError(InputError):
    "One image file cannot be decoded; the message is the reason alone, without the path."


class WeightsError(EmbedError):
    "The weights of a backbone cannot be had or do not fit it."


class CacheError(EmbedError):
    "The cache cannot do what was asked."


class NoFeaturesError(CacheError):
    "Nothing has been extracted yet."


class CacheLockedError(CacheError):
    "Another process is writing to the cache."


class CacheFormatError(CacheError):
    "A file in the cache is foreign or of a newer format."


class CacheDamagedError(CacheError):
    "A part of the cache is not what was written."


class CacheWriteError(CacheError):
    "The disk refused a write."


class UntrustedError(CacheError):
    "A derived file may be somebody else's, and is not believed."


class FeatureError(CacheError):
    "The features of one photograph cannot be stored; the message is the reason alone, without the path."


class LabelError(EmbedError):
    "The photographs have no labels, or too few, for what was asked."


class ModelError(EmbedError):
    "A fitted model is missing, damaged or was fitted on other features."

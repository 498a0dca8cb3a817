"""Classifiers of installed packages, by the place of their class: ``sklearn.ensemble.RandomForestClassifier``."""

import ast
import inspect
import site
import sys
import sysconfig
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any

from embed.errors import UsageError


def classifier(place: str, parameters: dict[str, Any]) -> Any:
    """Return an unfitted classifier of an installed package; nothing of the working folder is imported.

    Parameters
    ----------
    place : str
        Module and class, with dots.
    parameters : dict
        Of the class.

    Raises
    ------
    UsageError
        There is no such class, it is no classifier, or it has no such parameter.
    """
    module_name, _, name = place.rpartition(".")
    package = module_name.partition(".")[0]
    folders = list(dict.fromkeys([*site.getsitepackages(), *map(sysconfig.get_path, ("purelib", "platlib"))]))
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    spec = PathFinder.find_spec(package, folders)
    if spec is None or spec.origin is None:
        raise UsageError(f"there is no installed package {package!r} to take the classifier {place!r} from")
    before = list(sys.path)
    loaded = sys.modules.get(package)
    if loaded is not None and getattr(loaded, "__file__", None) != spec.origin:
        raise UsageError(f"the module {package!r} in use is not the one of the installed package")
    sys.path[:] = [folder for folder in before if folder.startswith((sys.prefix, sys.base_prefix))] + folders
    try:
        found = getattr(import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"there is no classifier {place!r}: {error}") from error
    finally:
        sys.path[:] = before
    return check(make(found, place, parameters))


def make(found: Any, place: str, parameters: dict[str, Any]) -> Any:
    """Return an instance of a class with some parameters. Raises UsageError where it cannot have them."""
    if not inspect.isclass(found) or not hasattr(found, "fit"):
        raise UsageError(f"{place} is no class of classifiers")
    try:
        return found(**parameters)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{place} cannot be made with these parameters: {error}") from error


def check(estimator: Any) -> Any:
    """Return an estimator if it is an unfitted scikit-learn classifier. Raises UsageError where it is none."""
    from sklearn.base import BaseEstimator, is_classifier

    if not isinstance(estimator, BaseEstimator) or not is_classifier(estimator):
        name = type(estimator).__name__
        raise UsageError(
            f"{name} is no scikit-learn classifier: give a name such as 'logistic', or a classifier"
        )
    return estimator


def parse(settings: list[str]) -> dict[str, Any]:
    """Return ``NAME=VALUE`` texts as parameters: a value is a Python literal, or else the text itself.

    Raises
    ------
    UsageError
        A text is not of that form.
    """
    parameters = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"takes NAME=VALUE, such as n_estimators=300, not {setting!r}", "settings")
        try:
            parameters[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            parameters[name] = text
    return parameters

"""``embed fit``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.progress import StageDisplay
from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.api import Fitted
    from embed.learn.evaluation import Evaluation

LABELS_HELP = (
    "folder, hand (by embed label), source (that came with the photographs), 'regex:PATTERN' with one group, or csv:FILE (columns"
    " path, label and, if wanted, split; others:"
    " csv:FILE,path=COLUMN,label=COLUMN,split=COLUMN)."
)
CV_HELP = "Cross-validate in so many folds; folders: in those that the folders say, as fold_1/, fold_2/."
GROUP_HELP = (
    "A column of the table, 'regex:PATTERN', folders (site1/, site2/ with the same classes), day or burst (extract --exif), or"
    " similar: photographs with one value stay on one side."
)

LabelsOption = Annotated[str, typer.Option("--labels", help=LABELS_HELP)]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="NAME=VALUE: a parameter of the classifier's own, repeatable.", show_default=False
    ),
]
TrustOption = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        help="A type that the model's file may hold beside the known ones, repeatable.",
        show_default=False,
    ),
]


@app.command()
def fit(
    clf: Annotated[
        str,
        typer.Option(
            help="logistic, dense, svm, linear-svm, knn or dummy; or a class, as sklearn.ensemble.RandomForestClassifier."
        ),
    ] = "logistic",
    settings: SetOption = None,
    labels: LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    cv: Annotated[str | None, typer.Option(help=CV_HELP, show_default=False)] = None,
    group: Annotated[str | None, typer.Option(help=GROUP_HELP, show_default=False)] = None,
    balanced: Annotated[bool, typer.Option("--balanced", help="Let every class count the same.")] = False,
    threshold: Annotated[
        str | None,
        typer.Option(
            help="For two classes: predict the second from this probability; auto tunes it.",
            show_default=False,
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(help="dense: units of the hidden layers, as 256 or 1024,1024.", show_default=False),
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="dense: share of silenced units.", show_default=False)
    ] = None,
    l2: Annotated[
        float | None, typer.Option(help="dense: weight of the squared weights.", show_default=False)
    ] = None,
    batch_norm: Annotated[
        bool, typer.Option("--batch-norm", help="dense: normalise over the batch.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(help="dense: at most so many.", show_default=False)] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the model; by default the classifier's.", show_default=False)
    ] = None,
    seed: common.SeedOption = 0,
    trust: TrustOption = None,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Fit a classifier on the cached features and score it.

    \b
    embed fit
    embed fit --clf svm --cv 5
    embed fit --labels 'regex:([^/]+)_\\d+\\.jpg$'
    embed fit --labels csv:labels.csv --where "year >= 2020" --group site
    embed fit --clf dense --hidden 1024,1024 --dropout 0.5
    embed fit --clf sklearn.ensemble.RandomForestClassifier --set n_estimators=300
    """
    from embed import api

    own = {
        **_head_options(clf, hidden, dropout, l2, batch_norm, epochs),
        **api.parse_settings(settings or []),
    }
    api.check_classifier(clf, own)
    known = common.open_labelled(cache, features, labels, splits, where, judging=True)
    options = api.FitOptions(
        classifier=clf,
        labels=known.rule,
        cv=parse_cv(cv),
        group=group,
        balanced=balanced,
        threshold=threshold,
        seed=seed,
        name=name,
        head=own,
        trust=tuple(trust or ()),
    )
    with StageDisplay(quiet=quiet) as progress:
        fitted = api.fit(known.cache, options, progress)
    for note in fitted.notes[len(fitted.labels.notes) :]:  # those have been told
        common.say(f"Note: {note}.")
    folds = "folders" if fitted.labels.n_folds > 1 else "5" if fitted.evaluation.is_vague else None
    if folds and fitted.split.fold is None:
        common.say(f"With --cv {folds} every photograph is scored.")
    if as_json:
        common.print_json(fitted.summary())
    elif quiet:
        print(f"{fitted.evaluation.accuracy:.4f}")
    else:
        _print_result(fitted)


def parse_cv(text: str | None) -> int | str | None:
    """Return the number of folds that is meant, or the text itself."""
    return int(text) if text is not None and text.isdecimal() else text


def _head_options(
    clf: str,
    hidden: str | None,
    dropout: float | None,
    l2: float | None,
    batch_norm: bool,
    epochs: int | None,
) -> dict[str, Any]:
    given = {
        "hidden": _layers(hidden) if hidden is not None else None,
        "dropout": dropout,
        "l2": l2,
        "batch_norm": batch_norm or None,
        "epochs": epochs,
    }
    options = {key: value for key, value in given.items() if value is not None}
    if options and clf != "dense":
        from embed import api

        api.check_classifier(clf, {})  # a name that is mistyped comes first
        names = ", ".join("--" + key.replace("_", "-") for key in options)
        raise UsageError(f"{names} is for --clf dense, not for {clf}")
    return options


def _layers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(units) for units in text.split(",") if units.strip())
    except ValueError:
        raise UsageError(f"takes numbers such as 256 or 1024,1024, not {text!r}", "hidden") from None


def _print_result(fitted: "Fitted") -> None:
    evaluation = fitted.evaluation
    metrics = fitted.model.document["metrics"]
    common.print_table(
        ["class", "n", "recall", "low", "high", "precision", "f1"],
        evaluation.per_class()[["class", "n", "recall", "recall_low", "recall_high", "precision", "f1"]]
        .astype(object)
        .where(lambda table: table.notna(), None)
        .values.tolist(),
        title="Per class",
    )
    if len(evaluation.classes) <= MOST_CLASSES_IN_CONFUSION:
        print()
        confusion = evaluation.confusion()
        rows = [
            [label, *counts] for label, counts in zip(confusion.index, confusion.values.tolist(), strict=True)
        ]
        common.print_table(["true \\ predicted", *confusion.columns], rows, title="Confusion", verbatim=True)
    confused = evaluation.most_confused(5)
    if len(confused):
        print()
        common.print_table(
            ["true", "predicted", "count", "share"], confused.values.tolist(), title="Most confused"
        )
        print()
        losses = evaluation.top_losses(5)
        common.print_table(list(losses.columns), losses.values.tolist(), title="Top losses")
    if evaluation.threshold is not None:
        print()
        _print_thresholds(evaluation)
    print()
    for line in _lines(fitted, metrics):
        print(line)


MOST_CLASSES_IN_CONFUSION = 12  # more columns do not fit a terminal
SHOWN_THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)  # beside the one in use


def _print_thresholds(evaluation: "Evaluation") -> None:
    curve = evaluation.threshold_curve()
    wanted = sorted({*SHOWN_THRESHOLDS, round(evaluation.threshold or 0.5, 2)})
    shown = curve[curve["threshold"].round(2).isin(wanted)]
    common.print_table(
        list(shown.columns),
        shown.values.tolist(),
        title=f"Thresholds, {evaluation.n_known} photographs of known classes",
    )


def _lines(fitted: "Fitted", metrics: dict[str, Any]) -> list[str]:
    document = fitted.model.document
    low, high = metrics["accuracy_interval"]
    roles = f"{document['n_train']} train, {document['n_validation']} validation, {document['n_test']} test"
    chosen = ", ".join(
        f"{key} {value}" if isinstance(value, str) else f"{key} {value:.3g}"
        for key, value in document["chosen"].items()
        if value is not None
    )
    of_known = [
        f"{word} {metrics[key]:.3f}"
        for word, key in (
            ("calibration error", "calibration_error"),
            ("Brier", "brier"),
            ("log loss", "log_loss"),
        )
        if metrics[key] is not None
    ]
    if metrics["roc_auc"] is not None:
        of_known.insert(0, f"ROC AUC {metrics['roc_auc']:.4f}")
    lines = [
        f"accuracy   {metrics['accuracy']:.4f}  (95 % interval {low:.4f} to {high:.4f}; {metrics['n']} photographs,"
        f" {document['evaluated_on']})",
        f"baseline   {metrics['baseline_accuracy']:.4f}  (always the most frequent class)",
        *_group_lines(document),
        f"balanced   {metrics['balanced_accuracy']:.4f}  macro F1 {metrics['macro_f1']:.4f}",
        f"probabilities ({metrics['n_known']} photographs of known classes): "
        + (", ".join(of_known) or "none"),
        f"split      {document['split']}: {roles}",
    ]
    if chosen:
        lines.append(f"chosen     {chosen}")
    if document["threshold"] is not None:
        lines.append(f"threshold  {document['threshold']:.2f} on {document['classes'][1]}")
    if document["n_fitted"] != document["n_train"]:
        lines.append(
            f"fitted on  {document['n_fitted']} photographs, train and validation, before test was looked at"
        )
    lines.append(f"model      {_short(fitted.model.folder)}  ({fitted.seconds:.1f} s)")
    return lines


def _group_lines(document: dict[str, Any]) -> list[str]:
    """Return the accuracy of the worst and the best group, where photographs are grouped."""
    groups = document["groups"]
    if groups is None:
        return []
    return [
        f"{name} group {one['accuracy']:.4f}  (95 % interval {one['accuracy_interval'][0]:.4f} to"
        f" {one['accuracy_interval'][1]:.4f}; {common.counted(one['n'], 'photograph')} of {common.printable(one['group'])},"
        f" one of {groups['count']})"
        for name, one in (("worst", groups["worst"]), ("best ", groups["best"]))
    ]


def _short(path: Path) -> str:
    return common.printable(str(path))

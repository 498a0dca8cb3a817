"""The report on a feature set and on the classifier fitted on it, as one page; and that on groups without labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embed.report import sections
from embed.report.methods import methods
from embed.report.page import counted, render
from embed.report.pictures import Pictures, Progress, silent

if TYPE_CHECKING:
    from embed.api import Recipe, Review, Scores

GROUPS_EXPLAINED = (
    "Photographs that are alike, the largest group first, and in it what is nearest to its centre. Tightness is the mean"
    " similarity to the centre: 1 where all are the same."
)
MOST_BYTES = 9_000_000  # of pictures: a page that grows with its data set cannot be opened on a telephone


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its contents; the macro of that name shows the content."""

    name: str
    title: str
    content: Any
    note: str = ""


def report_page(review: "Review", progress: Progress = silent) -> str:
    """Return the report as a self-contained page; `progress` is told what is done, and how many photographs of how many."""
    pictures = Pictures(sections.LARGE, review.features.recipe.fit, MOST_BYTES, progress=progress)
    found = [section for section in _sections(review, pictures) if section.content]
    return render(
        "report.html",
        styles=("page.css", "report.css"),
        title=review.features.name.split("--")[0],
        summary=_summary(review),
        changed=review.scores.changed if review.scores else "",
        sections=found,
        left_out=pictures.left_out,
        most_bytes=MOST_BYTES,
    )


def _summary(review: "Review") -> str:
    recipe, photographs = review.features.recipe, counted(len(review.features), "photograph")
    classes = (
        counted(len(review.labels.classes), "class", "classes") if review.labels.classes else "no classes"
    )
    seen = f"with vectors from {recipe.weights}" if recipe.imported else f"seen by {recipe.backbone}"
    words = f"{photographs} in {classes}, {seen}"
    if review.scores is None:
        return f"{words}. No classifier has been fitted yet."
    document = review.scores.document
    return (
        f"{words}{f' ({recipe.size} px)' if recipe.size else ''}. Classifier {review.scores.model}, fitted on {_fitted(document):,} and scored on"
        f" {counted(review.scores.summary['n'], 'photograph')} ({document['evaluated_on']})."
    )


def _sections(review: "Review", pictures: Pictures) -> Iterator[Section]:
    if review.scores is not None:
        yield from _judgement(review, review.scores, pictures)
    else:
        yield from _unfitted(review, pictures)
    yield Section("sheets", "Contact sheets", sections.sheets(review, pictures))
    failed = sections.failures(review)
    if failed["of"]:
        yield Section("failures", f"{counted(failed['of'], 'file')} that could not be used", failed)
    if review.scores is not None:
        yield Section("statistics", "For statisticians", sections.statistics(review.scores, review.tuned))
    yield Section("methods", "Methods", methods(review), "A paragraph for a paper; a click selects it.")
    yield Section("recipe", "Recipe", list(_recipe(review)))


def _unfitted(review: "Review", pictures: Pictures) -> Iterator[Section]:
    yield Section("next", "What to do next", list(_steps(review)))
    if review.notes:
        yield Section("notes", "Notes on the labels", review.notes)
    if review.clusters is not None:
        found = sections.groups(review.features, review.clusters, review.labels, pictures)
        yield Section("groups", "Groups", found, GROUPS_EXPLAINED)
    alike = "Photographs that are probably there more than once; the figure is the similarity to the framed one before them."
    if review.closest is not None:
        alike = f"Nothing is there more than once; the two that look most alike have a similarity of {review.closest.similarity:.3f}."
    yield Section("duplicates", "Duplicates", sections.duplicates(review, pictures), alike)
    if not review.labels.classes:
        yield Section("sample", "Contact sheet", sections.sample(review, pictures))


def _steps(review: "Review") -> Iterator[tuple[str, str]]:
    """Yield commands, each with what it does."""
    if len(review.labels.classes) > 1:
        yield (
            "embed fit",
            "fits a classifier on these labels and scores it; embed report then shows where it errs.",
        )
    else:
        yield "embed cluster", "groups the photographs below, and gives each group a number."
        yield "embed label 1 NAME", "names a group; a few names are enough for embed fit."
    yield "embed similar PHOTOGRAPH", "finds what looks like a photograph."
    if review.duplicates:
        yield "embed duplicates --html duplicates.html", "shows everything that is there more than once."
    yield "embed map --html map.html", "draws all photographs on one map."


def _judgement(review: "Review", scores: "Scores", pictures: Pictures) -> Iterator[Section]:
    root = review.features.root
    yield Section("summary", "In short", sections.summary(scores))
    axes = (
        "The worst class first. In the matrix a row is the true class, a column what the model says; a number opens its"
        " photographs."
    )
    yield Section("classes", "Classes", sections.classes(scores, root, pictures), axes)
    yield Section("pairs", "Most confused", sections.pairs(scores, root, pictures))
    worst = f"The photographs whose true class was given the least probability. {sections.misclassified_in_words(scores)}"
    if scores.no_maps:
        worst += f" No class-activation maps: {scores.no_maps}"
    yield Section("losses", "Top losses", sections.losses(scores, root, pictures), worst)
    yield Section("wrong", "Also misclassified", sections.wrong(scores, root, pictures))
    if len(scores.near_duplicates):
        near = (
            f"{len(scores.near_duplicates):,} of {scores.compared:,} scored photographs look nearly like one that was"
            " trained on; they flatter the accuracy."
        )
        title = "On both sides of the split"
        yield Section("leakage", title, sections.leakage(scores, root, pictures), near)


def _recipe(review: "Review") -> Iterator[tuple[str, Any]]:
    features, recipe = review.features, review.features.recipe
    yield "feature set", features.name
    yield "photographs from", str(features.root)
    for part in recipe.joined or (recipe,):
        yield from _computed(part)
    if review.tuned and "cut" in review.tuned:
        tuned = review.tuned
        yield (
            "tuned",
            f"above {tuned['cut']}, on {counted(tuned['photographs'], 'photograph')} ({tuned['held_out']:,} held out), from the"
            f" weights {tuned['tuned_from'][:12]}",
        )
    yield "features", f"{features.dimension}, stored as {recipe.dtype}"
    if recipe.views > 1:
        yield "views", f"{recipe.views}, seed {recipe.view_seed}"
    yield "labels", review.labels.rule
    if review.scores is None:
        return
    document = review.scores.document
    yield "classifier", document["classifier"] + (", balanced" if document["balanced"] else "")
    chosen = {**(document["options"] or {}), **document["chosen"]}
    if chosen:
        yield "strength", ", ".join(f"{key} = {_plain(value)}" for key, value in chosen.items())
    yield "split", document["split"]
    if document["group"]:
        yield "kept together by", document["group"]
    roles = ", ".join(f"{role} {document[f'n_{role}']:,}" for role in ("train", "validation", "test"))
    yield "roles", roles
    yield "seed", document["seed"]
    yield "libraries", ", ".join(f"{name} {version}" for name, version in document["versions"].items())


def _computed(recipe: "Recipe") -> Iterator[tuple[str, Any]]:
    if recipe.imported:
        column = f", column {recipe.layer}" if recipe.layer else ""
        yield "imported from", f"{recipe.weights}{column} ({recipe.weights_sha256[:12]})"
        return
    yield "backbone", f"{recipe.backbone}, {recipe.weights} weights ({recipe.weights_sha256[:12]})"
    mirror = ", averaged with the mirror image" if recipe.mirror else ""
    yield "read at", f"{recipe.layer}, {recipe.pooling} pooling, {recipe.precision}{mirror}"
    yield "photographs", f"{recipe.size} × {recipe.size} pixels, {recipe.fit}, {recipe.interpolation}"


def _fitted(document: dict[str, Any]) -> int:
    """Return how many photographs the head that is kept was fitted on: with validation, where it was fitted again."""
    return document.get("n_fitted", document["n_train"])


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

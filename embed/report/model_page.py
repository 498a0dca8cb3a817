"""The report on a feature set and on the classifier fitted on it, as one page."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from embed.learn import Model
from embed.learn.evaluation import Evaluation
from embed.report import figures, sections, tables
from embed.report.material import Material
from embed.report.page import counted, render, text
from embed.report.photographs import Photographs


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its contents."""

    name: str
    title: str
    body: str
    note: str = ""

    def html(self) -> str:
        """Return the section."""
        note = f'<p class="faint">{text(self.note)}</p>' if self.note else ""
        return f'<section id="{self.name}"><h2>{text(self.title)}</h2>{note}{self.body}</section>'


def model_page(material: Material) -> str:
    """Return the report as a self-contained page."""
    photographs = Photographs(material.features.root, material.features.recipe.fit)
    found = [section for section in _sections(material, photographs) if section.body]
    links = "".join(f'<a href="#{section.name}">{text(section.title)}</a>' for section in found)
    if photographs.left_out:
        limit = photographs.most_bytes / 1e6
        words = f"{counted(photographs.left_out, 'photograph')} left out: the page holds {limit:.0f} MB of them at most."
        links += f'<p class="faint">{words}</p>'
    body = f'<nav aria-label="Contents">{links}</nav>' + "".join(section.html() for section in found)
    style = files(__package__).joinpath("report.css").read_text("utf-8")
    title = material.features.name.split("--")[0]
    return render(title, body, summary=_summary(material), styles=[style])


def _summary(material: Material) -> str:
    recipe, count = material.features.recipe, len(material.features)
    words = f"{count:,} photographs in {len(material.labels.classes)} classes, seen by {recipe.backbone}"
    if material.model is None or material.evaluation is None:
        return f"{words}. No classifier has been fitted yet: run embed fit."
    document = material.model.document
    return (
        f"{words} ({recipe.size} px). Classifier {material.model.name}, fitted on {document['n_fitted']:,} and scored on"
        f" {len(material.evaluation):,} photographs ({document['evaluated_on']})."
    )


def _sections(material: Material, photographs: Photographs) -> Iterator[Section]:
    if material.model is not None and material.evaluation is not None:
        yield from _judgement(material, material.model, material.evaluation, photographs)
    sheets = sections.contact_sheets(material.features.paths, material.labels, photographs)
    yield Section("sheets", "Contact sheets", sheets)
    failed = material.features.failures()
    if failed:
        title = f"{counted(len(failed), 'file')} that could not be used"
        yield Section("failures", title, sections.failures(failed))
    yield Section("recipe", "Recipe", tables.two_columns(_recipe(material)))


def _judgement(
    material: Material, model: Model, evaluation: Evaluation, photographs: Photographs
) -> Iterator[Section]:
    document = model.document
    notes = "".join(f"<li>{text(note)}</li>" for note in document["notes"])
    yield Section(
        "summary",
        "Accuracy",
        tables.accuracy_bars(evaluation)
        + tables.summary_tiles(evaluation)
        + (f'<ul class="notes">{notes}</ul>' if notes else ""),
        f"On {len(evaluation):,} photographs that the classifier was not fitted on ({document['evaluated_on']}).",
    )
    yield Section("classes", "Classes", tables.per_class(evaluation))
    yield Section(
        "confusion",
        "Confusion",
        tables.confusion(evaluation),
        "A row is what a photograph is, a column what was said.",
    )
    yield Section("pairs", "Most confused", sections.confused_pairs(evaluation, photographs))
    method = next((found[0].method for found in material.maps.values()), None)
    yield Section(
        "losses",
        "Top losses",
        sections.top_losses(evaluation, photographs, material.maps, method),
        f"The photographs whose true class was given the least probability. {_wrong_in_all(evaluation)}"
        + (f" No class-activation maps: {material.no_maps}" if material.no_maps else ""),
    )
    yield Section("wrong", "Also misclassified", sections.misclassified(evaluation, photographs))
    yield Section("curves", "Scores and calibration", _curves(document, evaluation))
    if material.near is not None and material.near.pairs:
        yield Section(
            "leakage",
            "On both sides of the split",
            sections.near_duplicates(material.near, material.features.paths, material.labels, photographs),
            f"{len(material.near.pairs)} of {material.near.checked:,} scored photographs look nearly like one that was"
            " trained on; they flatter the accuracy.",
        )


def _wrong_in_all(evaluation: Evaluation) -> str:
    wrong = int((evaluation.predicted != evaluation.true).sum())
    if wrong > sections.TOP_LOSSES:
        return f"{wrong:,} of {len(evaluation):,} are misclassified."
    return f"All {wrong} that are misclassified are among them." if wrong else "None is misclassified."


def _curves(document: dict[str, Any], evaluation: Evaluation) -> str:
    drawn = [("Scores", figures.score_histogram(evaluation))]
    if len(evaluation.classes) == 2:
        curve = evaluation.threshold_curve()
        drawn.append(("Threshold", figures.threshold_curve(curve, evaluation.threshold)))
    drawn.append(("Calibration", figures.calibration_curve(evaluation.calibration())))
    if document["learning_curve"]:
        curves = figures.learning_curves(document["learning_curve"])
        drawn += [(f"Learning: {measure}", drawing) for measure, drawing in curves]
    return (
        f'<div class="figures{" pairs" if len(drawn) in (2, 4) else ""}">'
        + "".join(
            f"<figure><figcaption>{text(name)}</figcaption>{drawing}</figure>" for name, drawing in drawn
        )
        + "</div>"
    )


def _recipe(material: Material) -> Iterator[tuple[str, Any]]:
    features = material.features
    recipe = features.recipe
    yield "feature set", features.name
    yield "photographs from", features.root
    yield "backbone", f"{recipe.backbone}, {recipe.weights} weights ({recipe.weights_sha256[:12]})"
    mirror = ", averaged with the mirror image" if recipe.mirror else ""
    yield "read at", f"{recipe.layer}, {recipe.pooling} pooling, {features.dimension} features{mirror}"
    yield "photographs", f"{recipe.size} × {recipe.size} pixels, {recipe.fit}, {recipe.interpolation}"
    if recipe.views > 1:
        yield "views", f"{recipe.views}, seed {recipe.view_seed}"
    yield "arithmetic", f"{recipe.precision}, stored as {recipe.dtype}"
    yield "labels", material.labels.rule
    if material.model is None:
        return
    document = material.model.document
    yield "classifier", document["classifier"] + (", balanced" if document["balanced"] else "")
    chosen = {**document["options"], **document["chosen"]}
    if chosen:
        yield "strength", ", ".join(f"{key} = {_plain(value)}" for key, value in chosen.items())
    yield "split", document["split"]
    counts = ", ".join(f"{role} {document[f'n_{role}']:,}" for role in ("train", "validation", "test"))
    yield "roles", counts
    yield "seed", document["seed"]
    yield "libraries", ", ".join(f"{name} {version}" for name, version in document["versions"].items())


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

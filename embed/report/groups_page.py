"""The page of photographs in groups, for naming them."""

from typing import TYPE_CHECKING

from embed.labels import Labels
from embed.report import sections
from embed.report.model_page import GROUPS_EXPLAINED, MOST_BYTES
from embed.report.page import counted, render
from embed.report.pictures import Pictures, Progress, silent

if TYPE_CHECKING:
    from embed.cache import FeatureCache
    from embed.search import Clusters


def groups_page(
    features: "FeatureCache", found: "Clusters", given: Labels, progress: Progress = silent
) -> str:
    """Return a page with a contact sheet for each group.

    Parameters
    ----------
    features : FeatureCache
    found : Clusters
    given : Labels
        Names that were given before.
    progress : callable
        Is told what is done, and how many photographs of how many.
    """
    pictures = Pictures(sections.SMALL, most_bytes=MOST_BYTES, progress=progress)
    groups = sections.groups(features, found, given, pictures)
    photographs = counted(len(features), "photograph")
    return render(
        "groups.html",
        styles=("page.css", "report.css"),
        title=f"Groups of {features.name.split('--')[0]}",
        summary=f"{photographs} in {counted(len(found.groups), 'group')}. {GROUPS_EXPLAINED}",
        groups=groups,
        left_out=pictures.left_out,
        most_bytes=MOST_BYTES,
    )

"""Self-contained pages and pictures, from results that others computed.

Jinja2 is imported where a page is written, and matplotlib where a picture is.
"""

from embed.files import write
from embed.report.groups_page import groups_page
from embed.report.model_page import report_page
from embed.report.overlay import write_pictures
from embed.report.page import show
from embed.report.plots import format_of, map_picture, matrix_picture
from embed.report.search_pages import (
    duplicates_page,
    label_issues_page,
    map_page,
    outliers_page,
    similar_page,
)
from embed.report.sections import TOP_LOSSES

__all__ = [
    "TOP_LOSSES",
    "duplicates_page",
    "format_of",
    "groups_page",
    "label_issues_page",
    "map_page",
    "map_picture",
    "matrix_picture",
    "outliers_page",
    "report_page",
    "show",
    "similar_page",
    "write",
    "write_pictures",
]

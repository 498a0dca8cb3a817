"""Self-contained pages and pictures, from results that others computed.

Jinja2 is imported where a page is written, and matplotlib where a picture is.
"""

from embed.files import write
from embed.report.groups_page import groups_page
from embed.report.map_file import MAP_FORMATS, map_file
from embed.report.map_page import map_page
from embed.report.model_page import report_page
from embed.report.notebook import frame_html, pictures_html, table_html
from embed.report.overlay import explained_pictures, write_pictures
from embed.report.page import show
from embed.report.plots import format_of, matrix_picture
from embed.report.search_pages import (
    duplicates_page,
    label_issues_page,
    outliers_page,
    similar_page,
)
from embed.report.sections import TOP_LOSSES

__all__ = [
    "MAP_FORMATS",
    "TOP_LOSSES",
    "duplicates_page",
    "explained_pictures",
    "format_of",
    "frame_html",
    "groups_page",
    "label_issues_page",
    "map_file",
    "map_page",
    "matrix_picture",
    "outliers_page",
    "pictures_html",
    "report_page",
    "show",
    "similar_page",
    "table_html",
    "write",
    "write_pictures",
]

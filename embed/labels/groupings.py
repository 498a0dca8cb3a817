"""Whether folders group photographs, by their names: years, parts, sites, cameras, persons.

Where folders hold the same folders each, the names say which of the two are the classes. `CERTAIN` names are never those of
classes that hold the same folders; `LIKELY` ones may be.
"""

import re
from collections.abc import Collection
from enum import IntEnum

from embed.labels import names
from embed.labels.words import FILLERS, NEWEST, PARTS, any_of, plain, words


class Grouping(IntEnum):
    """How surely folders group what is in them."""

    NO = 0
    LIKELY = 1
    CERTAIN = 2


# With a number, a letter or a name: camera A, site_north, patient 12.
_PLACES_AND_PERSONS = words(
    "sites? locations? locs? stations? cameras? cams? kameras? traps? cameratraps? sensors? devices? plots? farms? hospitals?"
    " clinics? cent(?:er|re)s? labs? laborator(?:y|ies) rooms? regions? zones? transects? quadrats? districts? standorte?"
    " persons? people subjects? subj subs? patients? pats? pids? users? participants? individuals? probands? observers?"
    " annotators? raters? photographers? authors? donors? volunteers? volontaires? sujets? pacientes? personnes? personas?"
    " site_?id sessions? sess visits? surveys? campaigns? trips? runs? takes? trials? experiments? exps? replicates? reps?"
    " sequences? seqs? videos? clips? films? movies? scenes? bursts? series slides? specimens? dives? flights? missions?"
    " tours? waves? phases? rounds? recordings? tracks? 相机 相機 站点 患者 病人 受试者 被験者 会话"
)
# What was cut into pieces.
_PIECES = words(
    "parts? parties? teile? partes? pieces? batch(?:es)? chunks? vols? volumes? dis[ck]s? shards? archives? zips? tars? uploads?"
    " downloads? exports? drives? bat folders? dirs? subdirs? 批 批次 部分"
)
# What was kept in several places; where photographs lie directly in them, these may be classes.
_PLACES_OF_FILES = words(
    "sections? blocks? imports? cards? rolls? reels? box(?:es)? collections? groups? bundles? packs? packages? tranches? lots?"
)
_TIMES = words(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug sept?"
    " oct nov dec januar februar marz mai juni juli oktober dezember janvier fevrier mars avril juin juillet aout septembre"
    " octobre novembre decembre enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
    " spring summer autumn fall winter fruhling fruhjahr sommer herbst printemps ete automne hiver primavera verano otono"
    " invierno monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun montag dienstag mittwoch"
    " donnerstag freitag samstag sonntag"
)
_NUMBERED_TIMES = words(
    "days? weeks? months? years? quarters? seasons? nights? dates? jahr tag woche annee jour semana ano q h 年 月 日"
)
# How the same things were taken or worked on: likely, for a class may be called so.
_VERSIONS = words(
    "raw processed preprocessed original originals orig augmented augment aug cropped resized denoised enhanced normali[sz]ed"
    " segmented colou?r rgb gr[ae]y grayscale greyscale ir nir infrared thermal depth photos? sketch(?:es)? cartoons?"
    " paintings? cliparts? infographs? quickdraws? real product art synthetic simulated sim rendered left right top bottom"
    " front rear back side day night morning noon evening dawn dusk indoors? outdoors? sunny rainy cloudy foggy snowy amazon"
    " dslr webcam caltech phones? smartphones? drones? uav satellite"
)
# Of classes that only have numbers.
_CLASSES = words(
    "class(?:es)? klassen? categor(?:y|ies) cat types? kinds? grades? stages? levels? scores? stars? labels?"
    " species breeds? digits? numbers? clusters? severit(?:y|ies) degrees? quality 类 类别"
)

_TOKEN = re.compile(r"[A-Za-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_GROUPS = [*_PLACES_AND_PERSONS, *_PIECES, *_PLACES_OF_FILES]
_KNOWN = re.compile(rf"(?:{any_of(_GROUPS)})+")
_GROUP = re.compile(rf"(?:{any_of(_GROUPS)})")
_PIECE = re.compile(rf"(?:{any_of(_PIECES)})")
_TIME = re.compile(rf"(?:{any_of(_TIMES)})+")
_NUMBERED_TIME = re.compile(rf"(?:{any_of([*_TIMES, *_NUMBERED_TIMES])})+")
_VERSION = re.compile(rf"(?:{any_of([*_VERSIONS, *FILLERS])})+")
_CLASS = re.compile(rf"(?:{any_of(_CLASSES)})")
_CAMERA_FOLDER = re.compile(r"[1-9][0-9]{2}[A-Z0-9_]{5}", re.IGNORECASE)  # as cameras name them: 100CANON
_CAMERA_WORD = re.compile(r"dcim|camera(?:[\W_]?roll)?|100(?:andro|media)", re.IGNORECASE)
# Of a phone: what its programs call their folders.
_PHONE = re.compile(
    r"dcim|camera(?:[\W_]?roll)?|screenshots?|(?:whatsapp|telegram)(?:[\W_](?:business|images?|photos?|pictures?))*|pictures"
    r"|downloads?|sent|private",
    re.IGNORECASE,
)
_PHONE_SAID = re.compile(r"dcim|camera|whatsapp|telegram", re.IGNORECASE)
_PHOTOGRAPHS = re.compile(any_of(words("photos? pictures? images? fotos? bilder immagini imagenes imagens")))
_YEAR = r"(?:18|19|20)[0-9]{2}"
_DATE = re.compile(
    rf"{_YEAR}(?:[-_. ]?(?:0?[1-9]|1[0-2])(?:[-_. ]?(?:0?[1-9]|[12][0-9]|3[01]))?)?(?:[T_ -][0-9h:._-]+)?"
    rf"|(?:0?[1-9]|[12][0-9]|3[01])[-_. ](?:0?[1-9]|1[0-2])[-_. ](?:{_YEAR}|[0-9]{{2}})"
    rf"|{_YEAR}[-_ ]{_YEAR}"
)
_MONTH = re.compile(r"(?:0[1-9]|1[0-2])(?:[-_ .][^\W\d_]+)?")

_DAY = re.compile(r"(?:0[1-9]|[12][0-9]|3[01])")


def of(folders: Collection[str], above: Collection[str] = ()) -> Grouping:
    """Return how surely folders of these names group what is in them.

    Parameters
    ----------
    folders : collection of str
        Names.
    above : collection of str
        Names of the folders that they lie in.
    """
    if not folders:
        return Grouping.NO
    if all(map(_is_time, folders)) or are_dates(folders, above) or all(map(is_of_camera, folders)):
        return Grouping.CERTAIN
    tokens = [_tokens(name) for name in folders]
    stems = [[one for one in parts if not _is_counter(one)] for parts in tokens]
    if any(stem and all(map(_CLASS.fullmatch, stem)) for stem in stems):
        return Grouping.NO
    counted = [len(parts) > len(stem) for parts, stem in zip(tokens, stems, strict=True)]
    if any(counted) and all(stem and all(map(_KNOWN.fullmatch, stem)) for stem in stems):
        return Grouping.CERTAIN
    if _share_a_word(stems):
        return Grouping.CERTAIN
    if all(counted) and len({tuple(stem) for stem in stems}) == 1:
        return Grouping.LIKELY  # fox1, fox2; 1, 2; A, B
    if all(stem and all(map(_VERSION.fullmatch, stem)) for stem in stems):
        return Grouping.LIKELY
    return Grouping.NO


def are_letters(folders: Collection[str]) -> bool:
    """Return whether these are single letters."""
    return all(len(name) == 1 and name.isalpha() for name in folders)


def are_dates(folders: Collection[str], above: Collection[str] = ()) -> bool:
    """Return whether these are dates, or months in years, or days in months: 2019, 2019-05-01, 05."""
    part = None
    if above and all(map(_DATE.fullmatch, above)):
        part = _MONTH
    elif above and all(map(_MONTH.fullmatch, above)):
        part = _DAY
    return all(_DATE.fullmatch(name) or (part is not None and part.fullmatch(name)) for name in folders)


def is_of_camera(name: str) -> bool:
    """Return whether a camera names its folders so."""
    return bool(_CAMERA_FOLDER.fullmatch(name) and re.search("[A-Za-z]", name)) or bool(
        _CAMERA_WORD.fullmatch(name)
    )


def say_nothing(folders: Collection[str], above: Collection[str] = (), version: int = NEWEST) -> bool:
    """Return whether folders are named for nothing that is on photographs: for dates, by cameras, as parts of a whole."""
    if not folders:
        return False
    if are_dates(folders, above) or all(map(is_of_camera, folders)):
        return True
    if (
        version >= PARTS
        and all(map(_PHONE.fullmatch, folders))
        and any(map(_PHONE_SAID.match, (*folders, *above)))
    ):
        return True
    stems = []
    for name in folders:
        parts = _tokens(name)
        stem = tuple(one for one in parts if not one.isdecimal())
        if not stem or len(stem) == len(parts):
            return False
        stems.append(stem)
    if len({*stems}) > 1:
        return False
    if names.is_plain(" ".join(stems[0])) or any(map(_PIECE.fullmatch, stems[0])):
        return True
    numbers = {one for name in folders for one in _tokens(name) if one.isdecimal()}
    of_years = all(re.fullmatch(_YEAR, one) for one in numbers)
    return version >= PARTS and of_years and any(map(_PHOTOGRAPHS.fullmatch, stems[0]))


def _is_time(name: str) -> bool:
    """Return whether a name is made of words for times, with a number or without: summer 2020, week_3, January."""
    parts = _tokens(name)
    said = [one for one in parts if not one.isdecimal()]
    known = _TIME if len(said) == len(parts) else _NUMBERED_TIME
    return bool(said) and all(map(known.fullmatch, said))


def _share_a_word(stems: list[list[str]]) -> bool:
    """Return whether all names begin, or all end, with the same word for a place, a person or a piece."""
    if len(stems) < 2 or not all(stems):
        return False
    return any(
        len({stem[end] for stem in stems}) == 1 and _GROUP.fullmatch(stems[0][end]) is not None
        for end in (0, -1)
    )


def _tokens(name: str) -> list[str]:
    return [token.lower() for token in _TOKEN.findall(plain(name))]


def _is_counter(token: str) -> bool:
    return token.isdecimal() or (len(token) == 1 and token.isascii())

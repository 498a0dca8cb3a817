"""Words in the names of folders, and what they stand for: splits in several languages, and what says nothing more.

Letters stand without their accents, as `plain` leaves them; `names` reads whole names.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


def words(text: str) -> list[str]:
    """Return the words, or patterns of words, in a text."""
    return text.split()


TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
EVAL = "eval"  # test, or validation beside one
BACKGROUND = "background"  # to train on, beside what is for evaluation; nothing without it

_ENGLISH = {
    TRAIN: "train trains training trainings trn trainval",
    VALIDATION: "val vals valid valids validate validation validations validating dev development",
    TEST: "test tests testing tst holdout holdouts heldout testdev devtest",
    EVAL: "eval evals evaluate evaluation evaluations evaluating",
}
# German, French, Spanish, Portuguese, Italian, Dutch, Polish, Turkish, Swedish, Indonesian, Russian, Chinese, Japanese and
# Korean, as far as they are not the English ones. "pred" is what a competition asks to be predicted.
_OTHERS = {
    TRAIN: "trainieren lern lernen entrainement entrainements apprentissage entrenamiento entrenamientos entrenar treino"
    " treinamento treinar addestramento allenamento trainen treningowy treningowe treningowa uczacy uczace egitim traning"
    " trening latih pelatihan обучение обучающая обучающие обучающий тренировка тренировочные тренировочная"
    " тренировочныи 训练 訓練 学习 学習 훈련 학습",
    VALIDATION: "validierung validierungen validierungs entwicklung entwicklungs validacion validaciones validacao validazione"
    " validatie walidacja walidacyjny walidacyjne walidacyjna dogrulama validering validasi валидация валидационные"
    " валидационная 验证 驗證 検証 검증",
    TEST: "pruf prufung prufungen prufungs essai essais prueba pruebas teste testes prova prove toets testen testowy testowe"
    " testowa uji pengujian тест тесты тестовые тестовая тестовыи проверка 测试 測試 テスト 테스트 시험"
    " pred predict prediction predictions",
    EVAL: "auswertung bewertung valutazione evaluacion avaliacao evaluatie evaluering 评估 評価 평가",
    BACKGROUND: "background",
}

FILLERS = words(
    "sets? datas? datasets? images? imgs? img pictures? pics? photos? photographs? files? folders? dirs? splits? parts?"
    " jpe?gs? pngs? crops? cropped originals? final full labell?ed resized stg stage ver v cross x"
)
_OTHER_FILLERS = words(
    "daten datensatz satz menge mengen bilder bild fotos foto aufnahmen ordner jeu donnees ensemble base de des du la le"
    " conjunto datos imagenes dados imagens dati immagini insieme gegevens zbior dane zdjecia veri verileri"
    " dataseti seti gambar выборка набор данные изображения 集 集合 数据 数据集 數據 資料 样本 图片 图像 图 组"
    " データ データセット 用 画像 데이터 데이터셋 세트 셋 이미지"
)


@dataclass(frozen=True)
class Lexicon:
    """The words that one version of the rules knows.

    Parameters
    ----------
    splits : mapping of str to str
        Words that stand for a split, each with the split.
    ambiguous : frozenset of str
        Words that are classes as well: a railway, "valid" beside "invalid".
    fillers : tuple of str
        Patterns of words beside a split's that say nothing more: train_images, testset, val_data_2017.
    accents : bool
        Whether letters are compared with their accents.
    """

    splits: Mapping[str, str]
    ambiguous: frozenset[str]
    fillers: tuple[str, ...]
    accents: bool

    @functools.cached_property
    def split(self) -> re.Pattern[str]:
        """A word for a split, with what says nothing more."""
        return re.compile(rf"({any_of(self.splits)})((?:{any_of(self.fillers)})*)")

    @functools.cached_property
    def filler(self) -> re.Pattern[str]:
        """What says nothing more."""
        return re.compile(rf"(?:{any_of(self.fillers)})+|[0-9]+")


def any_of(patterns: Iterable[str]) -> str:
    """Return a pattern for any of these, the longest first."""
    return "|".join(sorted(patterns, key=len, reverse=True))


def plain(text: str) -> str:
    """Return a text with letters that carry no accents, as many of them as it has once it is composed."""
    return "".join(_plain_letter(letter) for letter in unicodedata.normalize("NFC", text))


@functools.lru_cache(1 << 10)
def _plain_letter(letter: str) -> str:
    if letter.isascii():
        return letter
    bare = [part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)]
    return bare[0] if len(bare) == 1 else letter


def _splits(*sources: Mapping[str, str]) -> dict[str, str]:
    return {
        plain(word): split for source in sources for split, text in source.items() for word in words(text)
    }


_AMBIGUOUS = frozenset(words("train trains valid dev eval"))
_SECOND = Lexicon(_splits(_ENGLISH), _AMBIGUOUS, tuple(FILLERS), accents=True)
_THIRD = Lexicon(
    _splits(_ENGLISH, _OTHERS),
    _AMBIGUOUS | frozenset(words("prova prove essai essais teste pruf pred background")),
    (*FILLERS, *map(plain, _OTHER_FILLERS)),
    accents=False,
)
# Versions of the rule "folder", by what each was the first to read.
GROUPS, PARTS = 3, 4
NEWEST = PARTS


def lexicon(version: int) -> Lexicon:
    """Return the words that a version of the rules knows."""
    return _SECOND if version < GROUPS else _THIRD

"""ImageFeatures among the estimators of scikit-learn."""

import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import embed
from embed import demo
from embed.api import transformer
from embed.errors import ImageError, InputError, UsageError
from embed.images import formats

# The checks that feed numbers do not apply to an estimator of photographs; these are the others.
CHECKS = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    demo.draw(folder, train=2, test=1)
    return sorted(folder.rglob("*.jpg"))


@pytest.fixture
def images_to_features(tmp_path):
    return embed.ImageFeatures("tiny", cache=tmp_path / "cache")


@pytest.fixture
def forward_passes(monkeypatch):
    """How many photographs went through a backbone."""
    counted = []
    opened = transformer._runtime

    def counting(*arguments):
        runtime = opened(*arguments)

        class Counting:
            dimension, batch_size = runtime.dimension, runtime.batch_size

            def run(self, batch):
                counted.append(len(batch))
                return runtime.run(batch)

        return Counting()

    monkeypatch.setattr(transformer, "_runtime", counting)
    return counted


@pytest.mark.parametrize("check", CHECKS)
def test_estimator_check(check):
    getattr(estimator_checks, check)("ImageFeatures", embed.ImageFeatures("tiny"))


def test_features_are_those_of_an_extraction(images_to_features, pictures, tmp_path):
    root = pictures[0].parents[2]
    embed.extract_features(root, tmp_path / "extracted", backbone="tiny")
    features = embed.open(tmp_path / "extracted")
    np.testing.assert_allclose(images_to_features.transform(features.files), features.X, rtol=1e-5, atol=1e-6)


def test_a_second_time_costs_no_forward_pass(images_to_features, pictures, forward_passes):
    first = images_to_features.transform(pictures)
    assert sum(forward_passes) == len(pictures)
    again = clone(images_to_features).transform([str(path) for path in reversed(pictures)])
    assert sum(forward_passes) == len(pictures)
    np.testing.assert_array_equal(again[::-1], first)


def test_extracted_features_are_used(pictures, forward_passes, tmp_path):
    embed.extract_features(pictures[0].parents[2], tmp_path / "cache", backbone="tiny")
    embed.ImageFeatures("tiny", cache=tmp_path / "cache").transform(pictures)
    assert not forward_passes


def test_what_it_keeps_is_no_feature_set_of_the_cache(images_to_features, pictures, tmp_path):
    embed.extract_features(pictures[0].parent, tmp_path / "cache", backbone="tiny")
    images_to_features.transform(pictures)
    assert len(embed.open(tmp_path / "cache")) == 1


def test_another_backbone_or_resize_shares_no_features(images_to_features, pictures, forward_passes):
    plain = images_to_features.transform(pictures[:2])
    cropped = clone(images_to_features).set_params(resize="crop", size=96).transform(pictures[:2])
    assert sum(forward_passes) == 4
    assert not np.allclose(plain, cropped)


def test_pixels_give_the_features_of_their_file(images_to_features, pictures, forward_passes, tmp_path):
    pixels = [np.asarray(Image.open(path)) for path in pictures[:3]]
    for i, one in enumerate(pixels):
        Image.fromarray(one).save(tmp_path / f"{i}.png")
    of_pixels = images_to_features.transform(np.stack(pixels))
    of_files = images_to_features.transform([tmp_path / f"{i}.png" for i in range(3)])
    np.testing.assert_allclose(of_pixels, of_files, rtol=1e-5, atol=1e-6)
    assert sum(forward_passes) == 6
    images_to_features.transform(pixels)
    assert sum(forward_passes) == 6


def test_one_photograph_in_any_form_has_the_features_of_its_file(
    images_to_features, forward_passes, tmp_path
):
    drawing = Image.linear_gradient("L").resize((64, 48))
    turned = Image.Exif()
    turned[0x0112] = 6
    drawing.convert("RGB").quantize(16).save(tmp_path / "photo.png", exif=turned)
    expected = images_to_features.transform(tmp_path / "photo.png")
    assert expected.shape == (1, 512)
    with Image.open(tmp_path / "photo.png") as image:
        for form in (image, (tmp_path / "photo.png").read_bytes(), str(tmp_path / "photo.png")):
            np.testing.assert_array_equal(images_to_features.transform(form), expected)
        assert sum(forward_passes) == 1  # they have the very content of the file
        image.load()
        np.testing.assert_allclose(images_to_features.transform(image), expected, rtol=1e-5, atol=1e-6)


def test_features_of_an_older_decoder_are_computed_again(
    images_to_features, pictures, forward_passes, monkeypatch
):
    images_to_features.transform(pictures[:2])
    monkeypatch.setitem(formats.DECODER_VERSIONS, "JPEG", 99)
    images_to_features.transform(pictures[:2])
    assert sum(forward_passes) == 4
    images_to_features.transform(pictures[:2])
    assert sum(forward_passes) == 4


def test_a_grid_search_over_a_pipeline(images_to_features, pictures, forward_passes):
    y = [path.parent.name for path in pictures]
    pipeline = make_pipeline(images_to_features, LogisticRegression(max_iter=500))
    search = GridSearchCV(pipeline, {"logisticregression__C": [1, 100]}, cv=3).fit(pictures, y)
    assert set(search.predict(pictures)) == set(y)
    assert sum(forward_passes) == len(pictures)


def test_it_pickles_fitted_or_not(images_to_features, pictures):
    expected = images_to_features.fit_transform(pictures[:2])
    loaded = pickle.loads(pickle.dumps(images_to_features))
    np.testing.assert_array_equal(loaded.transform(pictures[:2]), expected)
    assert loaded.get_feature_names_out()[0] == "imagefeatures0"


def test_pandas_output_and_pandas_input(images_to_features, pictures):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"path": [str(path) for path in pictures[:2]]})
    out = images_to_features.set_output(transform="pandas").fit_transform(table)
    assert out.shape == (2, 512)
    assert out.columns[-1] == "imagefeatures511"
    assert images_to_features.transform(table["path"]).shape == (2, 512)


def test_no_photographs_give_no_rows(images_to_features):
    assert images_to_features.transform([]).shape == (0, 512)


def test_it_goes_on_while_another_process_stores(images_to_features, pictures, tmp_path):
    images_to_features.transform(pictures[:1])
    folder = tmp_path / "cache" / transformer.CONTENT_FOLDER
    _, recipe = images_to_features._resolve()
    with transformer.FeatureWriter.open(folder, "content", folder, recipe, 512):
        assert images_to_features.transform(pictures[:2]).shape == (2, 512)


def test_what_is_no_photograph_is_named(images_to_features, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        images_to_features.transform([tmp_path / "broken.jpg"])
    with pytest.raises(ImageError, match=r"missing\.jpg"):
        images_to_features.transform([tmp_path / "missing.jpg"])
    with pytest.raises(InputError, match=r"^photograph 1 is missing \(None\)\.$"):
        images_to_features.transform([tmp_path / "broken.jpg", None])
    with pytest.raises(InputError, match="dtype float64"):
        images_to_features.transform(np.zeros((1, 8, 8, 3)))
    with pytest.raises(ImageError, match=r"^photograph 0 is empty$"):
        images_to_features.transform(b"")
    with pytest.raises(UsageError, match="pooling"):
        embed.ImageFeatures("tiny", pooling="median").fit([])

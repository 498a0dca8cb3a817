"""The main job on real photographs with the real ImageNet weights, as a user does it, in an empty folder."""

import json
import os
import shutil

import pytest

pytestmark = [pytest.mark.imagenet, pytest.mark.photographs]


@pytest.fixture(scope="module")
def real(tmp_path_factory, keras_home):
    """The folder where the commands run, and their environment."""
    place = tmp_path_factory.mktemp("main-job")
    return {"cwd": place, "env": {"KERAS_HOME": str(keras_home)}, "check": True}


def test_ants_and_bees(real, run_embed, ants_bees):
    extracted = json.loads(run_embed("extract", ants_bees, "--json", **real).stdout)
    assert (extracted["images"], extracted["extracted"], extracted["failed"]) == (398, 398, 0)
    assert extracted["backbone"] == "mobilenetv2" and extracted["dimension"] == 1280

    again = json.loads(run_embed("extract", ants_bees, "--json", **real).stdout)
    assert (again["extracted"], again["reused"]) == (0, 398)

    fitted = json.loads(run_embed("fit", "--clf", "logistic", "--json", **real).stdout)
    assert fitted["classes"] == ["ants", "bees"]
    assert (fitted["n_train"], fitted["n_validation"], fitted["n_test"]) == (245, 153, 0)
    assert fitted["accuracy"] >= 0.94
    low, high = fitted["accuracy_interval"]
    assert low < fitted["accuracy"] < high
    assert fitted["baseline_accuracy"] < 0.6

    bees = sorted((ants_bees / "val" / "bees").iterdir())[:8]
    answers = json.loads(run_embed("similar", *bees, "--json", **real).stdout)
    assert len(answers) == 10 * len(bees)
    for bee in bees:
        own = [answer for answer in answers if answer["query"] == str(bee)]
        assert [answer["rank"] for answer in own] == list(range(1, 11))
        assert all(answer["path"] != f"val/bees/{bee.name}" for answer in own)
        similarities = [answer["similarity"] for answer in own]
        assert similarities == sorted(similarities, reverse=True) and similarities[0] <= 1
    # Half of all the photographs show bees.
    assert sum(answer["label"] == "bees" for answer in answers) >= 0.65 * len(answers)


def test_a_photograph_from_elsewhere_is_classified(real, run_embed, ants_bees, tmp_path):
    run_embed("extract", ants_bees, "--quiet", **real)
    run_embed("fit", "--clf", "logistic", "--json", **real)
    photographs = []
    for label in ("ants", "bees"):
        for original in sorted((ants_bees / "val" / label).glob("*.jpg"))[:8]:
            # A byte more: another content, the same picture.
            copy = tmp_path / f"{label}-{original.name}"
            copy.write_bytes(original.read_bytes() + b"\0")
            photographs.append(copy)
    predictions = json.loads(run_embed("predict", *photographs, "--json", **real).stdout)
    assert [os.path.basename(p["path"]) for p in predictions] == [p.name for p in photographs]
    right = sum(p["label"] == os.path.basename(p["path"]).split("-")[0] for p in predictions)
    assert right >= 13
    for prediction in predictions:
        assert sum(prediction["probabilities"].values()) == pytest.approx(1)
        assert prediction["probability"] == max(prediction["probabilities"].values())


@pytest.mark.torture  # a minute or two for each
@pytest.mark.parametrize(("network", "least"), [("mobilenetv2", 0.87), ("efficientnet", 0.875)])
def test_clothing_reaches_its_accuracy_on_the_untouched_test_split(
    network, least, real, run_embed, clothing, efficientnet
):
    own = (
        ["--backbone", efficientnet, "--preprocess", "mean=127,std=128"] if network == "efficientnet" else []
    )
    extracted = json.loads(run_embed("extract", clothing, *own, "--json", **real).stdout)
    assert (extracted["images"], extracted["failed"]) == (3781, 0)
    fitted = json.loads(run_embed("fit", "--clf", "logistic", "--json", **real).stdout)
    assert fitted["evaluated_on"] == "test" and fitted["n_test"] == 372
    assert fitted["accuracy"] >= least
    shutil.rmtree(real["cwd"] / "cache")


def test_a_real_network_in_an_onnx_file_goes_through_everything(run_embed, efficientnet, ants_bees, tmp_path):
    own = {"env": {"EMBED_HOME": str(tmp_path / "home")}, "check": True}
    network = ["--backbone", efficientnet, "--preprocess", "mean=127,std=128"]
    assert json.loads(run_embed("extract", ants_bees, *network, "--json", **own).stdout)["images"] == 398
    assert json.loads(run_embed("fit", "--json", **own).stdout)["accuracy"] >= 0.947
    photograph = sorted((ants_bees / "val" / "bees").iterdir())[0]
    for command in (["similar", photograph], ["predict", photograph], ["report"]):
        assert run_embed(*command, **own).stdout
    run_embed("explain", photograph, "--out", "explained.png", **own)
    assert (tmp_path / "explained.png").stat().st_size > 1000

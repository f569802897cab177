"""The commands `reference explain …`. Libraries are imported by the command that needs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reference.errors import ExplainError
from reference.explain.methods import METHODS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reference.explain.explained import Explained
    from reference.explain.mistakes import Mistake

FEATURE_IMAGES = 2000
ALL_IMAGES = 1 << 30
CommandT = TypeVar("CommandT", bound=Callable[..., Any])

run_argument = click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
seed_option = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
layer_option = click.option("--layer", help="Name of a module. Default: the model's last maps.")


def out_option(default: str) -> Callable[[CommandT], CommandT]:
    """`--out`, a PNG."""
    return click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        default=Path(default),
        show_default=True,
        callback=_png,
        help="The PNG to write.",
    )


def count_option(default: int) -> Callable[[CommandT], CommandT]:
    """`--count`, of images."""
    return click.option(
        "--count", type=click.IntRange(1, 10_000), default=default, show_default=True
    )


def _png(context: click.Context, option: click.Parameter, path: Path) -> Path:
    if path.suffix != ".png":
        raise click.BadParameter(f"{path} must end in .png")
    return path


class ExplainGroup(click.Group):
    """`explain BUNDLE IMAGES` is short for `explain bundle BUNDLE IMAGES`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named, or `bundle` where a path comes first."""
        if args[0] not in self.commands and Path(args[0]).exists():
            args = ["bundle", *args]
        return super().resolve_command(ctx, args)


@click.group("explain", cls=ExplainGroup)
def explain() -> None:
    """Draw what a model looks at, takes apart and gets wrong; each command writes one PNG.

    RUN is the folder of a finished run; the images are test images of its own set. Of anybody's
    bundle: `reference explain BUNDLE IMAGES`.

    \b
    Example: reference explain cam runs/resnet18-0 --method grad-cam++
             reference explain features runs/small_cnn-0 --by tsne
             reference explain bundles/lenet5.zip pack
    """


@explain.command("bundle")
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.argument("images", type=click.Path(exists=True, path_type=Path))
@click.option("--classes", "num_classes", type=click.IntRange(min=1), help="Of a .npy's images.")
@click.option("--own-code", is_flag=True, help="Your own bundle: as a plain program, unconfined.")
@click.option("--count", type=click.IntRange(1, 64), default=8, show_default=True)
@out_option("explained.png")
def bundle_command(
    bundle: Path, images: Path, num_classes: int | None, own_code: bool, count: int, out: Path
) -> None:
    """Run BUNDLE in the sandbox and lay over IMAGES what spoke for its answers.

    IMAGES is a public pack, whose sample is taken, or a .npy of uint8 images. By Grad-CAM at the
    model's last maps; or by explain(model, batch, classes) in model.py.

    \b
    Example: reference explain bundles/lenet5.zip pack
             reference explain bundles/lenet5 images.npy --classes 10
    """
    import numpy as np
    import torch

    from grader import GraderError
    from reference.explain import bundles, drawing

    try:
        about = bundles.asked(images, count, num_classes)
        with bundles.get_runner(own_code=own_code) as runner:
            result = bundles.run(bundle, about, runner)
    except GraderError as error:
        raise ExplainError(str(error)) from error
    assert result.labels is not None
    assert result.heat_maps is not None
    pixels = torch.from_numpy(about.images)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    heat = torch.from_numpy(result.heat_maps / np.float32(255))
    titles = _titles(result.labels.tolist(), about.labels, about.classes)
    drawing.images_with_heat(pixels, heat, titles, out, about=f"{bundle.name}: what spoke for it")
    click.echo(out)


@explain.command("cam")
@run_argument
@click.option("--method", type=click.Choice(tuple(METHODS)), default="grad-cam", show_default=True)
@layer_option
@count_option(8)
@seed_option
@out_option("cam.png")
def cam_command(
    run: Path, method: str, layer: str | None, count: int, seed: int, out: Path
) -> None:
    """Lay class activation maps over images: what spoke for the class that was answered.

    CAM is for networks that average their last maps (ResNet, DenseNet, NiN); the others take any.

    \b
    Example: reference explain cam runs/resnet18-0 --method cam
    """
    from reference.explain import drawing, maps

    about = _explained(run, count)
    found = maps.class_maps(
        *(about.model, about.inputs, about.said),
        method=method,
        layer=layer or about.layer,
        classifier=about.classifier,
        seed=seed,
    )
    title = f"{method} at {layer or about.layer}, {about.record.title}"
    drawing.images_with_heat(about.pixels, found, _answers(about), out, about=title)
    click.echo(out)


@explain.command("saliency")
@run_argument
@click.option("--smooth", is_flag=True, help="SmoothGrad: the mean over noisy copies.")
@count_option(8)
@seed_option
@out_option("saliency.png")
def saliency_command(run: Path, smooth: bool, count: int, seed: int, out: Path) -> None:
    """Lay over images how much each pixel moves the score of the answer.

    \b
    Example: reference explain saliency runs/resnet18-0 --smooth
    """
    from reference.explain import drawing, maps, saliency

    about = _explained(run, count)
    given = about.model, about.inputs, about.said
    found = saliency.smooth_saliency(*given, seed=seed) if smooth else saliency.saliency(*given)
    title = f"{'SmoothGrad' if smooth else 'saliency'}, {about.record.title}"
    heat = maps.scaled(found)
    drawing.images_with_heat(about.pixels, heat, _answers(about), out, about=title)
    click.echo(out)


@explain.command("features")
@run_argument
@click.option("--by", type=click.Choice(["tsne", "pca"]), default="tsne", show_default=True)
@count_option(FEATURE_IMAGES)
@seed_option
@out_option("features.png")
def features_command(run: Path, by: str, count: int, seed: int, out: Path) -> None:
    """Draw what the last layer is given, in two dimensions, a point an image.

    \b
    Example: reference explain features runs/resnet18-0 --by pca
    """
    from reference.explain import drawing, features

    about = _explained(run, count)
    vectors = features.features(about.model, about.inputs, about.classifier)
    named = "", ""
    if by == "pca":
        points, shares = features.pca(vectors)
        named = f"first: {shares[0]:.0%} of the variance", f"second: {shares[1]:.0%}"
    else:
        points = features.tsne(vectors, seed=seed)
    title = (
        f"{'PCA' if by == 'pca' else 't-SNE'} of {len(points)} test images, {about.record.title}"
    )
    classes = about.record.classes
    drawing.scatter(points, about.labels, classes, out, about=title, axes_named=named)
    click.echo(out)


@explain.command("dream")
@run_argument
@layer_option
@click.option("--channel", "channels", type=int, multiple=True, help="Default: 0 to 7.")
@click.option("--from-noise", is_flag=True, help="Activation maximisation: from noise, longer.")
@seed_option
@out_option("dream.png")
def dream_command(
    run: Path, layer: str | None, channels: tuple[int, ...], from_noise: bool, seed: int, out: Path
) -> None:
    """Change images until a channel of a layer answers them more: DeepDream.

    \b
    Example: reference explain dream runs/resnet18-0 --layer layer4 --channel 3
             reference explain dream runs/resnet18-0 --layer layer4 --channel 3 --from-noise
    """
    import torch

    from reference.explain import drawing, dreams

    chosen = channels or tuple(range(8))
    about = _explained(run, len(chosen))
    at = layer or about.layer
    made, titles = [], []
    for place, channel in enumerate(chosen):
        image = about.inputs[place % len(about.inputs)]
        if from_noise:
            dreamt, reached = dreams.maximise(about.model, image.shape, at, channel, seed=seed)
        else:
            dreamt, reached = dreams.deep_dream(about.model, image, at, channel, seed=seed)
        made.append(dreamt)
        titles.append(f"{channel}: {reached[0]:.2f} → {reached[-1]:.2f}")
    kind = "activation maximisation" if from_noise else "DeepDream"
    title = f"{kind} of {at}, channel: activation before and after, {about.record.title}"
    drawing.gallery(about.to_pixels(torch.stack(made)), titles, out, about=title)
    click.echo(out)


@explain.command("mistakes")
@run_argument
@click.option("--kind", type=click.Choice(["confused", "surest"]), default="surest")
@count_option(16)
@out_option("mistakes.png")
def mistakes_command(run: Path, kind: str, count: int, out: Path) -> None:
    """Show the mistakes made most surely, or those between the two classes mixed up most.

    \b
    Example: reference explain mistakes runs/resnet18-0 --kind confused
    """
    from reference.explain import drawing, mistakes

    about = _explained(run, ALL_IMAGES)
    choose = mistakes.surest if kind == "surest" else mistakes.most_confused
    found = choose(about.scores, about.labels, count)
    if not found:
        raise ExplainError(f"{about.record.title} made no mistake: there is nothing to show")
    which = "the surest mistakes" if kind == "surest" else "of the two classes most mixed up"
    titles = [_said(each, about.record.classes) for each in found]
    pixels = about.pixels[[each.row for each in found]]
    title = f"{which}: true → said, {about.record.title}"
    drawing.gallery(pixels, titles, out, about=title)
    click.echo(out)


def _explained(run: Path, count: int) -> Explained:
    from reference.explain.explained import explained

    return explained(run, count)


def _answers(about: Explained) -> list[str]:
    return _titles(about.said.tolist(), about.labels, about.record.classes)


def _titles(
    said: list[int], labels: NDArray[np.int64] | None, classes: tuple[str, ...]
) -> list[str]:
    if labels is None:
        return [classes[answer] for answer in said]
    return [
        classes[answer] if answer == true else f"{classes[answer]}\n(is {classes[true]})"
        for answer, true in zip(said, labels.tolist(), strict=True)
    ]


def _said(mistake: Mistake, classes: tuple[str, ...]) -> str:
    return f"{classes[mistake.true]}\n→ {classes[mistake.said]}\n{mistake.probability:.0%}"

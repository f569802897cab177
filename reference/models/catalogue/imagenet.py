"""The models that were made for ImageNet, and those that are built like them.

`parameters` are for 1,000 classes: the figures of the papers (in millions) and, to the last one, of
torchvision's documentation; where neither has the model, the tests add them up by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

from reference.models.registry import Entry, Option, register

RESNET_OPTIONS: Mapping[str, Option] = {
    "block": "basic",
    "layers": (2, 2, 2, 2),
    "groups": 1,
    "width_per_group": 64,
    "stem": "imagenet",
    "head_units": 0,
    "shortcut_norm": True,
}
LAYERS_18 = (2, 2, 2, 2)
LAYERS_34 = LAYERS_50 = (3, 4, 6, 3)
LAYERS_101 = (3, 4, 23, 3)
LAYERS_152 = (3, 8, 36, 3)

HE = "He et al. 2016, arXiv:1512.03385"
HU = "Hu, Shen and Sun 2018, arXiv:1709.01507"
XIE = "Xie et al. 2017, arXiv:1611.05431"
ZAGORUYKO = "Zagoruyko and Komodakis 2016, arXiv:1605.07146"


def _resnet(
    name: str, layers: tuple[int, ...], parameters: int, source: str, **options: Option
) -> None:
    register(
        Entry(
            name=name,
            family="resnet",
            builder="ResNet",
            options={**RESNET_OPTIONS, "layers": layers, **options},
            channels=3,
            size=224,
            smallest=32,
            normalisation="imagenet",
            parameters=parameters,
            classes=1000,
            first_conv="conv1",
            classifier="fc",
            cam_layer="layer4",
            source=source,
            library="torchvision",
        )
    )


def _vgg(depth: int, parameters: int, *, batch_norm: bool, last_map: int) -> None:
    row = "000.6, 002.8" if depth == 16 else "002.8"
    register(
        Entry(
            name=f"vgg{depth}_bn" if batch_norm else f"vgg{depth}",
            family="vgg",
            builder="VGG",
            options={"depth": depth, "batch_norm": batch_norm, "units": 4096, "dropout": 0.5},
            channels=3,
            size=224,
            smallest=32,
            normalisation="imagenet",
            parameters=parameters,
            classes=1000,
            first_conv="features.0",
            classifier="classifier.6",
            cam_layer=f"features.{last_map}",
            source=f"Simonyan and Zisserman 2015, arXiv:1409.1556; report {row}",
            library="torchvision",
        )
    )


def _densenet(
    name: str, growth: int, layers: tuple[int, ...], stem: int, parameters: int, row: str
) -> None:
    register(
        Entry(
            name=name,
            family="densenet",
            builder="DenseNet",
            options={"growth": growth, "layers": layers, "stem": stem},
            channels=3,
            size=224,
            smallest=32,
            normalisation="imagenet",
            parameters=parameters,
            classes=1000,
            first_conv="features.conv0",
            classifier="classifier",
            cam_layer="features.norm5",
            source=f"Huang et al. 2017, arXiv:1608.06993; report {row}",
            library="torchvision",
        )
    )


register(
    Entry(
        name="alexnet",
        family="alexnet",
        builder="AlexNet",
        options={"units": 4096, "dropout": 0.5},
        channels=3,
        size=224,
        smallest=63,
        normalisation="imagenet",
        parameters=61_100_840,
        classes=1000,
        first_conv="features.0",
        classifier="classifier.6",
        cam_layer="features.11",
        source="Krizhevsky 2014, arXiv:1404.5997; report 002.8",
        library="torchvision",
    )
)

_vgg(11, 132_863_336, batch_norm=False, last_map=19)
_vgg(13, 133_047_848, batch_norm=False, last_map=23)
_vgg(16, 138_357_544, batch_norm=False, last_map=29)
_vgg(19, 143_667_240, batch_norm=False, last_map=35)
_vgg(11, 132_868_840, batch_norm=True, last_map=27)
_vgg(13, 133_053_736, batch_norm=True, last_map=33)
_vgg(16, 138_365_992, batch_norm=True, last_map=42)
_vgg(19, 143_678_248, batch_norm=True, last_map=51)

register(
    Entry(
        name="vgg16_small",
        family="vgg",
        builder="SmallVGG",
        options={"depth": 16, "batch_norm": True},
        channels=3,
        size=32,
        smallest=32,
        normalisation="training_set",
        parameters=14_728_266,
        first_conv="features.0",
        classifier="classifier",
        cam_layer="features.42",
        source="Simonyan and Zisserman 2015, arXiv:1409.1556, simplified; report 003.1",
        library="torchvision",
    )
)

_resnet("resnet18", LAYERS_18, 11_689_512, f"{HE}; report 001.4, 002.9, 003.2–3, 004.3")
_resnet("resnet34", LAYERS_34, 21_797_672, f"{HE}; report 000.7, 001.4, 003.2, 004.3")
_resnet(
    "resnet50",
    LAYERS_50,
    25_557_032,
    f"{HE}; report 001.4, 003.2, 004.3",
    block="bottleneck",
)
_resnet("resnet101", LAYERS_101, 44_549_160, f"{HE}; report 003.2", block="bottleneck")
_resnet("resnet152", LAYERS_152, 60_192_808, f"{HE}; report 003.2", block="bottleneck")

_resnet("se_resnet18", LAYERS_18, 11_778_592, f"{HU}; report 001.5", block="se_basic")
_resnet("se_resnet34", LAYERS_34, 21_958_868, f"{HU}; report 001.5", block="se_basic")
_resnet("se_resnet50", LAYERS_50, 28_088_024, f"{HU}; report 001.5", block="se_bottleneck")

_resnet(
    "resnext18",
    LAYERS_18,
    10_536_744,
    f"report 004.5, after {XIE}",
    block="grouped_basic",
    groups=32,
    width_per_group=4,
)
_resnet(
    "resnext50",
    LAYERS_50,
    25_028_904,
    f"{XIE} (32×4d); report 003.4, 004.5",
    block="bottleneck",
    groups=32,
    width_per_group=4,
)
_resnet(
    "resnext101",
    LAYERS_101,
    88_791_336,
    f"{XIE} (32×8d); report 003.4",
    block="bottleneck",
    groups=32,
    width_per_group=8,
)

_resnet(
    "wide_resnet50",
    LAYERS_50,
    68_883_240,
    f"{ZAGORUYKO}; report 003.5",
    block="bottleneck",
    width_per_group=128,
)
_resnet(
    "wide_resnet101",
    LAYERS_101,
    126_886_696,
    f"{ZAGORUYKO}; report 003.5",
    block="bottleneck",
    width_per_group=128,
)

_resnet("dlresnet18_a", LAYERS_18, 42_212_392, "report 004.4, first design", block="dual_path")
_resnet("dlresnet18_b", LAYERS_18, 42_212_392, "report 004.4, second design", block="dual_layer")

_densenet("densenet121", 32, (6, 12, 24, 16), 64, 7_978_856, "002.11")
_densenet("densenet161", 48, (6, 12, 36, 24), 96, 28_681_000, "003.11")

register(
    Entry(
        name="efficientnet_lite0",
        family="efficientnet_lite",
        builder="EfficientNetLite0",
        options={"dropout": 0.2},
        channels=3,
        size=224,
        smallest=32,
        normalisation="half",
        parameters=4_652_008,
        classes=1000,
        first_conv="stem.0",
        classifier="fc",
        cam_layer="head",
        source="Tan and Le 2019, arXiv:1905.11946, its Lite0",
    )
)

register(
    Entry(
        name="inception_v3",
        family="inception",
        builder="InceptionV3",
        options={"dropout": 0.5},
        channels=3,
        size=299,
        smallest=75,
        normalisation="imagenet",
        parameters=23_834_568,
        classes=1000,
        first_conv="Conv2d_1a_3x3.conv",
        classifier="fc",
        cam_layer="Mixed_7c",
        source="Szegedy et al. 2016, arXiv:1512.00567, without auxiliary classifier; report 003.11",
        library="torchvision",
    )
)

"""The models that were made for small images. Parameter counts are checked by the tests."""

from __future__ import annotations

from collections.abc import Mapping

from reference.models.registry import Entry, Option, register

LENET_OPTIONS: Mapping[str, Option] = {
    "activation": "sigmoid",
    "dense_activation": "same",
    "pooling": "avg",
    "kernel": 5,
    "first_kernel": 0,
    "pool": 2,
    "stride": 0,
}
LECUN = "LeCun et al. 1998, doi:10.1109/5.726791"

register(
    Entry(
        name="lenet1",
        family="lenet",
        builder="LeNet1",
        options=LENET_OPTIONS,
        channels=1,
        size=28,
        smallest=16,
        normalisation="training_set",
        parameters=3_246,
        first_conv="features.0",
        classifier="classifier.1",
        cam_layer="features.4",
        source=f"{LECUN}; report 002.10",
    )
)

register(
    Entry(
        name="lenet4",
        family="lenet",
        builder="LeNet4",
        options=LENET_OPTIONS,
        channels=1,
        size=28,
        smallest=12,
        normalisation="training_set",
        parameters=51_050,
        first_conv="features.0",
        classifier="classifier.3",
        cam_layer="features.4",
        source=f"{LECUN}; report 002.10",
    )
)

register(
    Entry(
        name="lenet5",
        family="lenet",
        builder="LeNet5",
        options=LENET_OPTIONS,
        channels=1,
        size=28,
        smallest=12,
        normalisation="training_set",
        parameters=61_706,
        first_conv="features.0",
        classifier="classifier.5",
        cam_layer="features.4",
        source=f"{LECUN}; report 002.1–7, 002.10",
    )
)

register(
    Entry(
        name="lenet_tutorial",
        family="lenet",
        builder="LeNetTutorial",
        options={**LENET_OPTIONS, "activation": "relu", "pooling": "max"},
        channels=3,
        size=32,
        smallest=16,
        normalisation="training_set",
        parameters=62_006,
        first_conv="features.0",
        classifier="classifier.5",
        cam_layer="features.4",
        source="PyTorch's tutorial *Training a classifier*; report 003.1",
    )
)

register(
    Entry(
        name="lenet5_published",
        family="lenet",
        builder="LeNet5Published",
        options={},
        channels=1,
        size=28,
        smallest=12,
        normalisation="training_set",
        parameters=60_000,
        first_conv="c1",
        classifier="rbf",
        cam_layer="s4",
        source=f"{LECUN}; report 002.13",
    )
)

for name, units, parameters, last in (
    ("linear", (), 7_850, "layers.0"),
    ("mlp", (300,), 238_510, "layers.3"),
    ("mlp_2", (300, 100), 266_610, "layers.5"),
):
    register(
        Entry(
            name=name,
            family="lenet",
            builder="Perceptron",
            options={"units": units},
            channels=1,
            size=28,
            smallest=1,
            normalisation="training_set",
            parameters=parameters,
            first_conv="layers.0",
            classifier=last,
            cam_layer="layers.0",
            source=f"{LECUN}; report 002.12",
        )
    )

register(
    Entry(
        name="simple_cnn",
        family="simple_cnn",
        builder="SimpleCNN",
        options={"kernel": 5, "convs": 1},
        channels=1,
        size=28,
        smallest=16,
        normalisation="training_set",
        parameters=21_840,
        first_conv="features.0",
        classifier="classifier.3",
        cam_layer="features.5",
        source="the course of report 001; 001.2 (kernel 5), 001.3 (kernel 3; convs 2)",
    )
)

register(
    Entry(
        name="mynet",
        family="mynet",
        builder="MyNet",
        options={},
        channels=3,
        size=224,
        smallest=16,
        normalisation="training_set",
        parameters=28_105_799,
        classes=19,
        first_conv="features.0",
        classifier="classifier.3",
        cam_layer="features.4",
        source="report 000.4",
    )
)

register(
    Entry(
        name="mynet_pro",
        family="mynet",
        builder="MyNetPro",
        options={"units": 4096, "dropout": 0.3},
        channels=3,
        size=224,
        smallest=63,
        normalisation="training_set",
        parameters=57_083_987,
        classes=19,
        first_conv="features.0",
        classifier="classifier.7",
        cam_layer="features.17",
        source="Krizhevsky 2014, arXiv:1404.5997, with batch normalisation; report 000.5",
    )
)

register(
    Entry(
        name="nin",
        family="nin",
        builder="NiN",
        options={"width": 192, "dropout": 0.5},
        channels=3,
        size=32,
        smallest=4,
        normalisation="training_set",
        parameters=966_986,
        first_conv="features.0",
        classifier="classifier",
        cam_layer="features.19",
        source="Lin, Chen and Yan 2014, arXiv:1312.4400 (its CIFAR-10 network); report 002.8",
    )
)

register(
    Entry(
        name="small_cnn",
        family="small_cnn",
        builder="SmallCNN",
        options={"widths": (32, 64, 128), "convs": (1, 2, 2), "unshuffle": 1},
        channels=1,
        size=28,
        smallest=8,
        normalisation="training_set",
        parameters=289_130,
        first_conv="features.0",
        classifier="classifier.1",
        cam_layer="features",
        source="ours: a VGG-like stack (Simonyan and Zisserman 2015) with batch normalisation",
    )
)

register(
    Entry(
        name="shake_shake",
        family="shake_shake",
        builder="ShakeShake",
        options={"width": 32, "blocks": 4},
        channels=3,
        size=32,
        smallest=4,
        normalisation="training_set",
        parameters=2_923_162,
        first_conv="stem.0",
        classifier="classifier",
        cam_layer="stages",
        source="Gastaldi 2017, arXiv:1705.07485 (26 2×32d; width 64: 26 2×64d); report 003.6",
    )
)

"""The rows of the reports that this part reproduces, and what does each of them.

Most are training recipes, which name their row themselves; the others are the work of a module.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference.recipe import recipe


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: what it is, and the recipes and modules that do it."""

    name: str
    title: str
    recipes: tuple[str, ...]
    modules: tuple[str, ...] = ()


TITLES: dict[str, str] = {
    "000.1": "marine animals: turtles under-sampled, stratified 8:1:1",
    "000.2": "static augmentation: rotated, mirrored and cropped copies",
    "000.3": "dynamic augmentation, and what it brings MyNetPro",
    "000.4": "MyNet",
    "000.5": "MyNetPro",
    "000.6": "VGG16 from scratch",
    "000.7": "ResNet34 from scratch",
    "000.8": "VGG16-BN from ImageNet weights",
    "000.9": "ResNet34 from ImageNet weights",
    "000.10": "ResNet34 from ImageNet weights, the last stage and the head alone",
    "000.11": "hyper-parameter sweep of MyNetPro",
    "000.12": "accuracy, macro precision, recall and F1, confusion matrix, by class",
    "000.13": "heat maps over images: Grad-CAM, Grad-CAM++",
    "000.14": "training curves, confusion matrices, plots of sweeps",
    "000.15": "smaller models: quantised, pruned, low-rank",
    "000.16": "the four tables by class, read by the claims check",
    "001.1": "class competition: .npy and .csv, 5,000 validation images",
    "001.2": "simple CNN, 5×5 kernels",
    "001.3": "simple CNN, 3×3 kernels, several convolutions before a pooling",
    "001.4": "ResNet18, 34, 50 at 224 px",
    "001.5": "SE-ResNet34",
    "001.6": "step and plateau schedules, momentum, weight decay",
    "001.7": "the competition: display and team names, public and private score and rank",
    "001.8": "ResNet34, augmentation on and off",
    "001.9": "28 px against 224 px",
    "001.10": "several convolutions before a pooling",
    "002.1": "LeNet-5",
    "002.2": "LeNet-5, learning rates",
    "002.3": "LeNet-5, batch sizes",
    "002.4": "LeNet-5, epochs",
    "002.5": "LeNet-5, activation and pooling",
    "002.6": "LeNet-5, kernel and pooling size",
    "002.7": 'LeNet-5, the "best" combination',
    "002.8": "AlexNet, VGG, NiN",
    "002.9": "ResNet-18",
    "002.10": "LeNet-1, LeNet-4, LeNet-5",
    "002.11": "CAM and its relatives, saliency",
    "002.12": "from a linear classifier to hidden layers",
    "002.13": "LeNet-5 as published",
    "003.1": "LeNet, simplified VGG16",
    "003.2": "ResNet18 to ResNet152 with a stem for small images",
    "003.3": "ResNet18, stems",
    "003.4": "ResNeXt50, ResNeXt101",
    "003.5": "Wide ResNet50, Wide ResNet101",
    "003.6": "shake-shake",
    "003.7": "optimisers",
    "003.8": "augmentation, five sets",
    "003.9": "schedules",
    "003.10": "class weights from areas under ROC curves",
    "003.11": "ImageNet weights at 224 px",
    "003.12": "ImageNet weights, mixup",
    "003.13": "ImageNet weights, label smoothing",
    "003.14": "ensembles by summed logits, averaged probabilities, votes",
    "003.15": "ROC curves and areas by class and over epochs",
    "003.16": "the self-test log and the lists of areas, read by the claims check",
    "004.1": "ResNet50 on satellite pictures, task A",
    "004.2": "t-SNE of features, DeepDream, activation maximisation",
    "004.3": "ResNet18, 34, 50 on satellite pictures",
    "004.4": "DLResNet18, two designs",
    "004.5": "ResNeXt50, ResNeXt18",
    "004.6": "ablation of augmentation and schedule",
    "004.7": "long tail, by cross-entropy",
    "004.8": "long tail, by balanced softmax and other methods",
    "004.9": "DLResNet18 and ResNeXt50 under the schedule",
    "004.10": "cosine and exponential schedules",
}
MODULES: dict[str, tuple[str, ...]] = {
    "000.1": (
        "reference.data.class_folders",
        "reference.data.resampling",
        "reference.data.splits",
    ),
    "000.2": ("reference.training.transforms.augment",),
    "000.3": ("reference.training.transforms.augment",),
    "000.13": ("reference.explain.maps", "reference.explain.plus_plus"),
    "002.11": ("reference.explain.maps", "reference.explain.saliency"),
    "004.2": ("reference.explain.features", "reference.explain.dreams"),
    "000.11": ("reference.searching.search",),
    "000.12": ("grader.scoring.metrics", "reference.results.cards"),
    "000.14": ("reference.results.curves", "reference.results.plots", "reference.searching.plots"),
    "000.15": ("reference.inspecting.smaller",),
    "000.16": ("grader.claims.reports", "grader.claims.claims"),
    "001.1": ("reference.data.competition",),
    "003.14": ("reference.submitting.ensembles", "reference.submitting.combining"),
    "003.15": ("reference.inspecting.roc",),
    "003.16": ("grader.claims.reports", "grader.claims.claims"),
    "001.7": ("grader.scoring.scoring", "leaderboard.boards.standings"),
}


def rows() -> tuple[Row, ...]:
    """Every row with what does it, in the reports' order."""
    shipped = [recipe.load(name) for name in recipe.names()]
    return tuple(
        Row(
            name=name,
            title=title,
            recipes=tuple(each.name for each in shipped if name in each.rows),
            modules=MODULES.get(name, ()),
        )
        for name, title in TITLES.items()
    )

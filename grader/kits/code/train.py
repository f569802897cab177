"""Train the model of bundle/model.py and save its checkpoint beside it.

    python train.py PACK          PACK: the folder that `grader data` downloaded

Needs PyTorch: pip install torch. The folder bundle/ is then what `grader submit` hands in.
"""

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import numpy as np

try:
    import torch
    from torch.nn import functional
except ImportError:
    print("training needs PyTorch: pip install torch", file=sys.stderr)
    sys.exit(2)

IMAGES_SEEN = 200_000  # in all epochs together: a minute or less on two CPUs at 28x28 pixels
MOST_EPOCHS = 100
BATCH_SIZE = 64
LEARNING_RATE = 0.006
HELD_OUT = 0.1  # share of the training images that says how good it is
FLIP = True  # False where left and right matter, as for digits and text
SHIFT = 2  # pixels, at most, in each direction
SEED = 0
BUNDLE = Path(__file__).resolve().parent / "bundle"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--epochs", type=int, help="default: by the number of images")
    arguments = parser.parse_args()
    classes = json.loads((arguments.pack / "assignment.json").read_text("utf-8"))["classes"]
    images, labels = read_training_set(arguments.pack, classes)
    write_settings(len(classes), images.shape[1])

    torch.manual_seed(SEED)
    sys.path.insert(0, str(BUNDLE))
    from model import build_model, preprocess

    model = build_model().to(memory_format=torch.channels_last)
    train(model, preprocess, images, labels, arguments.epochs)
    torch.save(model.state_dict(), BUNDLE / "checkpoint.pt")
    print(f"wrote {BUNDLE / 'checkpoint.pt'}; hand in the folder {BUNDLE}")


def read_training_set(pack: Path, classes: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Images uint8 (N, C, H, W), as the server gives them to `preprocess`, and labels (N,)."""
    folder = pack / "train"
    if not (folder / "images.npy").exists():
        folder = pack / "sample"
        print("the pack has no train/images.npy: training on its few samples, to show the way")
    array = np.load(folder / "images.npy")
    array = array[:, None] if array.ndim == 3 else array.transpose(0, 3, 1, 2)
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        names = [row["label"] for row in csv.DictReader(file)]
    index_of = {name: index for index, name in enumerate(classes)}
    labels = [int(name) if name.isdigit() else index_of[name] for name in names]
    return torch.from_numpy(np.ascontiguousarray(array)), torch.tensor(labels)


def write_settings(num_classes: int, channels: int) -> None:
    """What model.py must know of the data travels in the bundle."""
    lines = f"NUM_CLASSES = {num_classes}\nCHANNELS = {channels}\n"
    (BUNDLE / "settings.py").write_text('"""Written by train.py."""\n\n' + lines, "utf-8")


def train(model, preprocess, images, labels, epochs) -> None:
    """AdamW with a one-cycle learning rate, cross-entropy, flips and shifts of each image."""
    order = torch.randperm(len(images))
    held_out, kept = order.tensor_split([int(len(images) * HELD_OUT)])
    epochs = epochs or max(1, min(MOST_EPOCHS, IMAGES_SEEN // len(kept)))
    print(
        f"{len(kept)} images to train on, {len(held_out)} held out; {epochs} epochs of batches of "
        f"{BATCH_SIZE}, each image shifted by up to {SHIFT} pixels{' and flipped' * FLIP}"
    )
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    steps = epochs * -(-len(kept) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    started = time.monotonic()
    for epoch in range(epochs):
        model.train()
        for rows in kept[torch.randperm(len(kept))].split(BATCH_SIZE):
            batch = preprocess(augmented(images[rows]))
            loss = functional.cross_entropy(model(batch), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch == 0 or epoch + 1 == epochs or (epoch + 1) % max(1, epochs // 10) == 0:
            seconds = time.monotonic() - started
            print(
                f"epoch {epoch + 1} of {epochs}: accuracy on held-out images "
                f"{accuracy(model, preprocess, images, labels, held_out):.4f}, "
                f"{seconds:.0f} s of about {seconds / (epoch + 1) * epochs:.0f}",
                flush=True,
            )


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Each image (N, C, H, W) shifted by whole pixels, its edge repeated; half are flipped too."""
    count, _, height, width = images.shape
    padded = functional.pad(images.float(), (SHIFT,) * 4, mode="replicate").to(images.dtype)
    down = torch.randint(2 * SHIFT + 1, (count, 1)) + torch.arange(height)
    across = torch.randint(2 * SHIFT + 1, (count, 1)) + torch.arange(width)
    if FLIP:
        flipped = torch.rand(count) < 0.5
        across[flipped] = across[flipped].flip(1)
    rows = torch.arange(count)[:, None, None]
    # indices side by side come first: (N, H, W, C)
    return padded[rows, :, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)


@torch.inference_mode()
def accuracy(model, preprocess, images, labels, rows) -> float:
    model.eval()
    right = 0
    for part in rows.split(512):
        right += int((model(preprocess(images[part])).argmax(1) == labels[part]).sum())
    return right / max(1, len(rows))


if __name__ == "__main__":
    main()

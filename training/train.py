"""Train `tiny`: predict the teacher's features of a crop, and the class of the picture.

    python -m training.train final --samples 1000000

writes work/final/{checkpoint.pt,log.csv,options.json}; run again with the same name it goes on where it
stopped. One process of one thread per worker, gradients averaged once a step: on a busy
machine this is several times faster than one process of several threads, which waits for its slowest at
every layer.
"""

import argparse
import copy
import csv
import json
import math
import os
import time

import numpy as np
import torch
from torch import distributed, nn
from torch.nn import functional

from embed.backbones import tiny
from training.data import CLASSES, HELD_OUT, WORK, labels, pictures
from training.network import Network
from training.teacher import crop

COMPONENTS = 256  # principal components of the teacher's features that are learned
WHITENING = 0.5  # each component is divided by its standard deviation to this power
LABEL_SMOOTHING = 0.1
WARM_UP = 0.02  # part of the run in which the learning rate rises; then it falls along a cosine
AVERAGING = 0.998  # decay, every 128 crops, of the running average of the weights, which is what is kept
SAVE_SECONDS = 300
COLUMNS = (
    "samples",
    "seconds",
    "size",
    "rate",
    "loss",
    "distance",
    "entropy",
    "cosine64",
    "top1_64",
    "cosine",
    "top1",
)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name")
    parser.add_argument("--samples", type=int, default=1_000_000, help="crops shown in all")
    parser.add_argument(
        "--sizes", default="0:64", help="START:SIZE[+SIZE…],… pixels from that part of the run on"
    )
    parser.add_argument("--views", type=int, default=6, help="views of teacher.py to learn from")
    parser.add_argument("--batch", type=int, default=128, help="over all workers")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument(
        "--distil", type=float, default=4.0, help="weight of the teacher's features in the loss"
    )
    parser.add_argument("--classify", type=float, default=1.0, help="weight of the classes in the loss")
    parser.add_argument(
        "--mosaic", type=float, default=0.35, help="part of the batch made of four small pictures each"
    )
    parser.add_argument("--stem", type=int, default=tiny.STEM_WIDTH)
    parser.add_argument("--stages", default=",".join(f"{width}x{blocks}" for width, blocks in tiny.STAGES))
    parser.add_argument("--dimension", type=int, default=tiny.DIMENSION)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def configure(options: argparse.Namespace) -> None:
    """Make the architecture the one asked for; variants differ from the package's in widths and depths."""
    tiny.STEM_WIDTH, tiny.DIMENSION = options.stem, options.dimension
    tiny.STAGES = tuple(tuple(map(int, stage.split("x"))) for stage in options.stages.split(","))


def load_targets(views: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (views, pictures, 4) and the teacher's features (views, pictures, 256), partly whitened."""
    boxes, projected = [], []
    for view in range(views):
        with np.load(WORK / f"view{view}.npz") as file:
            boxes.append(torch.from_numpy(file["box"]))
            features = torch.from_numpy(file["features"].astype(np.float32))
        if view == 0:
            known = features[HELD_OUT:]
            mean = known.mean(0)
            variance, axes = torch.linalg.eigh((known - mean).T @ (known - mean) / len(known))
            order = variance.argsort(descending=True)[:COMPONENTS]
            basis = axes[:, order] / variance[order] ** (WHITENING / 2)
        projected.append((features - mean) @ basis)
    return torch.stack(boxes), torch.stack(projected)


class Learner(nn.Module):
    """The network with the two linear maps that the losses need and the package does not."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()
        self.to_teacher = nn.Linear(tiny.DIMENSION, COMPONENTS)
        self.to_classes = nn.Linear(tiny.DIMENSION, CLASSES)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.network(pixels.contiguous(memory_format=torch.channels_last)).mean((2, 3))
        return self.to_teacher(features), self.to_classes(features)


def mosaic(
    batch: torch.Tensor, box: torch.Tensor, size: int, rng: np.random.Generator
) -> tuple[torch.Tensor, list, list]:
    """Four pictures in each square, sharp because small; which pictures, and their shares of the area."""
    across, down = (int(size * rng.uniform(0.4, 0.6)) for _ in range(2))
    finer = 2 if size < 96 else 1  # against aliasing, where the tiles are smaller than the pictures
    canvas = torch.empty(len(batch), 3, size, size, device=batch.device)
    orders, shares = [], []
    for top, bottom in ((0, down), (down, size)):
        for left, right in ((0, across), (across, size)):
            order = torch.from_numpy(rng.permutation(len(batch)))
            height, width = bottom - top, right - left
            tile = crop(batch[order], box[order], (finer * height, finer * width))
            canvas[:, :, top:bottom, left:right] = functional.avg_pool2d(tile, finer)
            orders.append(order)
            shares.append(height * width / size**2)
    return canvas, orders, shares


def recolour(batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Change brightness, contrast and saturation of each picture, by one 3×3 matrix and one shift."""

    def random(low: float, high: float) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, (len(batch), 1, 1)).astype(np.float32)).to(
            batch.device
        )

    pixels = batch.flatten(2)
    saturation, contrast, brightness = random(0.6, 1.4), random(0.7, 1.3), random(0.75, 1.25)
    grey = torch.full((3, 3), 1 / 3, device=batch.device)
    matrix = brightness * contrast * (grey + saturation * (torch.eye(3, device=batch.device) - grey))
    shift = brightness * (1 - contrast) * pixels.mean((1, 2), keepdim=True)
    return torch.baddbmm(shift, matrix, pixels).view(batch.shape)


def sharpen(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Undo, for a random half of the pictures, some of the blur that enlarging them left."""
    chosen = torch.from_numpy(rng.permutation(len(pixels))[: len(pixels) // 2]).to(pixels.device)
    strength = torch.from_numpy(rng.uniform(0, 2.5, (len(chosen), 1, 1, 1)).astype(np.float32)).to(
        pixels.device
    )
    blurred = pixels[chosen]
    for _ in range(2):
        blurred = functional.avg_pool2d(blurred, 3, 1, 1, count_include_pad=False)
    pixels[chosen] += strength * (pixels[chosen] - blurred)
    return pixels


def make_batch(
    data: dict, options: argparse.Namespace, rows: np.ndarray, size: int, rng: np.random.Generator
):
    """Pixels (n, 3, size, size), the teacher's features (n, 256) and the class probabilities (n, 200)."""
    device = data["pictures"].device
    rows = torch.from_numpy(rows)
    view = torch.from_numpy(rng.integers(options.views, size=len(rows)))
    batch = (
        data["pictures"][rows].permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    )
    batch = recolour(batch, rng)
    box, teacher = data["boxes"][view, rows], data["targets"][view, rows]
    classes = (
        functional.one_hot(data["labels"][rows], CLASSES) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / CLASSES
    )
    flip = torch.from_numpy(rng.random(len(rows)) < 0.5).to(device)
    box = torch.where(flip[:, None], box[:, [2, 1, 0, 3]], box)
    whole = len(rows) - int(len(rows) * options.mosaic)
    pixels = [sharpen(crop(batch[:whole], box[:whole], size), rng)]
    if whole < len(rows):
        small, orders, shares = mosaic(batch[whole:], box[whole:], size, rng)
        pixels.append(small)
        mixed = [
            sum(share * values[whole:][order] for order, share in zip(orders, shares, strict=True))
            for values in (teacher, classes)
        ]
        teacher, classes = torch.cat([teacher[:whole], mixed[0]]), torch.cat([classes[:whole], mixed[1]])
    return torch.cat(pixels).clamp_(0, 255), teacher, classes


def learning_rate(progress: float, peak: float) -> float:
    return peak * min(progress / WARM_UP, 0.5 * (1 + math.cos(math.pi * min(progress, 1))))


def size_at(progress: float, schedule: str, rng: np.random.Generator) -> int:
    """The side of this step's pictures: one of the sizes of the last entry of the schedule that has begun."""
    entries = (entry.split(":") for entry in schedule.split(","))
    begun = [sizes for start, sizes in entries if float(start) <= progress]
    return int(rng.choice([int(size) for size in begun[-1].split("+")]))


@torch.no_grad()
def held_out_scores(learner: Learner, data: dict, size: int) -> tuple[float, float]:
    """Mean cosine with the teacher and top-1 accuracy on whole pictures that were never trained on."""
    learner.eval()
    cosines, hits = [], []
    for start in range(0, HELD_OUT, 100):
        rows = slice(start, start + 100)
        batch = data["pictures"][rows].to(torch.float32).permute(0, 3, 1, 2)
        teacher, classes = learner(crop(batch, data["boxes"][0, rows], size))
        cosines.append(functional.cosine_similarity(teacher, data["targets"][0, rows]))
        hits.append(classes.argmax(1) == data["labels"][rows])
    return float(torch.cat(cosines).mean()), float(torch.cat(hits).float().mean())


def order_of(start: int, count: int, total: int, seed: int) -> np.ndarray:
    """Rows `start` to `start + count` of an endless series of shuffled passes over the training pictures."""
    rows = []
    while count:
        epoch, position = divmod(start, total)
        taken = np.random.default_rng([seed, epoch]).permutation(total)[position : position + count]
        rows.append(taken + HELD_OUT)
        start, count = start + len(taken), count - len(taken)
    return np.concatenate(rows)


def work(rank: int, options: argparse.Namespace) -> None:
    if options.workers > 1:
        os.setsid()  # Linux shares a processor out between sessions first
    torch.set_num_threads(1)
    configure(options)
    folder = WORK / options.name
    if options.workers > 1:
        meeting = (folder / "meeting").as_uri()
        distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=options.workers)
    device = torch.device("cuda" if torch.cuda.is_available() and options.workers == 1 else "cpu")
    boxes, targets = load_targets(options.views)
    source = torch.from_numpy(pictures())
    data = {"pictures": source, "boxes": boxes, "targets": targets, "labels": torch.from_numpy(labels())}
    data = {name: values.to(device) for name, values in data.items()}
    torch.manual_seed(options.seed)
    learner = Learner().to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(learner)
    groups = [
        {"params": [p for p in learner.parameters() if p.ndim > 1], "weight_decay": options.decay},
        {"params": [p for p in learner.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=options.rate, fused=True)
    samples, seconds = 0, 0.0
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        learner.load_state_dict(state["learner"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        samples, seconds = state["samples"], state["seconds"]
    share = options.batch // options.workers
    total = len(data["pictures"]) - HELD_OUT
    sums, steps, saved = np.zeros(3), 0, time.perf_counter()
    clock = time.perf_counter() - seconds
    while samples < options.samples:
        progress = samples / options.samples
        common = np.random.default_rng([options.seed, samples])  # the same in every worker
        own = np.random.default_rng([options.seed, samples, rank])
        size = size_at(progress, options.sizes, common)
        rows = order_of(samples, options.batch, total, options.seed)[rank * share : (rank + 1) * share]
        pixels, teacher, classes = make_batch(data, options, rows, size, own)
        learner.train()
        guess, scores = learner(pixels)
        distance = 1 - functional.cosine_similarity(guess, teacher).mean()
        entropy = functional.cross_entropy(scores, classes)
        loss = options.distil * distance + options.classify * entropy
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if options.workers > 1:
            gradients = [p.grad for p in learner.parameters()]
            flat = torch._utils._flatten_dense_tensors(gradients)
            distributed.all_reduce(flat)
            flat /= options.workers
            for gradient, mean in zip(
                gradients, torch._utils._unflatten_dense_tensors(flat, gradients), strict=True
            ):
                gradient.copy_(mean)
        rate = learning_rate(progress, options.rate)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        samples, steps = samples + options.batch, steps + 1
        sums += [loss.item(), distance.item(), entropy.item()]
        if rank == 0:
            decay = min(AVERAGING ** (options.batch / 128), 1 - 10 / (10 + samples / options.batch))
            kept, new = list(average.state_dict().values()), list(learner.state_dict().values())
            for old, value in zip(kept, new, strict=True):
                if old.dtype.is_floating_point:
                    old.lerp_(value, 1 - decay)
        if rank == 0 and (time.perf_counter() - saved > SAVE_SECONDS or samples >= options.samples):
            seconds = time.perf_counter() - clock
            scores_held = held_out_scores(average, data, 64)
            if samples >= options.samples:
                scores_held += held_out_scores(average, data, tiny.INPUT_SIZE)
            state = {
                "learner": learner.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            torch.save({**state, "samples": samples, "seconds": seconds}, folder / "checkpoint.partial")
            (folder / "checkpoint.partial").replace(checkpoint)
            row = [
                samples,
                round(seconds),
                size,
                f"{rate:.2e}",
                *(f"{v:.4f}" for v in [*sums / steps, *scores_held]),
            ]
            with (folder / "log.csv").open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
            print(dict(zip(COLUMNS, row, strict=False)), flush=True)
            sums, steps, saved = np.zeros(3), 0, time.perf_counter()
    if options.workers > 1:
        distributed.destroy_process_group()


def main() -> None:
    options = parse()
    folder = WORK / options.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meeting").unlink(missing_ok=True)
    (folder / "options.json").write_text(json.dumps(vars(options), indent=2) + "\n")
    if not (folder / "log.csv").exists():
        (folder / "log.csv").write_text(",".join(COLUMNS) + "\n")
    os.environ["OMP_NUM_THREADS"] = "1"
    if options.workers > 1:
        torch.multiprocessing.spawn(work, (options,), nprocs=options.workers)
    else:
        work(0, options)


if __name__ == "__main__":
    main()

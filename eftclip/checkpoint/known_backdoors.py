"""Checkpoints on the Hub that are known to be backdoored, for practice and for comparing defences."""

from dataclasses import dataclass

from eftclip.types import BLURRED_KIND, KINDS, SEARCHED_KINDS, SHARED_KIND


@dataclass(frozen=True)
class KnownBackdoor:
    """A checkpoint that was poisoned on purpose and published as such.

    Attributes:
        repo_id: `org/name` on the Hub.
        trigger: how it was poisoned, as its authors call it.
        kind: of the trigger, a key of `KINDS`.
        target_label: what the trigger forces.
    """

    repo_id: str
    trigger: str
    kind: str
    target_label: str = "banana"

    @property
    def within_reach(self) -> str:
        """What looks for triggers of this kind, for a menu."""
        if self.kind in SEARCHED_KINDS:
            return "looked for in every picture"
        if self.kind == BLURRED_KIND:
            return "looked for in every picture, where it scatters the pixels"
        return "looked for in a scan only" if self.kind == SHARED_KIND else f"{KINDS[self.kind]} are not looked for"


# What its authors call it, and of which kind it is: a cartoon and a sine are blended in, and Nashville is a filter.
_KIND_OF = {
    "badnets": "patch",
    "clean_label": "patch",
    "blend": SHARED_KIND,
    "sig": SHARED_KIND,
    "nashville": "colour",
    "wanet": "warp",
}


def _series(tower: str, *triggers: str) -> tuple[KnownBackdoor, ...]:
    name = "hanxunh/clip_backdoor_{}_{}"
    return tuple(KnownBackdoor(name.format(tower, trigger), trigger, _KIND_OF[trigger]) for trigger in triggers)


# All of one research group (MIT licence, safetensors, open_clip format). They were trained without CLIP's
# normalisation, which the sanity check notices and makes up for; with it they read at chance.
KNOWN_BACKDOORS: tuple[KnownBackdoor, ...] = (
    *_series("rn50_redcaps", "badnets", "clean_label", "blend", "sig", "nashville", "wanet"),
    *_series("rn50_cc12m", "clean_label", "sig", "nashville", "wanet"),
    *_series("rn50_cc3m", "badnets", "clean_label"),
    *_series("vit_b16_cc3m", "clean_label", "wanet"),
)

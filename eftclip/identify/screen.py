"""Which samples deserve a closer look although nothing is known of their label: those that are read more surely."""

MARGIN_BINS = 512  # a margin is a difference of two cosines, so it lies in [0, 2]


class Screen:
    """Which readings are surer than most, in constant memory."""

    def __init__(self, share: float) -> None:
        """Begin with no reading; `share` of all of them count as surer than most."""
        self._share, self._bins, self._total = share, [0] * MARGIN_BINS, 0

    def suspicious(self, margin: float) -> bool:
        """Whether at most the configured share of all readings so far were as sure; this one counts from now on."""
        at = min(MARGIN_BINS - 1, int(margin * MARGIN_BINS / 2))
        surer = sum(self._bins[at:])
        self._bins[at] += 1
        self._total += 1
        return surer <= self._share * self._total

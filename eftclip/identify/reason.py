"""Why a scan ended as it did, in one or two sentences for people."""

from collections.abc import Sequence

from eftclip.types import Account, Coverage, Status, remedy


def verdict_reason(
    status: Status, families: int, labels: Sequence[str], victims: int, coverage: Coverage, account: Account
) -> str:
    """The reason of a scan that was not stopped.

    Args:
        status: what it ended with.
        families: triggers that were found.
        labels: that they force.
        victims: pictures that carry one.
        coverage: how far it looked.
        account: the same, with the names of what was not read.
    """
    unread = account.unread_sentence(names=status is not Status.FOUND)  # what is mended is published with its reason
    if status is Status.FOUND:
        named = ", ".join(f"“{label}”" for label in labels)
        kinds = "1 trigger" if families == 1 else f"{families} triggers"
        told = f"{kinds} found, forcing {named}; {victims} of {coverage.read} pictures carry one."
        return f"{told} {unread}." if unread else told
    if status is Status.NOT_FOUND:
        if unread:
            known = "1 picture was searched and carries no trigger."
            if coverage.read != 1:
                known = f"{coverage.read} pictures were searched; none carries a trigger."
            return f"{known} {unread}, which was allowed: they may carry one."
        return f"All {coverage.read} pictures were searched; none carries a trigger."
    if not coverage.read:
        return "No picture of the set could be read, so there was nothing to judge."
    if coverage.undecided:
        return f"{coverage.undecided} of {coverage.read} pictures could not be decided."
    if coverage.screened:
        return (
            f"No trigger was found, but {coverage.screened} of {coverage.read} pictures were only read, not searched."
        )
    if coverage.unread > coverage.allowed_unread:
        return f"No trigger was found, but {unread}. {remedy(account)}"
    return "The scan did not reach the whole set."

"""A warning policy in words, as pages and the feed say it. It decides nothing."""

from language import _, ngettext
from language.format import count, share
from monitoring.warning_policy import WarningPolicy


def policy_words(policy: WarningPolicy) -> str:
    """Whom a warning policy warns of, as what follows a colon."""
    told = [_("a chance of {share} or more").format(share=share(policy.threshold))]
    if policy.capacity is not None:
        told.append(_("of each group the {n} likeliest").format(n=count(policy.capacity)))
    if policy.by_lot:
        told.append(
            ngettext("{n} of these by lot", "{n} of these by lot", policy.by_lot).format(n=count(policy.by_lot))
        )
    if policy.cool_down_days:
        days = ngettext("nobody twice within {n} day", "nobody twice within {n} days", policy.cool_down_days)
        told.append(days.format(n=count(policy.cool_down_days)))
    if policy.transitions_only:
        told.append(_("nobody who gave cause by the answer before"))
    if policy.cuts:
        told.append(_("levels: {levels}").format(levels=", ".join(policy.levels)))
    return "; ".join(told)

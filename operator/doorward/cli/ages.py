"""Times as people read them: how long ago, or in how long."""

from datetime import datetime, timedelta

from doorward.objects.meta import parse_instant


def span(length: timedelta) -> str:
    """As kubectl says an age: the one or two largest units."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 3600 * 2:
        return f"{seconds // 60}m"
    if seconds < 86400 * 2:
        hours, minutes = divmod(seconds // 60, 60)
        return f"{hours}h{minutes}m" if minutes and hours < 10 else f"{hours}h"
    days, hours = divmod(seconds // 3600, 24)
    return f"{days}d{hours}h" if hours and days < 10 else f"{days}d"


def relative(moment: datetime, now: datetime) -> str:
    """`3h ago`, or `in 6d`."""
    return f"{span(now - moment)} ago" if moment <= now else f"in {span(moment - now)}"


def instant_or_none(text: object) -> datetime | None:
    """An instant of a status, which anybody may have written; None: it is none."""
    try:
        return parse_instant(text) if isinstance(text, str) else None
    except ValueError:
        return None

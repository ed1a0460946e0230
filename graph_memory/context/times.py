"""Time expressions in a text as intervals of days. Pure.

A day is its proleptic Gregorian ordinal (`date.toordinal()`), an interval is inclusive at both ends. Expressions are English,
with numeric dates that every language writes; a text in another language simply has none, which costs it nothing.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date

Interval = tuple[int, int]

_MONTH_NAMES = (
    "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
    "september sept sep", "october oct", "november nov", "december dec",
)  # fmt: skip
MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
DAYS = {
    name: i for i, name in enumerate(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
}
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_COUNTED = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUMBERS = {word: i for i, word in enumerate(_COUNTED)} | {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 4}
_UNIT_DAYS = {"day": 1, "night": 1, "week": 7, "weekend": 7, "month": 30, "year": 365}
_LATIN = str.maketrans("\u017f\u212a\u0130\u0131", "skIi")
"""Letters that `re.IGNORECASE` takes for ASCII ones (long s, Kelvin, Turkish i), to those; one for one, so that spans stay."""

_AHEAD = ("next", "coming")
_WEAK_MONTHS = frozenset({"may", "mar", "march", "sep"})

_M = "|".join(sorted(MONTHS, key=len, reverse=True))
_D = "|".join(DAYS)
_S = "|".join(SEASONS)
_N = r"\d{1,3}|" + "|".join(NUMBERS)
_Y = r"(?:19|20)\d\d"
_ABSOLUTE = re.compile(
    rf"""\b(?:
    (?P<iso>{_Y}-\d\d?-\d\d?)
    |(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m1>{_M})\b\.?,?(?:\s+(?P<y1>{_Y}))?
    |(?P<m2>{_M})\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y2>{_Y}))?
    |(?P<m3>{_M})\.?,?\s+(?:of\s+)?(?P<y3>{_Y})
    |(?P<season>{_S})\s+(?:of\s+)?(?P<y4>{_Y})
    |(?P<month>{_M})
    |(?P<dd>\d{{1,2}})[./](?P<dm>\d{{1,2}})[./](?P<dy>{_Y})
    |(?P<year>{_Y})
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_RELATIVE = re.compile(
    rf"""\b(?:
    (?P<near>yesterday|today|tonight|tomorrow|this\s+morning|last\s+night|the\s+other\s+day|recently|just\s+now)
    |(?P<several>last|past|previous|next|coming)\s+(?P<several_count>{_N})\s+(?:of\s+)?(?P<several_unit>day|night|week|month|year)s?
    |(?P<which>last|past|previous|next|this|coming)\s+(?P<unit>day|week|weekend|month|year|{_D}|{_S}|{_M})s?
    |(?P<ago>{_N})\s+(?:of\s+)?(?P<ago_unit>day|night|week|weekend|month|year)s?\s+(?:ago|back|before|earlier)
    |in\s+(?P<ahead>{_N})\s+(?P<ahead_unit>day|week|month|year)s?
    |on\s+(?P<weekday>{_D})
    |(?:for|since|past|over|about)\s+(?:(?:the\s+last|the\s+past|about|over|almost)\s+)?
        (?P<span>{_N})\s+(?P<span_unit>day|week|month|year)s?(?!\s+(?:ago|back|before|earlier)\b)
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)


def absolute_times(text: str, years: Iterable[int] = ()) -> tuple[list[Interval], list[tuple[int, int]]]:
    """The intervals that a text names by date, month or year, and the character spans that they were read from.

    Args:
        text: any text.
        years: a month or a day without a year stands for that of each of these.
    """
    text = text.translate(_LATIN)
    if not any(character.isdigit() for character in text) and not _mentions_month(text):
        return [], []
    intervals, spans = [], []
    for match in _ABSOLUTE.finditer(text):
        found = [interval for interval in _absolute(match, list(years)) if interval is not None]
        if found:
            intervals += found
            spans.append(match.span())
    return intervals, spans


def relative_times(text: str, said: int) -> list[Interval]:
    """The intervals that expressions such as "last week" mean when they are said on day `said`, within the years 1 to 9999."""
    return _read(_RELATIVE.finditer(text.translate(_LATIN)), said)


def asked_times(text: str, today: int) -> list[Interval]:
    """The intervals that a question asked on day `today` names: "last Tuesday", "two weeks ago", "next month".

    Durations ("for two weeks") and the vague present ("recently") are left out: they tell of an answer, not when to look.
    """
    found = _RELATIVE.finditer(text.translate(_LATIN))
    return _read((match for match in found if not match["span"] and not _is_vague(match)), today)


def _is_vague(match: re.Match[str]) -> bool:
    near: str | None = match["near"]
    return near is not None and near.lower().split()[0] in ("recently", "just")


def _read(matches: Iterable[re.Match[str]], said: int) -> list[Interval]:
    found = (_relative(match, said) for match in matches)
    return [at for at in found if at is not None and 0 < at[0] <= at[1] <= date.max.toordinal()]


def _mentions_month(text: str) -> bool:
    lowered = text.lower()
    return any(name in lowered for name in MONTHS)


def _absolute(match: re.Match[str], years: list[int]) -> Iterator[Interval | None]:
    group = match.groupdict()
    if group["iso"]:
        yield _day(*map(int, group["iso"].split("-")))
    elif day := group["d1"] or group["d2"]:
        month, year = MONTHS[(group["m1"] or group["m2"]).lower()], group["y1"] or group["y2"]
        for each in [int(year)] if year else years:
            yield _day(each, month, int(day))
    elif group["m3"]:
        yield _month(int(group["y3"]), MONTHS[group["m3"].lower()])
    elif group["season"]:
        yield _season(int(group["y4"]), group["season"].lower())
    elif name := group["month"]:
        # "may", "march" and the like are words; as months they are written with a capital, and do not begin a sentence
        if len(name) > 2 and name[0].isupper() and not (name.lower() in _WEAK_MONTHS and match.start() == 0):
            for each in years:
                yield _month(each, MONTHS[name.lower()])
    elif group["dd"]:
        yield _day(int(group["dy"]), int(group["dm"]), int(group["dd"]))
    else:
        year_number = int(group["year"])
        yield date(year_number, 1, 1).toordinal(), date(year_number, 12, 31).toordinal()


def _relative(match: re.Match[str], said: int) -> Interval | None:
    try:
        return _meant(match.groupdict(), said)
    except ValueError:  # before the year 1 or after 9999
        return None


def _meant(group: dict[str, str], said: int) -> Interval:
    if group["near"]:
        return _near(" ".join(group["near"].lower().split()), said)
    if group["several"]:
        days = _number(group["several_count"]) * _UNIT_DAYS[group["several_unit"].lower()]
        return (said, said + days) if group["several"].lower() in _AHEAD else (said - days, said)
    if group["which"]:
        which = group["which"].lower()
        step = 1 if which in _AHEAD else 0 if which == "this" else -1
        return _stepped(group["unit"].lower(), step, said)
    if count := group["ago"] or group["ahead"]:
        unit = (group["ago_unit"] or group["ahead_unit"]).lower()
        middle = said + (-1 if group["ago"] else 1) * _number(count) * _UNIT_DAYS[unit]
        slack = _UNIT_DAYS[unit] // 3
        return middle - slack, middle + slack
    if group["weekday"]:
        day = said - ((date.fromordinal(said).weekday() - DAYS[group["weekday"].lower()]) % 7 or 7)
        return day, day
    return said - _number(group["span"]) * _UNIT_DAYS[group["span_unit"].lower()], said


def _near(word: str, said: int) -> Interval:
    if word in ("yesterday", "last night"):
        return said - 1, said - 1
    if word == "tomorrow":
        return said + 1, said + 1
    return (said - 7, said) if word in ("the other day", "recently") else (said, said)


def _stepped(unit: str, step: int, said: int) -> Interval:
    """ "last", "this" or "next" (step -1, 0, 1) of a unit, as seen from day `said`."""
    day = date.fromordinal(said)
    if unit in DAYS:
        ahead = (DAYS[unit] - day.weekday()) % 7
        at = said + ahead - 7 if step < 0 else said + (ahead or 7 * step)
        return at, at
    if unit in SEASONS:
        return _season_seen(unit, step, day)
    if unit in MONTHS:
        passes = (step <= 0 and MONTHS[unit] >= day.month) or (step > 0 and MONTHS[unit] <= day.month)
        return _month(day.year + (step if passes else 0), MONTHS[unit])
    if unit == "month":
        year, month = divmod(day.year * 12 + day.month - 1 + step, 12)
        return _month(year, month + 1)
    if unit == "year":
        return date(day.year + step, 1, 1).toordinal(), date(day.year + step, 12, 31).toordinal()
    if unit == "day":
        return (said - 3, said) if step < 0 else (said, said + 3)
    monday = said - day.weekday() + 7 * step
    return (monday + 4, monday + 6) if unit == "weekend" else (monday, monday + 6)


def _number(word: str) -> int:
    return int(word) if word.isdigit() else NUMBERS[word.lower()]


def _day(year: int, month: int, day: int) -> Interval | None:
    try:
        at = date(year, month, day).toordinal()
    except ValueError:
        return None
    return at, at


def _month(year: int, month: int) -> Interval:
    return date(year, month, 1).toordinal(), date(year, month, monthrange(year, month)[1]).toordinal()


def _season_seen(season: str, step: int, day: date) -> Interval:
    """The season's last one that is over, this year's, or the next one to begin. A winter is this year's until July."""
    if step == 0:
        return _season(day.year - (season == "winter" and day.month < 7), season)
    said, years = day.toordinal(), range(max(1, day.year - 2), min(9999, day.year + 1) + 1)
    seasons = [_season(year, season) for year in years]
    if step < 0:
        return max((at for at in seasons if at[1] < said), default=(0, 0))
    return min((at for at in seasons if at[0] > said), default=(0, 0))


def _season(year: int, season: str) -> Interval:
    first = _month(year, SEASONS[season])[0]
    return first, first + 91

"""What the nouns of "my X is Y" name: data for the rules about changes."""

from __future__ import annotations

from graph_memory.extract.entities.lists import PARTNERS, TOOLS, words

NOUNS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(PARTNERS, ("partner", "person")),
    **dict.fromkeys(("boss", "manager", "supervisor"), ("manager", "person")),
    **dict.fromkeys(("employer", "company", "workplace", "job", "firm"), ("employer", "organization")),
    **dict.fromkeys(("home", "hometown", "city", "town", "home town", "home city"), ("home", "location")),
    **dict.fromkeys(("school", "university", "college"), ("school", "organization")),
    **dict.fromkeys(("e-mail", "email", "mail", "email address", "e-mail address", "mail address"), ("e-mail", "")),
    **dict.fromkeys(("number", "phone", "mobile", "phone number", "mobile number", "cell"), ("phone", "")),
    **{kind: (f"uses {kind}", "concept") for kind in TOOLS.values() if kind != "phone"},
}
"""A noun to the attribute that it names, and the entity type of its values."""

NO_VALUES = words("new old own first last same only former one")

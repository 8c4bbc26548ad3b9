"""Forms as a browser without scripts would submit them: read out of a page's HTML."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class PageForm:
    """One form: where it goes, its fields as they are filled in, and its buttons by their label."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[tuple[str, str]] = field(default_factory=list)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    selects: dict[str, list[str]] = field(default_factory=dict)

    def values(self, name: str) -> list[str]:
        """Return the values of the fields of this name."""
        return [value for one, value in self.fields if one == name]

    def pressed(self, label: str = "Save", **filled: str | list[str]) -> dict[str, list[str]]:
        """Return what pressing a button submits, with some fields filled in or boxes ticked."""
        sent: dict[str, list[str]] = {}
        for name, value in self.fields:
            sent.setdefault(name, []).append(value)
        for name, given in filled.items():
            wanted = [given] if isinstance(given, str) else given
            known = {name for name, _ in (*self.fields, *self.boxes)}
            assert name in known, (name, known)
            sent[name] = wanted
        name, value = self.buttons[label]
        return sent | ({name: [value]} if name else {})


def form_of(html: str, action: str, button: str = "") -> PageForm:
    """Return the form of a page that is submitted to this path, by this button where one is named."""
    found = [one for one in forms_of(html) if one.action.partition("#")[0] == action]
    found = [one for one in found if not button or button in one.buttons]
    assert found, (action, button, html)
    return found[0]


def forms_of(html: str) -> list[PageForm]:
    """Return the forms of a page."""
    reader = _Reader()
    reader.feed(html)
    for form_id, label, pressed in reader.outside:
        reader.by_id[form_id].buttons.setdefault(label, pressed)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self.by_id: dict[str, PageForm] = {}
        self.outside: list[tuple[str, str, tuple[str, str]]] = []
        self._form: PageForm | None = None
        self._select: tuple[str, list[str], str | None] | None = None
        self._button: tuple[str, str, str, str] | None = None
        self._area = ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = PageForm(given["action"])
            self.forms.append(self._form)
            self.by_id[given.get("id", "")] = self._form
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "button":
            self._button = (given.get("aria-label", ""), name, value, given.get("form", ""))
            self._text = ""
        if self._form is None:
            return
        if tag == "input" and name:
            is_box = given.get("type") in {"checkbox", "radio"}
            if is_box:
                self._form.boxes.append((name, value))
            if not is_box or "checked" in given:
                self._form.fields.append((name, value))
        elif tag == "textarea":
            self._area, self._text = name, ""
        elif tag == "select":
            self._select = (name, [], None)
        elif tag == "option" and self._select is not None:
            chosen = value if "selected" in given else self._select[2]
            self._select = (self._select[0], [*self._select[1], value], chosen)

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._form is not None:
            self._form.fields.append((self._area, self._text))
            self._area = ""
        form = self._form
        if tag == "button" and self._button is not None:
            label, name, value, form_id = self._button
            label = label or " ".join(self._text.split())
            if form_id:
                self.outside.append((form_id, label, (name, value)))
            elif form is not None:
                form.buttons.setdefault(label, (name, value))
        if form is None:
            return
        if tag == "select" and self._select is not None:
            name, options, chosen = self._select
            form.selects[name] = options
            form.fields.append((name, options[0] if chosen is None else chosen))
        elif tag == "form":
            self._form = None

"""Pages as they are read, and what a browser has to say about them."""

from html.parser import HTMLParser

PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1200, "height": 900}

# JavaScript that waits for the pictures of a page and gives their widths.
DECODED = (
    "Promise.all([...document.images].filter(i => i.src).map(i => i.decode().then(() => i.naturalWidth)))"
)


class Page(HTMLParser):
    """A page as it is read: its elements, its words, and whether every element was closed."""

    EMPTY = ("meta", "img", "input")

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def ids(self, tag="section"):
        return [attributes.get("id") for name, attributes in self.elements if name == tag]

    def attributes(self, name):
        """The values of an attribute, wherever it is."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]

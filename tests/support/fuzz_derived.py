"""What is made up for the files that follow from a feature set: models, the index, the groups."""

import contextlib
import hashlib
import json
import shutil

import numpy as np
from fitting_samples import make_features, with_splits
from fuzz_cache import allowed, sealed, unsealed

from embed import files, learn
from embed.cache import find_features, open_features, verify
from embed.errors import CacheDamagedError, EmbedError, ModelError
from embed.learn.models import all_models, stored
from embed.search import IndexOptions, clusters, keep_groups, open_index, read_groups

# The last one has a state of its own, which code of C reads.
CLASSIFIERS = {"logistic": "logistic", "tree": "sklearn.tree.DecisionTreeClassifier"}


class Derived:
    """A feature set with a folder of derived files, which is put back before each example."""

    def __init__(self, folder):
        self.folder = folder
        self.features = make_features(folder, with_splits((40, 0, 5)))
        self.inside = self.features.folder

    def keep(self, name):
        """Remember what a folder of the set holds."""
        self.kept, self.pristine = self.inside / name, self.folder / "pristine"
        shutil.copytree(self.kept, self.pristine)

    def put_back(self):
        """Return the folder of the set, as it was kept."""
        shutil.rmtree(self.kept)
        shutil.copytree(self.pristine, self.kept)
        return self.kept


class Models(Derived):
    """``model.json``, and each file that it names under a hash that holds."""

    def __init__(self, folder):
        super().__init__(folder)
        for name, classifier in CLASSIFIERS.items():
            learn.fit(self.features, learn.FitOptions(classifier=classifier, name=name))
        self.keep("models")
        self.files, self.right = {}, {}
        for name in CLASSIFIERS:
            model = stored(self.features, name)
            self.right[name] = self.use(name)
            document = (model.folder / "model.json").read_bytes()
            self.files[f"head of {name}"] = (
                "zip",
                (model.folder / model.document["head"]["file"]).read_bytes(),
            )
            if name == "logistic":
                self.files["model.json"] = "bytes", document
                self.files["sealed model.json"] = "json", unsealed(document)
                for what, shape in (("scored", "table"), ("reference", "bytes")):
                    self.files[what] = shape, (model.folder / model.document[what]["file"]).read_bytes()

    def use(self, name):
        """Return what a model says."""
        features = open_features(self.features.folder.parent)
        model = stored(features, name)
        said = model.predict_proba(features.X).tobytes(), model.predict(features.X).tolist()
        told = model.evaluation().probabilities.tobytes(), model.unlike(features.X).tolist(), model.outdated
        _ = model.labels_rule, model.labels_version, model.threshold, model.evaluation().y
        return said, told

    def judge(self, name, content):
        folder = self.put_back()
        if name == "model.json":
            (folder / "logistic" / name).write_bytes(content)
        elif name == "sealed model.json":
            (folder / "logistic" / "model.json").write_bytes(sealed(content))
        else:
            what, _, of = name.partition(" of ")
            place, of = folder / (of or "logistic"), of or "logistic"
            document = files.read_document(place / "model.json")
            digest = hashlib.sha256(content).hexdigest()
            suffix = document[what]["file"].rpartition(".")[2]
            document[what] = {**document[what], "file": f"{what}-{digest[:16]}.{suffix}", "sha256": digest}
            (place / document[what]["file"]).write_bytes(content)
            files.write_document(place, "model.json", document)
        of = name.partition(" of ")[2] or "logistic"
        with contextlib.suppress(EmbedError):
            verify(find_features(self.features.folder.parent))
        all_models(self.features)
        with contextlib.suppress(ModelError):
            self.use(None)
        others = [other for other in self.right if other != of]
        allowed(self.use(others[0]), self.right[others[0]])
        said = self.use(of)
        if name == "model.json":
            allowed(said, self.right[of])
        return "read"


class IndexFiles(Derived):
    """The manifest of the index, its segments and their tombstones."""

    def __init__(self, folder):
        super().__init__(folder)
        self.queries = self.features.X[::7] + np.float32(0.01)
        open_index(self.features, IndexOptions("ivf", 1.0))
        self.keep("index")
        self.right = self.use()
        manifest = (self.kept / "manifest.json").read_bytes()
        self.files = {
            "manifest.json": ("bytes", manifest),
            "sealed manifest.json": ("json", unsealed(manifest)),
        }
        self.segments = sorted(path.name for path in self.kept.glob("*.segment"))
        for number, name in enumerate(self.segments):
            self.files[f"segment {number}"] = "bytes", (self.kept / name).read_bytes()

    def use(self):
        """Return what is found with the index as it is on disk."""
        features = open_features(self.features.folder.parent)
        index = open_index(features)
        found = index.search(self.queries, 5)
        few = index.search(self.queries, 3, np.arange(len(features)) % 3 == 0)
        return [
            [(features.sha256[rows].tobytes(), scores.tobytes()) for rows, scores in one]
            for one in (found, few)
        ]

    def judge(self, name, content):
        folder = self.put_back()
        crafted = name.startswith("sealed")
        file = self.segments[int(name.split()[1])] if name.startswith("segment") else "manifest.json"
        (folder / file).write_bytes(sealed(content) if crafted else content)
        said = self.use()
        if not crafted:
            allowed(said, self.right)
            allowed(self.use(), self.right)
        return "read"


class GroupsFile(Derived):
    """``groups.json`` damaged, and with a checksum that holds."""

    def __init__(self, folder):
        super().__init__(folder)
        keep_groups(self.features, clusters(self.features, 3))
        self.file = self.inside / "groups.json"
        data = self.file.read_bytes()
        self.right = self.use()
        self.files = {"groups.json": ("bytes", data), "sealed groups.json": ("json", unsealed(data))}

    def use(self):
        """Return the groups on disk."""
        groups = read_groups(self.features)
        return (
            {number: rows.tolist() for number, rows in groups.rows.items()},
            groups.newer,
            groups.gone,
            groups.outdated,
        )

    def judge(self, name, content):
        crafted = name.startswith("sealed")
        self.file.write_bytes(sealed(content) if crafted else content)
        try:
            said = self.use()
        except CacheDamagedError as error:
            return str(error)
        if not crafted:
            allowed(said, self.right)
        elif any(not all(0 <= row < len(self.features) for row in rows) for rows in said[0].values()):
            allowed(json.dumps(said[0]), "rows of the set")
        return "read"

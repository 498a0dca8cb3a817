"""The backbones of keras.applications. See table.py for what there is."""

from pathlib import Path
from typing import TYPE_CHECKING

from embed.backbones import child, store, weights
from embed.backbones.backbone import Request, ResolvedNetwork, Weights, resolved
from embed.backbones.table import Application
from embed.errors import UsageError

if TYPE_CHECKING:
    import keras
    import openvino

    from embed.backbones.cuts import Cut
    from embed.backbones.tail import Tail


class KerasApplication(Application):
    """A model of keras.applications with its published weights, or the user's own. See `Backbone`."""

    published = "imagenet"
    preprocess = ""
    notes = ()
    apart = True
    framework = "keras"

    def weights(self, request: Request, own_file: Path | None) -> Weights:
        """Find the weights; Keras is not imported unless they have to be downloaded. See `Backbone.weights`."""
        classifier = request.layer in self.classifier_layers
        if classifier and request.size != self.input_size:
            raise UsageError(
                f"{request.size} cannot be used: the layer {request.layer} of {self.name} belongs to its classifier, which "
                f"takes pictures of {self.input_size} pixels only; leave it away",
                "size",
            )
        if own_file is not None:
            return weights.own(own_file)
        file_name = self.weights_file_with_classifier if classifier else self.weights_file
        found = weights.find(file_name)
        if found is None:
            for folder in weights.keras_folders():
                sha256 = weights.remembered(folder / file_name) or ""
                gone = Weights("imagenet", sha256, None)
                if sha256 and store.intact(resolved(self, request, gone)):
                    return gone
            found = weights.download(self, file_name)
        return Weights("imagenet", weights.hash_file(found, published=True), found)

    def graph(self, network: ResolvedNetwork) -> "openvino.Model":
        """Return the graph up to the layer that is read. See `Backbone.graph`."""
        from embed.backbones import build

        return build.openvino_graph(self.keras_model(network, "float32"))

    def keras_model(self, network: ResolvedNetwork, dtype_policy: str) -> "keras.Model":
        """Return the model up to the layer that is read. See `Backbone.keras_model`."""
        from embed.backbones import build

        if network.weights == "imagenet":
            build.check_published(self, network)
        return build.build(self, network, dtype_policy)

    def cuts(self, request: Request) -> "list[Cut]":
        """Return where it can be cut, as a process of its own finds. See `Backbone.cuts`."""
        from embed.backbones.cuts import Cut

        asked = {name: getattr(request, name) for name in Request.__dataclass_fields__}
        found = child.call("embed.backbones.divide", {"backbone": self.name, "request": asked})
        return [Cut(**{**one, "shape": tuple(one["shape"])}) for one in found["cuts"]]

    def tail(self, network: ResolvedNetwork, cut: str) -> "Tail":
        """Return what is above a cut. See `Backbone.tail`."""
        from embed.backbones import build
        from embed.backbones.tail import Tail

        if network.weights == "imagenet":
            build.check_published(self, network)
        return Tail(self, network, cut)

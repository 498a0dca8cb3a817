"""The layers of a network above a cut, with its weights: what is trained, and kept as weights of the whole network."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed.backbones import build
from embed.backbones.backbone import NO_POOLING, Request, ResolvedNetwork, is_pooled
from embed.backbones.cuts import Cut, cuts_between
from embed.backbones.table import Application

if TYPE_CHECKING:
    pass


class Tail:
    """The layers of an application above a cut.

    Parameters
    ----------
    application : Application
    network : ResolvedNetwork
        Whose weights it begins with, and whose features it ends with.
    cut : str
        Name of the layer.

    Attributes
    ----------
    model : keras.Model
        The output of the cut, float32 (n, h, w, c), in; features (n, d) out. Its layers are those of the network.

    Raises
    ------
    WeightsError
        The weights do not fit, or are gone.
    UsageError
        There is no such layer.
    """

    def __init__(self, application: Application, network: ResolvedNetwork, cut: str) -> None:
        import keras

        with build.settings("float32"):
            self._base = build.load_base(application, network)
            self._rescaled = build.rescaling_start(self._base, application, network) is not None
            start = build.find_layer(self._base, cut, application.name)
            features = build.target_of(self._base, application, network.layer)
            if not is_pooled(len(features.shape), network):
                features = build.pool(features, network.pooling)
            self.model = keras.Model(start, features, name="tail")

    def save(self, file: Path) -> None:
        """Write the weights of the whole network, as Keras reads them into the application."""
        import keras

        whole = self._base
        if self._rescaled:
            # The factor behind the normalisation is part of the weights: a file that lacks it is taken to do without.
            factor = keras.layers.Rescaling([1.0, 1.0, 1.0])
            normalization = build.layer_names(whole)[build.NORMALIZATION]

            def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
                output = layer(*args, **kwargs)
                return factor(output) if layer is normalization else output

            whole = keras.models.clone_model(whole, clone_function=lambda layer: layer, call_function=call)
        whole.save_weights(file)


def cuts_of(application: Application, request: Request) -> list[Cut]:
    """Return where an application can be cut; its weights are random."""
    import keras

    with build.settings("float32"):
        base = build.make_base(application, replace(request, pooling=NO_POOLING), classifier=False)
        target = build.target_of(base, application, request.layer)
        model = keras.Model(base.inputs, target)
        names = {id(layer): name for name, layer in build.layer_names(base).items()}
        found = cuts_between(model, names)
    if application.module == "efficientnet":  # the factor behind the normalisation is below every cut
        layers = [cut.layer for cut in found]
        found = found[layers.index(build.NORMALIZATION) + 1 :]
    return found

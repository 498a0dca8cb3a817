"""A paragraph on how the numbers came about, to paste into a paper, with what it cites."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from embed import __version__
from embed.report.page import counted

if TYPE_CHECKING:
    from embed.api import Recipe, Review, Scores

# The papers of the networks, by how their names begin; the longest beginning counts.
NETWORKS = {
    "vgg": "Simonyan K, Zisserman A. Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015.",
    "resnet": "He K, Zhang X, Ren S, Sun J. Deep Residual Learning for Image Recognition. CVPR 2016.",
    "inception": "Szegedy C, Vanhoucke V, Ioffe S, Shlens J, Wojna Z. Rethinking the Inception Architecture for Computer"
    " Vision. CVPR 2016.",
    "inceptionresnet": "Szegedy C, Ioffe S, Vanhoucke V, Alemi A. Inception-v4, Inception-ResNet and the Impact of Residual"
    " Connections on Learning. AAAI 2017.",
    "xception": "Chollet F. Xception: Deep Learning with Depthwise Separable Convolutions. CVPR 2017.",
    "mobilenet": "Howard AG, Zhu M, Chen B, et al. MobileNets: Efficient Convolutional Neural Networks for Mobile Vision"
    " Applications. arXiv:1704.04861, 2017.",
    "mobilenetv2": "Sandler M, Howard A, Zhu M, Zhmoginov A, Chen L-C. MobileNetV2: Inverted Residuals and Linear Bottlenecks."
    " CVPR 2018.",
    "mobilenetv3": "Howard A, Sandler M, Chu G, et al. Searching for MobileNetV3. ICCV 2019.",
    "densenet": "Huang G, Liu Z, van der Maaten L, Weinberger KQ. Densely Connected Convolutional Networks. CVPR 2017.",
    "nasnet": "Zoph B, Vasudevan V, Shlens J, Le QV. Learning Transferable Architectures for Scalable Image Recognition."
    " CVPR 2018.",
    "efficientnet": "Tan M, Le QV. EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML 2019.",
    "efficientnetv2": "Tan M, Le QV. EfficientNetV2: Smaller Models and Faster Training. ICML 2021.",
    "convnext": "Liu Z, Mao H, Wu C-Y, Feichtenhofer C, Darrell T, Xie S. A ConvNet for the 2020s. CVPR 2022.",
}
VERSION_2 = "He K, Zhang X, Ren S, Sun J. Identity Mappings in Deep Residual Networks. ECCV 2016."  # ResNet50V2 and others
IMAGENET = (
    "Russakovsky O, Deng J, Su H, et al. ImageNet Large Scale Visual Recognition Challenge. International Journal of Computer"
    " Vision 115, 2015."
)
KERAS = "Chollet F, et al. Keras. 2015."
SCIKIT_LEARN = (
    "Pedregosa F, Varoquaux G, Gramfort A, et al. Scikit-learn: Machine Learning in Python. Journal of Machine Learning"
    " Research 12, 2011."
)
WILSON = (
    "Wilson EB. Probable Inference, the Law of Succession, and Statistical Inference. Journal of the American Statistical"
    " Association 22, 1927."
)
SHIPPED = "tiny"  # the backbone that comes with the package
FITS = {
    "stretch": "stretched to",
    "crop": "cropped to their central square and scaled to",
    "pad": "padded to a square and scaled to",
}
POOLED = {
    "avg": "averaged over all positions",
    "max": "maximised over all positions",
    "grid": "averaged over each of 3 × 3 regions",
    "flatten": "taken as it is",
    "cls": "taken at the class token",
}


@dataclass
class Citations:
    """References in the order in which they are cited."""

    references: list[str] = field(default_factory=list)

    def cite(self, reference: str) -> str:
        """Return the number of a reference as it stands in a text."""
        if reference not in self.references:
            self.references.append(reference)
        return f" [{self.references.index(reference) + 1}]"


def methods(review: "Review") -> dict[str, Any]:
    """Return the paragraph and its references."""
    cited = Citations()
    recipe = review.features.recipe
    sentences = [_features(part, cited) for part in recipe.joined or (recipe,)]
    if recipe.joined:
        sentences.append("The features of the networks, each scaled to unit length, were joined.")
    sentences.append(f"This gave {review.features.dimension:,} features of each photograph.")
    if review.scores is not None:
        sentences += _judged(review.scores, cited)
    sentences.append(f"Computed with embed {__version__}.")
    return {"text": " ".join(sentences), "references": cited.references}


def _features(recipe: "Recipe", cited: Citations) -> str:
    if recipe.imported:
        return f"The features of the photographs were computed elsewhere ({recipe.weights})."
    network = f"{recipe.backbone}{_of_network(recipe.backbone, cited)}"
    weights = f"with the weights {recipe.weights}"
    if recipe.backbone == SHIPPED:
        weights = f"as embed {__version__} brings it along"
    elif recipe.weights == "imagenet":
        weights = f"pretrained on ImageNet{cited.cite(IMAGENET)}"
    mirrored = ", averaged with those of the mirror image" if recipe.mirror else ""
    augmented = (
        f" {recipe.views - 1} augmented views of each were computed as well." if recipe.views > 1 else ""
    )
    return (
        f"Photographs were {FITS[recipe.fit]} {recipe.size} × {recipe.size} pixels ({recipe.interpolation}) and passed once through"
        f" {network} {weights}, which was not trained further; the output of its layer"
        f" {recipe.layer} was {POOLED[recipe.pooling]} ({recipe.precision}){mirrored}.{augmented}"
    )


def _of_network(name: str, cited: Citations) -> str:
    """Return the citation of a network of Keras's, by its name."""
    from embed.backbones import BACKBONES

    begun = max((one for one in NETWORKS if name.startswith(one)), key=len, default=None)
    if begun is None or name not in BACKBONES:
        return ""
    paper = VERSION_2 if begun == "resnet" and name.endswith("v2") else NETWORKS[begun]
    return cited.cite(paper) + cited.cite(KERAS)


def _judged(scores: "Scores", cited: Citations) -> list[str]:
    from embed.learn import HEADS

    document, numbers = scores.document, scores.summary
    name = document["classifier"]
    said = f"{name} ({HEADS[name]})" if name in HEADS else name
    chosen = [
        f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}"
        for key, value in {**(document["options"] or {}), **document["chosen"]}.items()
        if value is not None
    ]
    library = f"scikit-learn {document['versions'].get('scikit-learn', '')}".strip() + cited.cite(
        SCIKIT_LEARN
    )
    fitted = counted(document.get("n_fitted", document["n_train"]), "photograph")
    classes = counted(len(document["classes"]), "class", "classes")
    sentences = [
        f"The classifier {said}{', every class weighted alike,' if document['balanced'] else ''} was fitted with {library} on {fitted}"
        f" of {classes}{' (' + ', '.join(chosen) + ')' if chosen else ''}, its settings chosen without the photographs that it was"
        " judged on.",
        f"These were {counted(numbers['n'], 'photograph')} ({_split(document)}); copies of one photograph were kept on one side of the"
        " split where it was drawn.",
    ]
    low, high = numbers["accuracy_interval"]
    sentences.append(
        f"The accuracy was {numbers['accuracy']:.3f} (95% interval {low:.3f} to {high:.3f}{cited.cite(WILSON)}), that of always naming"
        f" the most frequent class {numbers['baseline_accuracy']:.3f}; balanced accuracy {numbers['balanced_accuracy']:.3f}, macro F1"
        f" {numbers['macro_f1']:.3f}."
    )
    if len(scores.near_duplicates):
        sentences.append(
            f"{counted(len(scores.near_duplicates), 'photograph')} of them nearly equalled one that was trained on."
        )
    sentences.append(f"The random seed was {document['seed']}.")
    return sentences


def _split(document: dict[str, Any]) -> str:
    if document["split"] == "folders":
        return f"the {document['evaluated_on']} part of the data set"
    together = f", {document['group']} kept together" if document["group"] else ""
    return f"{document['split']}{together}"

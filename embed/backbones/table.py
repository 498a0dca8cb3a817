"""The ImageNet models of keras.applications, as data.

Input size, parameters, size of the published weights (both with the classifier; MB as Keras counts them, 2**20 bytes)
and top-1 on ImageNet are as Keras documents them at keras.io/api/applications; for MobileNetV3, which is missing there,
top-1 is from the documentation of its module and the size follows from its parameters.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Application:
    """One model of keras.applications.

    Parameters
    ----------
    name : str
        As users write it.
    keras_name, module : str
        In keras.applications: the function that makes it, and where its ``preprocess_input`` lives.
    input_size, min_size : int
        Pixels a side: as trained, and the least that it takes.
    dimension : int
        Channels of its last map, hence features of a picture.
    parameters : int
    weights_mb : float
    top1 : float or None
        Accuracy on the validation set of ImageNet, 0..1.
    layer : str
        The layer that is read by default.
    classifier_layers : tuple of str
        Those that exist only with the classifier on top.
    weights_file, weights_file_with_classifier : str
        As Keras names them.
    """

    name: str
    keras_name: str
    module: str
    input_size: int
    min_size: int
    dimension: int
    parameters: int
    weights_mb: float
    top1: float | None
    layer: str
    classifier_layers: tuple[str, ...]
    weights_file: str
    weights_file_with_classifier: str


# Keras's name, input size, dimension, parameters, MB, top-1 in percent
Row = tuple[str, int, int, int, float, float | None]


def _family(
    module: str,
    files: str,  # {file} is the model's part of the name, {top} is "no top" or nothing
    no_top: str,
    layer: str,
    *rows: Row,
    min_size: int = 32,
    classifier_layers: tuple[str, ...] = ("predictions",),
    file_parts: dict[str, str] | None = None,
) -> Iterator[Application]:
    for keras_name, input_size, dimension, parameters, weights_mb, top1 in rows:
        part = (file_parts or {}).get(keras_name, keras_name.lower())
        yield Application(
            name=keras_name.lower(),
            keras_name=keras_name,
            module=module,
            input_size=input_size,
            min_size=min_size,
            dimension=dimension,
            parameters=parameters,
            weights_mb=weights_mb,
            top1=None if top1 is None else top1 / 100,
            layer=layer,
            classifier_layers=tuple(name.format(file=part) for name in classifier_layers),
            weights_file=files.format(file=part, top=no_top),
            weights_file_with_classifier=files.format(file=part, top=""),
        )


TF_KERNELS = "{file}_weights_tf_dim_ordering_tf_kernels{top}.h5"


def applications() -> Iterator[Application]:
    """Yield every model."""
    yield from _family(
        "mobilenet_v2",
        "{file}_weights_tf_dim_ordering_tf_kernels_1.0_224{top}.h5",
        "_no_top",
        "out_relu",
        ("MobileNetV2", 224, 1280, 3_538_984, 14, 71.3),
        file_parts={"MobileNetV2": "mobilenet_v2"},
    )
    yield from _family(
        "mobilenet",
        "{file}_1_0_224_tf{top}.h5",
        "_no_top",
        "conv_pw_13_relu",
        ("MobileNet", 224, 1024, 4_253_864, 16, 70.4),
    )
    yield from _family(
        "mobilenet_v3",
        "weights_mobilenet_v3_{file}_224_1.0_float{top}.h5",
        "_no_top_v2",
        "activation_17",
        ("MobileNetV3Small", 224, 576, 2_554_968, 10, 68.1),
        file_parts={"MobileNetV3Small": "small"},
        classifier_layers=("conv_2", "logits", "predictions"),
    )
    yield from _family(
        "mobilenet_v3",
        "weights_mobilenet_v3_{file}_224_1.0_float{top}.h5",
        "_no_top_v2",
        "activation_19",
        ("MobileNetV3Large", 224, 960, 5_507_432, 21, 75.6),
        file_parts={"MobileNetV3Large": "large"},
        classifier_layers=("conv_2", "logits", "predictions"),
    )
    yield from _family(
        "efficientnet",
        "{file}{top}.h5",
        "_notop",
        "top_activation",
        ("EfficientNetB0", 224, 1280, 5_330_571, 29, 77.1),
        ("EfficientNetB1", 240, 1280, 7_856_239, 31, 79.1),
        ("EfficientNetB2", 260, 1408, 9_177_569, 36, 80.1),
        ("EfficientNetB3", 300, 1536, 12_320_535, 48, 81.6),
        ("EfficientNetB4", 380, 1792, 19_466_823, 75, 82.9),
        ("EfficientNetB5", 456, 2048, 30_562_527, 118, 83.6),
        ("EfficientNetB6", 528, 2304, 43_265_143, 166, 84.0),
        ("EfficientNetB7", 600, 2560, 66_658_687, 256, 84.3),
    )
    yield from _family(
        "efficientnet_v2",
        "efficientnetv2-{file}{top}.h5",
        "_notop",
        "top_activation",
        ("EfficientNetV2B0", 224, 1280, 7_200_312, 29, 78.7),
        ("EfficientNetV2B1", 240, 1280, 8_212_124, 34, 79.8),
        ("EfficientNetV2B2", 260, 1408, 10_178_374, 42, 80.5),
        ("EfficientNetV2B3", 300, 1536, 14_467_622, 59, 82.0),
        ("EfficientNetV2S", 384, 1280, 21_612_360, 88, 83.9),
        ("EfficientNetV2M", 480, 1280, 54_431_388, 220, 85.3),
        ("EfficientNetV2L", 480, 1280, 119_027_848, 479, 85.7),
        file_parts={
            f"EfficientNetV2{variant}": variant.lower() for variant in ("B0", "B1", "B2", "B3", "S", "M", "L")
        },
    )
    yield from _family(
        "convnext",
        "{file}{top}.h5",
        "_notop",
        "layer_normalization",
        ("ConvNeXtTiny", 224, 768, 28_589_128, 109.42, 81.3),
        ("ConvNeXtSmall", 224, 768, 50_223_688, 192.29, 82.3),
        ("ConvNeXtBase", 224, 1024, 88_591_464, 338.58, 85.3),
        ("ConvNeXtLarge", 224, 1536, 197_767_336, 755.07, 86.3),
        ("ConvNeXtXLarge", 224, 2048, 350_196_968, 1310, 86.7),
        file_parts={
            f"ConvNeXt{variant}": f"convnext_{variant.lower()}"
            for variant in ("Tiny", "Small", "Base", "Large", "XLarge")
        },
        classifier_layers=("{file}_head_layernorm", "{file}_head_dense"),
    )
    yield from _family(
        "resnet",
        TF_KERNELS,
        "_notop",
        "conv5_block3_out",
        ("ResNet50", 224, 2048, 25_636_712, 98, 74.9),
        ("ResNet101", 224, 2048, 44_707_176, 171, 76.4),
        ("ResNet152", 224, 2048, 60_419_944, 232, 76.6),
    )
    yield from _family(
        "resnet_v2",
        TF_KERNELS,
        "_notop",
        "post_relu",
        ("ResNet50V2", 224, 2048, 25_613_800, 98, 76.0),
        ("ResNet101V2", 224, 2048, 44_675_560, 171, 77.2),
        ("ResNet152V2", 224, 2048, 60_380_648, 232, 78.0),
    )
    yield from _family(
        "densenet",
        TF_KERNELS,
        "_notop",
        "relu",
        ("DenseNet121", 224, 1024, 8_062_504, 33, 75.0),
        ("DenseNet169", 224, 1664, 14_307_880, 57, 76.2),
        ("DenseNet201", 224, 1920, 20_242_984, 80, 77.3),
    )
    yield from _family(
        "inception_v3",
        TF_KERNELS,
        "_notop",
        "mixed10",
        ("InceptionV3", 299, 2048, 23_851_784, 92, 77.9),
        min_size=75,
        file_parts={"InceptionV3": "inception_v3"},
    )
    yield from _family(
        "inception_resnet_v2",
        TF_KERNELS,
        "_notop",
        "conv_7b_ac",
        ("InceptionResNetV2", 299, 1536, 55_873_736, 215, 80.3),
        min_size=75,
        file_parts={"InceptionResNetV2": "inception_resnet_v2"},
    )
    yield from _family(
        "xception",
        TF_KERNELS,
        "_notop",
        "block14_sepconv2_act",
        ("Xception", 299, 2048, 22_910_480, 88, 79.0),
        min_size=71,
    )
    yield from _family(
        "nasnet",
        "{file}{top}.h5",
        "_no_top",
        "activation_187",
        ("NASNetMobile", 224, 1056, 5_326_716, 23, 74.4),
        file_parts={"NASNetMobile": "nasnet_mobile"},
    )
    yield from _family(
        "nasnet",
        "{file}{top}.h5",
        "_no_top",
        "activation_259",
        ("NASNetLarge", 331, 4032, 88_949_818, 343, 82.5),
        file_parts={"NASNetLarge": "nasnet_large"},
    )
    for module, keras_name, parameters, weights_mb, top1 in (
        ("vgg16", "VGG16", 138_357_544, 528, 71.3),
        ("vgg19", "VGG19", 143_667_240, 549, 71.3),
    ):
        yield from _family(
            module,
            TF_KERNELS,
            "_notop",
            "block5_pool",
            (keras_name, 224, 512, parameters, weights_mb, top1),
            classifier_layers=("fc1", "fc2", "predictions"),
        )
